"""Config models: what a user may write, with every default and every rule."""
