"""How a run leaves as a model that needs nothing of this framework."""
