"""A table of rows that belong together, beside the data: what an audit found, and a person read."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd

from transfer.errors import ManifestError
from transfer.samples.manifest import Manifest
from transfer.samples.ties import merge_tied

COLUMNS = ("key", "group", "image")
"""Of the file: row key, the name of the group, and the path below the data's root for people."""


@dataclass(frozen=True)
class GroupsFile:
    """Rows that belong together.

    Attributes:
        group_of: row key -> name of the group.
        digest: 16 hex digits naming the bytes of the file.
    """

    group_of: Mapping[str, str]
    digest: str

    def merge(self, manifest: Manifest) -> Manifest:
        """Return inspected rows with one group where those of the file connect them."""
        groups = manifest.rows["key"].map(pd.Series(self.group_of, dtype=object))
        codes = pd.factorize(groups)[0].astype(np.int64)
        alone = codes < 0
        codes[alone] = codes.max(initial=-1) + 1 + np.arange(int(alone.sum()))
        return merge_tied(manifest, [codes])


def read_groups(path: Path) -> GroupsFile:
    """Return the groups in the table `path`.

    Raises:
        ManifestError: it is no such table, or names a row twice.
    """
    try:
        content = path.read_bytes()
        table = pd.read_csv(BytesIO(content), dtype=str, keep_default_na=False)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ManifestError(f"groups file {str(path)!r} cannot be read: {error}") from error
    if missing := [name for name in COLUMNS[:2] if name not in table]:
        raise ManifestError(
            f"groups file {str(path)!r} lacks column(s) {missing}; it has {list(table)}. "
            "transfer audit TASK --data FOLDER --groups-out FILE.csv writes one"
        )
    if twice := table.loc[table["key"].duplicated(), "key"].tolist():
        raise ManifestError(f"groups file {str(path)!r} names row {twice[0]!r} twice")
    group_of = dict(zip(table["key"], table["group"], strict=True))
    return GroupsFile(group_of, hashlib.sha256(content).hexdigest()[:16])


def as_groups_file(groups: Sequence[Sequence[int]], manifest: Manifest) -> str:
    """Return the text of a file in which the rows of each of `groups` belong together."""
    rows = manifest.rows
    lines = [
        {"key": rows["key"][row], "group": f"near-{number}", "image": rows["image"][row]}
        for number, members in enumerate(groups, start=1)
        for row in members
    ]
    text: str = pd.DataFrame(lines, columns=list(COLUMNS)).to_csv(index=False, lineterminator="\n")
    return text
