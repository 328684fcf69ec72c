"""What leaves the framework: a run that predicts on new files."""
