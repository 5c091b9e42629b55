"""Services that others made for the same purpose, set up as their documentation shows."""
