"""Whether data are where a person says, looked at before anything heavy is imported."""

import difflib
from pathlib import Path

from transfer.errors import DataNotFoundError


def check_there(data: Path) -> None:
    """Refuse a folder or table that does not exist.

    Raises:
        DataNotFoundError: it does not; with what is there that sounds like it.
    """
    if data.exists():
        return
    missing = data.absolute()
    while not missing.parent.exists():
        missing = missing.parent
    around = missing.parent
    names = [path.name for path in around.iterdir()] if around.is_dir() else []
    near = difflib.get_close_matches(missing.name, names, n=1)
    hint = f"did you mean {str(around / near[0])!r}?" if near else f"looked in {str(around)!r}"
    raise DataNotFoundError(f"no folder or table {str(data)!r}; {hint}")
