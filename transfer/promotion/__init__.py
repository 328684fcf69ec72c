"""How a run becomes the one that is used, under a name."""
