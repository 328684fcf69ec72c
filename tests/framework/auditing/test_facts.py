from pathlib import Path

import numpy as np
from PIL import Image

from transfer.auditing.facts import FileFacts, held_out_folds, read_facts, shortcut
from transfer.samples.manifest import Row

LABELS = np.repeat([0, 1], 40)
ALONE = np.arange(80)
DARK = np.full(80, 0.5)


def facts(widths: list[int]) -> list[FileFacts]:
    return [FileFacts(width, 10, 100, "PNG", "RGB") for width in widths]


def test_facts_are_read_from_the_head_of_a_file(tmp_path: Path) -> None:
    Image.new("L", (30, 20)).save(tmp_path / "a.jpg")
    found = read_facts(Row(tmp_path / "a.jpg"), (9, 9))
    assert found == FileFacts(30, 20, (tmp_path / "a.jpg").stat().st_size, "JPEG", "L")
    (tmp_path / "b.dcm").write_bytes(b"no picture")
    assert read_facts(Row(tmp_path / "b.dcm"), (9, 8)) == FileFacts(9, 8, 10, "DCM", "")
    assert read_facts(Row(tmp_path / "a.jpg", box=(1, 2, 6, 10)), (9, 9))[:2] == (5, 8)


def test_a_size_of_its_own_gives_a_class_away() -> None:
    found = shortcut(facts([10] * 40 + [20] * 40), DARK, LABELS, ALONE, seed=0)
    assert found is not None
    assert (found.score, found.risk) == (1.0, "high")
    assert found.of_facts == {"width": 1.0}
    assert 0.3 < found.chance < 0.7


def test_facts_that_say_nothing_are_no_risk() -> None:
    widths = np.random.default_rng(0).integers(10, 99, 80).tolist()
    found = shortcut(facts(widths), DARK, LABELS, ALONE, seed=0)
    assert found is not None
    assert found.risk == "low"
    same = shortcut(facts([10] * 80), DARK, LABELS, ALONE, seed=0)
    assert same is not None
    assert (same.score, same.of_facts) == (0.5, {})


def test_what_only_names_a_group_gives_nothing_away() -> None:
    groups = np.repeat(np.arange(8), 10)  # each of a width of its own, four of each class
    found = shortcut(facts((10 + groups * 7 % 8).tolist()), DARK, LABELS, groups, seed=0)
    assert found is not None
    assert found.score < 0.9  # rows of one group in two folds would make it 1
    assert shortcut(facts([10] * 80), DARK, LABELS, LABELS, seed=0) is None


def test_no_fold_divides_a_group() -> None:
    groups = np.repeat(np.arange(16), 5)
    for fitted, held_out in held_out_folds(LABELS, groups, seed=0):
        assert not set(groups[fitted]) & set(groups[held_out])
