"""What may change in a chip without changing its land cover."""

from typing import TYPE_CHECKING

from tasks.satellite_vegetation.settings import Settings

if TYPE_CHECKING:
    import albumentations as A


def augment(size: int, settings: Settings) -> "A.Compose":
    """Return views (size, size, C) of uint8 or float32 chips."""
    import albumentations as A  # noqa: PLC0415  # imports torch

    from tasks.satellite_vegetation.light import Light  # noqa: PLC0415  # likewise
    from tasks.satellite_vegetation.turning import Turn  # noqa: PLC0415  # likewise

    crop = A.RandomResizedCrop(
        size=(size, size), scale=(settings.crop, 1.0), ratio=(0.9, 1 / 0.9), p=1.0
    )
    light = Light(settings.light)
    return A.Compose([Turn(p=1.0), crop, light] if settings.rotate else [crop, light])
