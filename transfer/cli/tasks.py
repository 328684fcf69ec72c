"""`transfer tasks`: what is installed, from metadata only."""

from transfer.cli.console import OUT, print_table
from transfer.plugin.discovery import installed_tasks


def tasks() -> None:
    """List the installed tasks."""
    rows = [
        [entry.name, entry.dist.name, entry.dist.version] if entry.dist else [entry.name, "?", ""]
        for entry in installed_tasks()
    ]
    print_table(["task", "from", "version"], rows)
    OUT.print("\nnext       transfer recipe TASK   transfer fit TASK --data FOLDER")
