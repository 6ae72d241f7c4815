"""Base images as values: what is in one, and where tiers go in it."""
