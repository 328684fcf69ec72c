"""The driving objects task on one page."""

from tasks.driving_objects.adapter import read_manifest
from tasks.driving_objects.augmentation import augment, label_holds
from tasks.driving_objects.facts import measure
from tasks.driving_objects.samples import write_samples
from tasks.driving_objects.scores import HEADLINE, judge
from tasks.driving_objects.settings import Settings
from transfer import Recipe, Task

TASK = Task(
    name="driving_objects",
    summary="signs, vehicles and people on the road, cut out of frames or in class folders",
    settings=Settings(),
    read_manifest=read_manifest,
    augment=augment,
    label_holds=label_holds,
    measure=measure,
    headline=HEADLINE,
    judge=judge,
    recipe=Recipe(size=64, framing="squash", batch_size=64),
    write_samples=write_samples,
    sources=(
        "Stallkamp et al. 2012, GTSRB, doi:10.1016/j.neunet.2012.02.016, free for research",
        "Geiger et al. 2012, KITTI, doi:10.1109/CVPR.2012.6248074, CC BY-NC-SA 3.0",
        "samples are drawn by the task itself; no licence needed",
    ),
)
