"""One file for each node software."""
