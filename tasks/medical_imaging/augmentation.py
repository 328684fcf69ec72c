"""What may change in a medical picture without changing its finding."""

from typing import TYPE_CHECKING

import cv2

from tasks.medical_imaging.settings import Settings
from transfer import Row
from transfer.images.likeness import shows_rather
from transfer.images.pictures import Pixels

if TYPE_CHECKING:
    import albumentations as A


def augment(size: int, settings: Settings) -> "A.Compose":  # noqa: ARG001  # views keep their size
    """Return views (size, size, C) of uint8 or float32 pictures: all of the patient stays in."""
    import albumentations as A  # noqa: PLC0415  # imports torch

    lean = A.Affine(
        rotate=(-settings.rotation, settings.rotation),
        scale=(1 - settings.scale, 1 + settings.scale),
        # Edges go on as they are: a black corner would be a mark, and a mirror a second heart.
        border_mode=cv2.BORDER_REPLICATE,
        p=1.0,
    )
    exposure = A.RandomBrightnessContrast(
        brightness_limit=settings.contrast,
        contrast_limit=settings.contrast,
        brightness_by_max=False,
        p=1.0,
    )
    return A.Compose([A.HorizontalFlip(p=0.5 * settings.flip), lean, exposure])


def label_holds(row: Row, picture: Pixels, view: Pixels) -> bool:  # noqa: ARG001  # of all findings
    """Say whether a view is not mirrored: the heart has a side, and so has what is found."""
    return not shows_rather(picture[:, ::-1], picture, view)
