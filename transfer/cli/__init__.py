"""One file per thing a person is doing at the command line."""
