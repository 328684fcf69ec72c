"""A package to start a task of one's own from."""
