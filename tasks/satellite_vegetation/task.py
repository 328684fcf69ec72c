"""The satellite vegetation task on one page."""

from tasks.satellite_vegetation.adapter import read_manifest
from tasks.satellite_vegetation.augmentation import Settings, augment
from tasks.satellite_vegetation.samples import write_samples
from transfer import Recipe, Task

TASK = Task(
    name="satellite_vegetation",
    summary="land cover and vegetation of 64 x 64 px Sentinel-2 chips",
    settings=Settings(),
    read_manifest=read_manifest,
    augment=augment,
    headline="balanced_accuracy",
    recipe=Recipe(backbone="resnet18", size=64, batch_size=64, lr=3e-3),
    write_samples=write_samples,
    sources=(
        "Helber et al. 2019, EuroSAT, doi:10.1109/JSTARS.2019.2918242, MIT licence",
        "contains modified Copernicus Sentinel data",
    ),
)
