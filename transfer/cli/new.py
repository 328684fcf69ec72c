"""`transfer new`."""


def new(name: str) -> None:
    """Write."""
