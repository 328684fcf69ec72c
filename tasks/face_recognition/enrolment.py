"""Enrol people, and set the threshold from which on a face is said to be one of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.face_recognition.gallery_file import GalleryFile
from tasks.face_recognition.landmarks import COLUMNS, FILE, points_of, read_landmarks
from transfer import Manifest, Predictor, Row
from transfer.errors import DataNotFoundError, ImageError, ManifestError, StoreError
from transfer.samples.layouts.folder import list_class_folders, list_pictures
from transfer.samples.layouts.listing import Listing
from transfer.scoring.galleries import Gallery, enough_strangers, threshold_for

_SHOWN = 5


@dataclass(frozen=True)
class Strangers:
    """People who are in no gallery, and whom the network did not learn.

    Attributes:
        rows: their pictures.
        people: how many they are.
        split: of the run, that they are from.
    """

    rows: list[Row]
    people: int
    split: str


def people_in(folder: Path) -> list[Row]:
    """Return the pictures below `folder`, each labelled by the folder of its person.

    Raises:
        DataNotFoundError: there is no folder with pictures in it.
        ManifestError: landmarks beside them cannot be read.
    """
    if not folder.is_dir():
        raise DataNotFoundError(f"no folder {str(folder)!r}; a gallery is a folder for each person")
    found = list_class_folders(Listing(folder))
    images = [(image, each.label) for each in found.classes for image in each.pictures]
    if not images:
        raise DataNotFoundError(
            f"no pictures in folders of people below {str(folder)!r}; put those of each person "
            "into a folder of their name"
        )
    cells = _landmarks_beside(folder)
    return [Row(folder / image, label, columns=cells.get(image, {})) for image, label in images]


def faces_in(places: Sequence[Path]) -> list[Row]:
    """Return pictures that are asked about; in place of a folder those below it.

    Raises:
        DataNotFoundError: a place does not exist, or no picture is found.
        ManifestError: landmarks beside them cannot be read.
    """
    rows = []
    for place in places:
        folder = place if place.is_dir() else place.parent
        cells = _landmarks_beside(folder)
        rows += [
            Row(path, columns=cells.get(path.relative_to(folder).as_posix(), {}))
            for path in list_pictures([place])
        ]
    return rows


def strangers_of(manifest: Manifest, gallery: Sequence[str]) -> Strangers:
    """Return the people of a run's calibration rows, else of its val rows, outside of a gallery.

    Those whom the network learned are left out: it holds them away from everyone else, and a
    threshold set on them would let strangers pass.
    """
    split = "calibration" if len(manifest.numbers("calibration")) else "val"
    labels = manifest.rows["label"]
    learned = set(labels[manifest.numbers("train")])
    outside = ~labels.isin({*learned, *gallery}) & (manifest.rows["split"] == split)
    rows = [manifest.row(int(number)) for number in np.flatnonzero(outside)]
    return Strangers(rows, labels[outside].nunique(), split)


def enrol_people(
    predictor: Predictor, rows: Sequence[Row], strangers: Strangers, false_rate: float
) -> GalleryFile:
    """Return the gallery of the people in `rows`, its threshold set on `strangers`.

    The threshold holds for this gallery: among more people a stranger finds somebody more alike.

    Args:
        predictor: of the run.
        rows: of the people, labelled.
        strangers: pictures of others.
        false_rate: of strangers' pictures that may be taken for somebody (FPIR).

    Raises:
        ManifestError: strangers are too few for the rate, or some faces are aligned and some not.
        ImageError: a picture cannot be read.
    """
    check_strangers(strangers, false_rate)
    aligned = _all_aligned([*rows, *strangers.rows], predictor)
    people, numbers = np.unique([row.label for row in rows], return_inverse=True)
    gallery = Gallery.of(embed(predictor, rows), numbers)
    nearest = gallery.similarities(embed(predictor, strangers.rows)).max(axis=1)
    return GalleryFile(
        network=predictor.digest,
        people=tuple(people.tolist()),
        pictures=tuple(np.bincount(numbers).tolist()),
        templates=gallery.templates,
        aligned=aligned,
        threshold=threshold_for(nearest, false_rate),
        false_rate=false_rate,
        strangers=(strangers.people, len(strangers.rows)),
        split=strangers.split,
    )


def check_strangers(strangers: Strangers, false_rate: float) -> None:
    """Refuse to set a threshold on too few people.

    Raises:
        ManifestError: they are too few.
    """
    if enough_strangers(strangers.people, false_rate):
        return
    needed = int(np.ceil(1 / false_rate * (1 - 1e-9)))
    raise ManifestError(
        f"the run kept {strangers.people} people in {strangers.split!r} who are neither learned "
        f"nor in the gallery; to take at most {false_rate:g} of strangers' pictures for somebody, "
        f"{needed} are needed. Give a higher --fpir, or train with more people held out: "
        "--set task.use=verification --set split.calibration=SHARE"
    )


def identify_faces(predictor: Predictor, gallery: GalleryFile, rows: Sequence[Row]) -> pd.DataFrame:
    """Return who is in each picture: image, person, likeness, nearest, and error.

    The person is `UNKNOWN` under the threshold, and None where a picture could not be read. The
    nearest is the one of the gallery that it is most alike, strangers included.

    Raises:
        StoreError: the gallery is of another network.
        ManifestError: some faces are aligned and some not.
    """
    if gallery.network != predictor.digest:
        raise StoreError(
            f"the gallery was made by network {gallery.network}, and the run has "
            f"{predictor.digest}: their embeddings cannot be compared. Enrol again with this run"
        )
    if _all_aligned(rows, predictor) != gallery.aligned:
        raise ManifestError(
            f"the gallery is {'' if gallery.aligned else 'not '}aligned by landmarks, and these "
            f"faces are {'not' if gallery.aligned else ''}; give all of them five landmarks in "
            f"{FILE} beside the pictures, or none"
        )
    answers = predictor.answer(list(rows), embeddings=True)
    vectors = answers.embeddings
    readable = np.array([not error for error in answers.errors])
    likenesses = np.full((len(rows), len(gallery.people)), np.nan, np.float32)
    if vectors is not None and readable.any():
        known = Gallery(np.arange(len(gallery.people)), gallery.templates)
        likenesses[readable] = known.similarities(vectors[readable])
    names = np.full((len(rows), 2), None, dtype=object)
    names[readable, 0] = gallery.name(likenesses[readable])
    names[readable, 1] = [gallery.people[n] for n in likenesses[readable].argmax(axis=1)]
    return pd.DataFrame(
        {
            "image": answers.names,
            "person": names[:, 0],
            "likeness": likenesses.max(axis=1),
            "nearest": names[:, 1],
            "error": answers.errors,
        }
    )


def embed(predictor: Predictor, rows: Sequence[Row]) -> NDArray[np.float32]:
    """Return the embeddings (n, D) of pictures.

    Raises:
        ImageError: some cannot be read.
    """
    answers = predictor.answer(list(rows), embeddings=True)
    if broken := [error for error in answers.errors if error]:
        raise ImageError(f"{len(broken)} picture(s) cannot be read: " + "; ".join(broken[:_SHOWN]))
    if answers.embeddings is None:
        raise ValueError("embeddings were asked for")
    return answers.embeddings


def _landmarks_beside(folder: Path) -> dict[str, dict[str, float]]:
    """Return the landmarks that lie in a folder, by the picture's path below it."""
    path = folder / FILE
    if not path.is_file():
        return {}
    table = read_landmarks(path)
    return {
        str(image): dict(zip(COLUMNS, cells, strict=True))
        for image, *cells in table.itertuples(name=None)
    }


def _all_aligned(rows: Sequence[Row], predictor: Predictor) -> bool:
    """Say whether faces are aligned.

    Raises:
        ManifestError: some are, and some are not.
    """
    if not getattr(predictor.recipe.task, "align", False):
        return False
    with_points = [points_of(row.columns) is not None for row in rows]
    if any(with_points) and not all(with_points):
        bare = str(rows[with_points.index(False)].path)
        raise ManifestError(
            f"{with_points.count(False)} of {len(rows)} faces have no landmarks, first {bare!r}; "
            f"aligned faces and others cannot be compared. Give all of them five in {FILE} beside "
            "the pictures"
        )
    return all(with_points)
