"""Docker Engine and what speaks its API. The only part that imports docker."""
