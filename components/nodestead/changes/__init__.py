"""What differs between two states of a stack, and what that does to the nodes that run: pure functions over objects."""
