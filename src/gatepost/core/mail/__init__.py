"""Mail on its way out: what a message is made of, and how it is carried."""
