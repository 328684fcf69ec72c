"""From a row to a face: aligned by its landmarks, or the crop as it is."""

from tasks.face_recognition.landmarks import align, points_of
from tasks.face_recognition.settings import Settings
from transfer import Pixels, Row, read_picture
from transfer.plugin.task import read_row


def read_face(row: Row, settings: Settings) -> Pixels:
    """Return a face (H, W, 3), uint8, or float32 in [0, 1] from deeper pixels.

    One with landmarks is aligned, 112 x 112 px. Of a row with a box it is the part in the box.

    Raises:
        ImageError: the picture cannot be read, or its landmarks all lie on one point.
    """
    points = points_of(row.columns) if settings.align else None
    return read_row(row, settings) if points is None else align(read_picture(row.source()), points)
