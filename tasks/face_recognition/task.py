"""The face recognition task on one page."""

from tasks.face_recognition.adapter import read_manifest
from tasks.face_recognition.augmentation import augment, label_holds
from tasks.face_recognition.judging import judge
from tasks.face_recognition.landmarks import COLUMNS
from tasks.face_recognition.reading import read_face
from tasks.face_recognition.samples import write_samples
from tasks.face_recognition.settings import Settings
from transfer import Recipe, Task
from transfer.settings import HeadSettings, TrainingSettings

TASK = Task(
    name="face_recognition",
    summary="who is in a picture of a face, and whether two are of one person",
    settings=Settings(),
    read_manifest=read_manifest,
    read_image=read_face,
    reads=COLUMNS,
    augment=augment,
    label_holds=label_holds,
    judge=judge,
    recipe=Recipe(
        size=64,  # as the starter weights; with others 112 shows all that an aligned face has
        head=HeadSettings(kind="cosine"),
        training=TrainingSettings(batch_statistics="frozen", label_smoothing=0),
    ),
    write_samples=write_samples,
    sources=(
        "drawn by the task itself; no licence needed",
        "Deng et al. 2019, ArcFace, arXiv:1801.07698: the margin, and where landmarks belong",
        "Huang et al. 2007, Labeled Faces in the Wild: the protocol of ten folds",
    ),
    sensitive=True,
    notice="faces: ask those who are in the pictures, and look for people whom it serves worse",
)
