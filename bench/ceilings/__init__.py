"""What no service built of these parts can be cheaper than: a hash, a select, a route of the framework."""
