"""Five landmarks of a face, as CelebA names them, and where ArcFace wants them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from transfer import Pixels
from transfer.errors import ImageError, ManifestError

POINTS = ("lefteye", "righteye", "nose", "leftmouth", "rightmouth")
"""Left and right as one looks at the picture."""
COLUMNS = tuple(f"{point}_{axis}" for point in POINTS for axis in "xy")
"""Of a table, px from the upper left corner."""
FILE = "landmarks.csv"
"""Beside folders of people: the columns image and `COLUMNS`."""

SIDE = 112
"""Of an aligned face, px."""
TEMPLATE = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)
"""Where the landmarks of an aligned face lie, px (Deng et al. 2019, ArcFace, and InsightFace)."""


def read_landmarks(path: Path) -> pd.DataFrame:
    """Return the landmarks of pictures, float64, by the name of the picture; gaps are nan.

    Raises:
        ManifestError: it is no such table, or names a picture twice.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise ManifestError(f"{str(path)!r} cannot be read: {error}") from error
    table.columns = table.columns.str.strip()
    if missing := [name for name in ("image", *COLUMNS) if name not in table]:
        raise ManifestError(f"{str(path)!r} lacks column(s) {missing}; it has {list(table)}")
    table["image"] = table["image"].str.strip().str.replace("\\", "/", regex=False)
    if (again := table["image"].duplicated()).any():
        raise ManifestError(f"{str(path)!r} names {table['image'][again].iloc[0]!r} twice")
    return as_numbers(table.set_index("image"), str(path))


def as_numbers(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return the columns of landmarks of a table as float64; an empty cell is nan.

    Raises:
        ManifestError: a cell is no number.
    """
    cells = table[list(COLUMNS)]
    texts = cells.astype(object).where(cells.notna() & (cells != ""), None)
    numbers: pd.DataFrame = texts.apply(pd.to_numeric, errors="coerce").astype(np.float64)
    wrong = texts.notna() & numbers.isna()
    if wrong.to_numpy().any():
        column = str(wrong.any().idxmax())
        value = texts.loc[wrong[column], column].iloc[0]
        raise ManifestError(f"{where}: {column} is {value!r}, which is no number")
    return numbers


def points_of(columns: Mapping[str, Any]) -> NDArray[np.float64] | None:
    """Return the landmarks (5, 2) among the free columns of a row; None where there are none."""
    if any(name not in columns for name in COLUMNS):
        return None
    points = np.array([columns[name] for name in COLUMNS], np.float64).reshape(-1, 2)
    return None if np.isnan(points).any() else points


def similarity(points: NDArray[np.float64], template: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the turn, scale and shift (2, 3) that bring `points` (n, 2) nearest to `template`.

    In the least squares, without a mirror (Umeyama 1991, doi:10.1109/34.88573). In the plane a turn
    by a and a scale s are one complex number, s exp(ia).

    Raises:
        ImageError: the points are all one.
    """
    here = points - points.mean(axis=0)
    there = template - template.mean(axis=0)
    spread = (here**2).sum()
    if spread < 1e-9:  # noqa: PLR2004  # px: points that no camera can tell apart
        raise ImageError("has landmarks that all lie on one point")
    cos = (here * there).sum() / spread
    sin = (here[:, 0] * there[:, 1] - here[:, 1] * there[:, 0]).sum() / spread
    turn = np.array([[cos, -sin], [sin, cos]])
    shift = template.mean(axis=0) - turn @ points.mean(axis=0)
    return np.column_stack([turn, shift])


def align(pixels: Pixels, points: NDArray[np.float64]) -> Pixels:
    """Return the face (112, 112, 3) whose landmarks lie as in `TEMPLATE`; black beyond the picture.

    Args:
        pixels: (H, W, 3), uint8, or float32 in [0, 1].
        points: landmarks (5, 2), px.

    Raises:
        ImageError: the landmarks all lie on one point.
    """
    warp = similarity(points, TEMPLATE)
    scale = float(np.hypot(warp[0, 0], warp[1, 0]))
    if (factor := int(1 / scale)) > 1:
        # A warp looks at four pixels: of a large face all are averaged first, or it would flicker.
        height, width = pixels.shape[0] // factor, pixels.shape[1] // factor
        whole = pixels[: height * factor, : width * factor]
        pixels = np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA))
        warp = similarity((points + 0.5) / factor - 0.5, TEMPLATE)
    face: Pixels = np.asarray(cv2.warpAffine(pixels, warp, (SIDE, SIDE), flags=cv2.INTER_LINEAR))
    return face
