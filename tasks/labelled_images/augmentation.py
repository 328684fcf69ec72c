"""What may change in nearly every picture without changing its label."""

from typing import TYPE_CHECKING

from pydantic import Field

from transfer import TaskSettings

if TYPE_CHECKING:
    import albumentations as A


class Settings(TaskSettings):
    """The views of a picture."""

    flip: bool = True
    """Mirror half of the pictures left to right; not for writing, or where the side matters."""
    crop: float = Field(default=0.6, gt=0, le=1)
    """Smallest share of a picture's area that a view shows; 1 shows all of it."""
    light: float = Field(default=0.2, ge=0, le=0.5)
    """How far brightness and contrast move, as a share."""


def augment(size: int, settings: Settings) -> "A.Compose":
    """Return views (size, size, C) of uint8 or float32 pictures."""
    import albumentations as A  # noqa: PLC0415  # imports torch

    crop = A.RandomResizedCrop(
        size=(size, size), scale=(settings.crop, 1.0), ratio=(3 / 4, 4 / 3), p=1.0
    )
    light = A.RandomBrightnessContrast(
        brightness_limit=settings.light,
        contrast_limit=settings.light,
        brightness_by_max=False,
        p=1.0,
    )
    return A.Compose([A.HorizontalFlip(p=0.5 * settings.flip), crop, light])
