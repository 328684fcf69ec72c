"""What may change in a chip without changing its land cover."""

from typing import TYPE_CHECKING

from pydantic import Field

from transfer import TaskSettings

if TYPE_CHECKING:
    import albumentations as A


class Settings(TaskSettings):
    """The views of a chip."""

    rotate: bool = True
    """Turn and mirror chips in all eight ways; seen from orbit, north is arbitrary."""
    crop: float = Field(default=0.7, gt=0, le=1)
    """Smallest share of a chip's area that a view shows; 1 shows all of it."""
    light: float = Field(default=0.1, ge=0, le=0.5)
    """How far brightness and contrast move, as a share; colour tells land covers apart."""


def augment(size: int, settings: Settings) -> "A.Compose":
    """Return views (size, size, C) of uint8 or float32 chips."""
    import albumentations as A  # noqa: PLC0415  # imports torch

    from tasks.satellite_vegetation.turning import Turn  # noqa: PLC0415  # likewise

    crop = A.RandomResizedCrop(
        size=(size, size), scale=(settings.crop, 1.0), ratio=(0.9, 1 / 0.9), p=1.0
    )
    # About the chip's own mean: the same step on all chips would drown a dark forest.
    light = A.RandomBrightnessContrast(
        brightness_limit=settings.light,
        contrast_limit=settings.light,
        brightness_by_max=False,
        p=1.0,
    )
    return A.Compose([Turn(p=1.0), crop, light] if settings.rotate else [crop, light])
