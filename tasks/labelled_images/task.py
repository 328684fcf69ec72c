"""The labelled images task on one page."""

from tasks.labelled_images.adapter import read_manifest
from tasks.labelled_images.augmentation import augment
from tasks.labelled_images.samples import write_samples
from tasks.labelled_images.settings import Settings
from transfer import Task

TASK = Task(
    name="labelled_images",
    summary="pictures in labelled folders or a table, of no domain in particular",
    settings=Settings(),
    read_manifest=read_manifest,
    augment=augment,
    write_samples=write_samples,
    sources=("drawn by the task itself; no licence needed",),
)
