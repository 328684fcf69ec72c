"""What may change in an object on the road without changing what it is."""

from typing import TYPE_CHECKING

from tasks.driving_objects.settings import Settings
from transfer import Row
from transfer.images.likeness import shows_rather
from transfer.images.pictures import Pixels

if TYPE_CHECKING:
    import albumentations as A

_ROUGHEST_PX = 1.2
"""Standard deviation of the strongest blur in a view of 64 px; it grows with the view."""
_DESIGNED_FOR_PX = 64


def augment(size: int, settings: Settings) -> "A.Compose":
    """Return views (size, size, C) of uint8 or float32 pictures."""
    import albumentations as A  # noqa: PLC0415  # imports torch

    from tasks.driving_objects.views import Mirror, Move  # noqa: PLC0415  # likewise

    moved = Move(settings.zoom, settings.shift, settings.rotate)
    light = A.RandomBrightnessContrast(
        brightness_limit=settings.light,
        contrast_limit=settings.light,
        brightness_by_max=False,
        p=1.0,
    )
    roughest = _ROUGHEST_PX * size / _DESIGNED_FOR_PX
    blur = A.GaussianBlur(sigma_limit=(0.1, roughest), blur_limit=0, p=settings.blur)
    return A.Compose([Mirror(settings.mirrored), moved, light, blur])


def label_holds(row: Row, picture: Pixels, view: Pixels) -> bool:
    """Say whether a view is not mirrored, unless the object may be by the default settings."""
    if row.label.lower() in Settings().mirrored:
        return True
    return not shows_rather(picture[:, ::-1], picture, view)
