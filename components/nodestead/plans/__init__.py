"""From the config of a set to all of its objects."""
