"""How well it learned: predictions, scores, and the interval of each score."""
