"""Reports of changes, for a terminal, a comment, a page and a program."""
