from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from tasks.driving_objects.adapter import read_manifest
from tasks.driving_objects.road import HEIGHT, WIDTH
from tasks.driving_objects.samples import write_samples
from tasks.driving_objects.settings import Settings
from tasks.driving_objects.shapes import DRAW
from transfer.plugin.task import read_row


def _bytes(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def drives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "drives"
    write_samples(folder, 160, seed=0)
    return folder


def test_the_same_seed_gives_the_same_bytes_and_a_smaller_count_the_first_of_them(
    tmp_path: Path, drives: Path
) -> None:
    write_samples(tmp_path / "a", 12, seed=0)
    assert _bytes(tmp_path / "a").items() <= _bytes(drives).items()
    write_samples(tmp_path / "b", 12, seed=1)
    pictures = {name for name in _bytes(tmp_path / "a") if name.endswith(".png")}
    other = _bytes(tmp_path / "b")
    assert all(other.get(name) != _bytes(tmp_path / "a")[name] for name in pictures)


@pytest.mark.parametrize("count", [1, 3, 7])
def test_the_count_of_objects_is_met(tmp_path: Path, count: int) -> None:
    write_samples(tmp_path / "drives", count, seed=0)
    lines = [line for path in tmp_path.rglob("*.txt") for line in path.read_text().splitlines()]
    assert len(lines) == count


def test_classes_come_alike_in_several_sizes_cut_off_and_hidden(drives: Path) -> None:
    rows = read_manifest(drives, Settings()).rows
    assert len(rows) == 160
    assert set(rows["label"]) == set(DRAW)
    assert min(Counter(rows["label"]).values()) > 20
    heights = np.array([box.bottom - box.top for box in rows["box"]])
    assert [(heights < 25).mean() > 0.1, (heights > 40).mean() > 0.3] == [True, True]
    assert (rows["truncated"].astype(float) > 0.15).sum() > 8
    assert (rows["occluded"].astype(int) > 0).sum() > 8


def test_most_frames_show_several_objects_all_of_them_within_it(drives: Path) -> None:
    rows = read_manifest(drives, Settings()).rows
    assert rows.groupby("image").size().mean() > 1.5
    edges = np.array(rows["box"].tolist())
    assert edges.min() >= 0
    assert edges[:, [0, 2]].max() <= WIDTH
    assert edges[:, [1, 3]].max() <= HEIGHT


def test_a_box_is_where_the_object_was_drawn(drives: Path) -> None:
    manifest = read_manifest(drives, Settings())
    frames = manifest.rows.groupby("image")
    alone = next(part.index[0] for _, part in frames if len(part) == 1)
    box, path = manifest.rows["box"][alone], manifest.row(int(alone)).path
    frame = cv2.imread(str(path)).astype(float)
    left, top, right, bottom = map(round, box)
    inside = frame[top:bottom, left:right].reshape(-1, 3).std(axis=0).mean()
    road = frame[-8:, :40].reshape(-1, 3).std(axis=0).mean()
    assert inside > road
    assert read_row(manifest.row(int(alone)), Settings(margin=0)).shape[0] >= bottom - top


def test_a_drive_shows_the_same_objects_again_a_moment_later(drives: Path) -> None:
    rows = read_manifest(drives, Settings()).rows.assign(
        moment=lambda rows: rows["image"].str[-10:-4].astype(int)
    )
    for _, drive in rows.groupby("group"):
        first, second = (drive[drive["moment"] == moment] for moment in (0, 1))
        assert first["label"].tolist()[: len(second)] == second["label"].tolist()
        assert len(second) >= 1
