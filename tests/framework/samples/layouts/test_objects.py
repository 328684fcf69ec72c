from pathlib import Path

import pytest

from transfer.errors import DataNotFoundError, ManifestError
from transfer.images.crop import Box
from transfer.samples.layouts.objects import (
    Annotations,
    Files,
    Object,
    make_box,
    read_lines,
    split_of_folders,
)
from transfer.samples.target import SINGLE_LABEL, Labelling, TargetKind
from transfer.settings import ObjectSettings

FILES = Files(Path("data"), ["a.jpg", "b.jpg", "b.png"])


def annotations(*boxes: Box) -> Annotations:
    things = [Object("a.jpg", "xy"[number % 2], box, {}) for number, box in enumerate(boxes)]
    return Annotations("COCO", {"a.jpg": ""}, things)


def test_small_objects_are_left_out_and_counted() -> None:
    said = annotations(*(Box(0, 0, 20, side) for side in (20, 8, 7.9, 0)))
    manifest = said.manifest(FILES, SINGLE_LABEL, ObjectSettings(min_size=8))
    assert len(manifest) == 2
    assert manifest.notes[0].startswith("left out 2 of 4 objects whose box has a side under 8 px")
    # A box without any pixel shows nothing, whatever is asked for.
    assert len(said.manifest(FILES, SINGLE_LABEL, ObjectSettings(min_size=0))) == 3


def test_nothing_left_says_why() -> None:
    said = annotations(Box(0, 0, 4, 4))
    with pytest.raises(DataNotFoundError, match=r"no object is left of 'data' .*left out 1 of 1"):
        said.manifest(FILES, SINGLE_LABEL, ObjectSettings())


def test_an_object_has_one_class() -> None:
    labelling = Labelling(TargetKind.MULTI_LABEL)
    with pytest.raises(ManifestError, match="COCO boxes, where an object has one class"):
        annotations(Box(0, 0, 9, 9)).manifest(FILES, labelling, ObjectSettings())


def test_many_mistakes_are_shortened() -> None:
    said = annotations(Box(0, 0, 9, 9))
    said.mistakes = [f"mistake {number}" for number in range(7)]
    with pytest.raises(ManifestError) as caught:
        said.manifest(FILES, SINGLE_LABEL, ObjectSettings())
    assert str(caught.value).splitlines()[-2:] == ["  mistake 4", "  and 2 more"]


def test_a_picture_is_found_by_its_stem() -> None:
    assert FILES.picture(["c", "a"]) == "a.jpg"
    assert FILES.picture(["c"]) is None
    with pytest.raises(ManifestError, match=r"\['b.jpg', 'b.png'\] differ in their suffix only"):
        FILES.picture(["b"])


@pytest.mark.parametrize(
    "edges", [(0, 0, 1), (0, 0, "x", 1), (0, 0, float("nan"), 1), (0, 0, None, 1)]
)
def test_a_box_is_four_numbers(edges: tuple[object, ...]) -> None:
    with pytest.raises(ManifestError, match="is no four numbers"):
        make_box(edges)


def test_edges_are_rounded_to_a_thousandth() -> None:
    assert make_box((240.54 + 57.75, "1.0", 400, 3)) == Box(298.29, 1, 400, 3)


def test_the_innermost_folder_names_the_split() -> None:
    assert split_of_folders("test/cars/Training/a.xml") == "train"
    assert split_of_folders("train.xml") == ""


def test_text_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
    with pytest.raises(ManifestError, match="cannot be read"):
        read_lines(tmp_path / "a.txt")
