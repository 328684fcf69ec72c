"""What a plugin promises, as checks that anyone can run."""
