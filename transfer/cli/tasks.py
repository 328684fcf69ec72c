"""`transfer tasks`: what is installed, from metadata only."""

from rich.table import Table

from transfer.cli.console import OUT
from transfer.plugin.discovery import installed_tasks


def tasks() -> None:
    """List the installed tasks."""
    table = Table("task", "from", "version", box=None, pad_edge=False)
    for entry in installed_tasks():
        package = entry.dist
        table.add_row(
            entry.name, package.name if package else "?", package.version if package else ""
        )
    OUT.print(table)
    OUT.print("\nnext       transfer recipe TASK   transfer fit TASK --data FOLDER", markup=False)
