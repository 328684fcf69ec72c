"""The satellite vegetation task on one page."""

from tasks.satellite_vegetation.adapter import read_manifest
from tasks.satellite_vegetation.augmentation import augment
from tasks.satellite_vegetation.bands import read_named_bands
from tasks.satellite_vegetation.samples import write_samples
from tasks.satellite_vegetation.settings import Settings
from transfer import Recipe, Task

TASK = Task(
    name="satellite_vegetation",
    summary="land cover and vegetation of Sentinel-2 chips, in colours or in any bands",
    settings=Settings(),
    read_manifest=read_manifest,
    read_bands=read_named_bands,
    augment=augment,
    headline="balanced_accuracy",
    recipe=Recipe(backbone="resnet18", size=64, batch_size=64, no_data=0),
    write_samples=write_samples,
    sources=(
        "Helber et al. 2019, EuroSAT, doi:10.1109/JSTARS.2019.2918242, MIT licence",
        "contains modified Copernicus Sentinel data",
    ),
)
