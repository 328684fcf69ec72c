"""The two transforms that albumentations lacks: a mirror that knows the class, and a fast move."""

import math
from collections.abc import Sequence
from typing import Any

import albumentations as A
import cv2
import numpy as np
from numpy.typing import NDArray

from transfer import Row


class Mirror(A.HorizontalFlip):  # type: ignore[misc]  # albumentations has no types here
    """Mirrors half of the views of the classes that are named; of all other rows, none.

    The views that are averaged when a network is asked come without a class, and are not mirrored:
    a view that knew the class would give it away.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        """Mirror rows of these classes, in any case of letters."""
        super().__init__(p=0.5)
        self._classes = frozenset(name.lower() for name in classes)

    @property
    def targets_as_params(self) -> list[str]:
        """Ask for the row beside the image."""
        return ["row"]

    def get_params_dependent_on_data(
        self,
        params: dict[str, Any],  # noqa: ARG002  # albumentations' form
        data: dict[str, Any],
    ) -> dict[str, Any]:
        """Return whether the class of the row is one that may be mirrored."""
        row: Row = data["row"]
        return {"same": row.label.lower() in self._classes}

    def apply(self, img: Any, same: bool, **params: Any) -> Any:  # noqa: FBT001  # named by the caller
        """Return the picture (S, S, C), mirrored where that changes nothing."""
        return super().apply(img, **params) if same else img


class Move(A.ImageOnlyTransform):  # type: ignore[misc]  # albumentations has no types here
    """Scales, turns and shifts by one matrix; what comes in from outside repeats the edge.

    A.Affine draws and does the same, and was half of the time of a view of 64 px.
    """

    def __init__(self, zoom: float, shift: float, rotate: float) -> None:
        """Move by up to these: share of the scale, share of the side, degrees."""
        super().__init__(p=1.0)
        self._most = (zoom, shift, rotate)

    def get_params(self) -> dict[str, Any]:
        """Draw how far this view moves: scale, degrees, shares to the right and down."""
        zoom, shift, rotate = self._most
        draw = self.py_random.uniform
        scale = math.exp(draw(-1, 1) * math.log1p(zoom))  # twice as large as often as half as large
        moves = draw(-rotate, rotate), draw(-shift, shift), draw(-shift, shift)
        return dict(zip(("scale", "degrees", "right", "down"), (scale, *moves), strict=True))

    def apply(  # albumentations' form
        self, img: NDArray[Any], scale: float, degrees: float, right: float, down: float, **_: Any
    ) -> NDArray[Any]:
        """Return the picture (S, S, C), moved about its centre."""
        height, width = img.shape[:2]
        centre = ((width - 1) / 2, (height - 1) / 2)
        matrix = cv2.getRotationMatrix2D(centre, degrees, scale)
        matrix[:, 2] += right * width, down * height
        moved = cv2.warpAffine(
            img, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(moved).reshape(img.shape)  # OpenCV drops one band
