"""What may change in nearly every picture without changing its label."""

from typing import TYPE_CHECKING

from tasks.labelled_images.settings import Settings

if TYPE_CHECKING:
    import albumentations as A


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
