"""`transfer predict` and `transfer evaluate`, with a network that is none."""

import errno
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from transfer.scoring.intervals import Score

Command = Callable[..., Any]


class Predictor:
    """Says "cat" of every file, but for those with "broken" in their name."""

    task = "labelled_images"

    def predict(self, paths: Sequence[Path], progress: object) -> pd.DataFrame:
        broken = np.array(["broken" in path.name for path in paths])
        return pd.DataFrame(
            {
                "image": [str(path) for path in paths],
                "prediction": np.where(broken, None, np.array("cat", dtype=object)),
                "probability": np.where(broken, np.nan, 0.75).astype(np.float32),
                "p_cat": np.where(broken, np.nan, 0.75).astype(np.float32),
                "p_dog": np.where(broken, np.nan, 0.25).astype(np.float32),
                "error": np.where(broken, "is empty (0 bytes)", ""),
            }
        )


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object, object]]:
    """Load that network in place of any run; remember which was asked for."""
    asked: list[tuple[str, object, object]] = []

    def load(run: str, *, store: object, tracking_uri: object) -> Predictor:
        asked.append((run, store, tracking_uri))
        return Predictor()

    monkeypatch.setattr("transfer.shipping.predictor.load", load)
    return asked


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "new pictures é"
    folder.mkdir()
    for name in ("[draft] a.png", "broken.png", "z.jpg"):
        (folder / name).touch()
    (folder / "notes.txt").touch()
    return folder


def test_each_picture_gets_its_class_or_its_error(
    command_line: Command, loaded: list[tuple[str, object, object]], files: Path
) -> None:
    typed = command_line("predict", "my run", files, "--store", "runs")
    assert typed.code == 0
    assert loaded == [("my run", Path("runs"), None)]
    lines = [" ".join(line.split()) for line in typed.out.splitlines()]
    assert lines == [
        "prediction probability image error",
        f"cat 0.750 {files}/[draft] a.png",
        f"{files}/broken.png is empty (0 bytes)",
        f"cat 0.750 {files}/z.jpg",
    ]
    said = "left aside 1 file(s) that are no pictures (.txt); files that are named themselves are"
    assert said in " ".join(typed.err.split())


def test_errors_have_a_column_only_where_there_are_some(command_line: Command, files: Path) -> None:
    (files / "broken.png").unlink()
    typed = command_line("predict", "my run", files)
    assert typed.out.split("\n")[0].split() == ["prediction", "probability", "image"]


def test_of_many_pictures_the_first_are_shown_and_the_rest_counted(
    command_line: Command, tmp_path: Path
) -> None:
    for number in range(25):
        (tmp_path / f"{number:02}.png").touch()
    typed = command_line("predict", "my run", tmp_path)
    assert len(typed.out.splitlines()) == 1 + 20 + 1
    assert "and 5 more; take --out TABLE.csv for all of it" in typed.out


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_holds_every_probability(
    command_line: Command, files: Path, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"said é{suffix}"
    typed = command_line("predict", "my run", files, "--out", out)
    assert typed.code == 0
    assert f"wrote      3 rows (1 unreadable) to {out}" in typed.out
    table = pd.read_csv(out) if suffix == ".csv" else pd.read_parquet(out)
    assert table.columns.tolist() == [
        "image", "prediction", "probability", "p_cat", "p_dog", "error",
    ]  # fmt: skip
    assert table["p_dog"].isna().tolist() == [False, True, False]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new pictures é", out.name]


def fill_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a disk be full after the first bytes of a table."""

    def write(_: object, path: Path, **__: object) -> None:
        path.write_bytes(b"half a ta")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", write)
    monkeypatch.setattr(pd.DataFrame, "to_parquet", write)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_full_disk_leaves_the_old_table_and_no_half_of_a_new_one(
    command_line: Command,
    files: Path,
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
) -> None:
    out = files / f"said{suffix}"
    out.write_text("old")
    fill_disk(monkeypatch)
    typed = command_line("predict", "my run", files, "--out", out)
    assert typed.code == 2
    assert f"error      cannot write {str(out)!r}: No space left on device" in typed.err
    assert out.read_text() == "old"
    assert not [path for path in files.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("place", ["z.jpg/said.csv", "no such folder/said.parquet", "folder.csv"])
def test_a_place_that_cannot_be_written_is_said(
    command_line: Command, files: Path, place: str
) -> None:
    (files / "folder.csv").mkdir()
    typed = command_line("predict", "my run", files / "z.jpg", "--out", files / place)
    assert typed.code == 2
    assert f"error      cannot write {str(files / place)!r}: " in typed.err


@pytest.mark.parametrize("command", ["predict", "evaluate"])
@pytest.mark.parametrize("name", ["said.txt", "said", "said.csv.gz"])
def test_a_table_of_no_known_kind_is_refused_before_a_network_is_loaded(
    command_line: Command,
    loaded: list[tuple[str, object, object]],
    files: Path,
    command: str,
    name: str,
) -> None:
    arguments = [files] if command == "predict" else ["--data", files]
    typed = command_line(command, "my run", *arguments, "--out", name)
    assert typed.code == 2
    assert f"--out {name!r}: a table is written as .csv or .parquet" in typed.err
    assert loaded == []


def test_files_that_are_not_there_are_named(command_line: Command, files: Path) -> None:
    typed = command_line("predict", "my run", files / "a.png", files, "nowhere")
    assert typed.code == 2
    assert f"no such file or folder: {str(files / 'a.png')!r}, 'nowhere'" in typed.err


def test_a_folder_without_pictures_is_refused(command_line: Command, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    typed = command_line("predict", "my run", tmp_path)
    assert typed.code == 2
    assert f"no pictures below {str(tmp_path)!r}" in typed.err


def test_scores_on_other_data_are_shown_with_their_intervals_and_written(
    command_line: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scores = {
        "accuracy": Score(0.75, 0.5, 0.875, ""),
        "ece": Score(0.125, None, None, "no interval"),
    }
    found = SimpleNamespace(rows=1234, scores=scores, table=lambda: pd.DataFrame({"score": [1]}))
    monkeypatch.setattr("transfer.shipping.evaluation.evaluate", lambda *_: found)
    out = tmp_path / "scores.csv"
    typed = command_line("evaluate", "my run", "--data", "other", "--out", out)
    assert typed.code == 0
    lines = [" ".join(line.split()) for line in typed.out.splitlines()]
    assert lines == [
        "judged 1,234 rows of other",
        "score value 95 % interval note",
        "accuracy 0.7500 [0.5000, 0.8750]",
        "ece 0.1250 no interval",
        f"wrote {out}",
    ]
    assert out.read_text() == "score\n1\n"
