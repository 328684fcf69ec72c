"""`python -m transfer` is the command line, for launchers that start modules."""

from transfer.cli.app import main

main()
