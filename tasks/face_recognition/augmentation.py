"""What may change in a face without making it somebody else's."""

from typing import TYPE_CHECKING

import cv2

from tasks.face_recognition.settings import Settings
from transfer import Row
from transfer.images.likeness import shows_rather
from transfer.images.pictures import Pixels

if TYPE_CHECKING:
    import albumentations as A


def augment(size: int, settings: Settings) -> "A.Compose":
    """Return views (size, size, C) of uint8 or float32 faces: none on its head or recoloured."""
    import albumentations as A  # noqa: PLC0415  # imports torch

    around = (1 - settings.shift, 1 + settings.shift)
    place = A.Affine(
        rotate=(-settings.rotate, settings.rotate),
        translate_percent=(-settings.shift, settings.shift),
        scale=around,
        border_mode=cv2.BORDER_REPLICATE,  # no black corner tells how far a face was turned
        p=1.0,
    )
    light = A.RandomBrightnessContrast(
        brightness_limit=settings.light,
        contrast_limit=settings.light,
        brightness_by_max=False,
        p=1.0,
    )
    blur = A.GaussianBlur(blur_limit=0, sigma_limit=(size / 320, size / 80), p=settings.blur)
    return A.Compose([A.HorizontalFlip(p=0.5 * settings.flip), place, light, blur])


def label_holds(row: Row, picture: Pixels, view: Pixels) -> bool:  # noqa: ARG001  # of everyone
    """Say whether a view does not stand on its head: nobody is recognised so."""
    # Of each row of pixels the mean alone, which a mirror leaves as it is.
    down, seen = (pixels.mean(axis=1, keepdims=True) for pixels in (picture, view))
    return not shows_rather(down[::-1], down, seen)
