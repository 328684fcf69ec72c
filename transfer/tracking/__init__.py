"""What is kept of a run, and where: MLflow behind one door."""
