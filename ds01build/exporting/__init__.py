"""A lock in the formats of others: pure functions, and equal locks give equal bytes."""
