"""Small pictures of rows of an audit, from their working-size pixels."""

from collections.abc import Sequence

import numpy as np

from transfer.auditing.labels import Eyes
from transfer.comparing.thumbnails import SIDE_PX, picture_address
from transfer.figures import displayable
from transfer.images.framing import frame


def thumbnails(eyes: Eyes, rows: Sequence[int]) -> dict[int, str]:
    """Return pictures by row number, as `data:` addresses of PNG files of 112 px."""
    if not rows:
        return {}
    pictures = np.stack([frame(eyes.pictures[row], SIDE_PX, "squash") for row in rows])
    shown = displayable(pictures, eyes.colours)  # on one scale: a dark field stays a dark one
    return {row: picture_address(pixels) for row, pixels in zip(rows, shown, strict=True)}
