"""The medical imaging task on one page."""

from tasks.medical_imaging.adapter import read_manifest
from tasks.medical_imaging.augmentation import augment, label_holds
from tasks.medical_imaging.judge import judge
from tasks.medical_imaging.samples import write_samples
from tasks.medical_imaging.settings import Settings
from transfer import Recipe, Task
from transfer.settings import SplitSettings, TrainingSettings

TASK = Task(
    name="medical_imaging",
    summary="findings in X-rays and other medical pictures, DICOM among them, by patient",
    settings=Settings(),
    read_manifest=read_manifest,
    augment=augment,
    label_holds=label_holds,
    judge=judge,
    recipe=Recipe(
        framing="pad",
        split=SplitSettings(calibration=0.1),
        training=TrainingSettings(balance="none"),
    ),
    write_samples=write_samples,
    sources=("drawn by the task itself; no licence needed",),
    sensitive=True,
    notice="for research only: this is not a medical device, and no one is to be treated by it",
)
