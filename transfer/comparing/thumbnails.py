"""Small pictures of rows, read from where a run read them."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from transfer.earlier import recipe_of
from transfer.errors import ImageError
from transfer.figures import displayable
from transfer.images.colours import colour_places
from transfer.images.framing import frame
from transfer.images.pictures import Pixels
from transfer.plan import read_rows
from transfer.plugin.task import Task
from transfer.progress import Progress
from transfer.tracking.store import Store
from transfer.tracking.stored_runs import StoredRun

SIDE_PX = 112


def thumbnails(
    store: Store, run: StoredRun, task: Task, keys: Sequence[str], progress: Progress
) -> dict[str, str]:
    """Return pictures of rows by key, as `data:` addresses of PNG files of 112 px.

    They are read from where the run read them; what is no longer there is left out, and said.

    Args:
        store: where the run is.
        run: any that had these rows.
        task: whose data they are.
        keys: of the rows.
        progress: told how far it is.

    Raises:
        TransferError: the data can no longer be read as the run read them.
    """
    place = Path(run.data)
    if not run.data or not place.exists():
        progress.warn(f"no pictures: the data of {run.name!r} are no longer at {run.data!r}")
        return {}
    recipe = recipe_of(store, run, task)
    manifest = read_rows(task, recipe, place, progress).manifest
    number_of = {key: number for number, key in enumerate(manifest.rows["key"])}
    read, pictures = task.reader(recipe.task, recipe.bands), dict[str, Pixels]()
    with progress.step("reading pictures", len(keys), "images") as step:
        for key in keys:
            if key in number_of:
                try:
                    pictures[key] = frame(read(manifest.row(number_of[key])), SIDE_PX, "pad")
                except ImageError as error:
                    progress.warn(f"no picture of row {key}: {error}")
            step.advance()
    if missing := len(set(keys) - set(number_of)):
        progress.warn(f"{missing} row(s) are no longer among the data at {run.data!r}")
    if not pictures:
        return {}
    # On one scale: of several bands, a dark field stays a dark one.
    shown = displayable(np.stack([*pictures.values()]), colour_places(recipe.bands))
    return {key: picture_address(pixels) for key, pixels in zip(pictures, shown, strict=True)}


def picture_address(pixels: NDArray[np.uint8]) -> str:
    """Return pixels (H, W, 3) as the `data:` address of a PNG file."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
