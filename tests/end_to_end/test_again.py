"""The same again, a little different, or from where an earlier run ended."""

import hashlib
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

import transfer
from transfer.progress import Silent
from transfer.start import Request, plan_for

pytestmark = pytest.mark.slow

Command = Callable[..., Any]
LOOK = ("train/loss", "train/lr", "epoch/accuracy", "epoch/log_loss")


def weights_digest(kept: Any) -> str:
    return hashlib.sha256((kept.model / "network.safetensors").read_bytes()).hexdigest()


def split_of(first: Any, data: Path, moved: Mapping[str, Any], **changes: Any) -> dict[str, str]:
    """Return row key -> split as a run would have it."""
    shares = {"val": 0.25, "test": 0.25}
    everyday = {"weights": "starter", "seed": changes.pop("seed", None)}
    request = Request(
        first.task,
        data,
        everyday,
        settings={"split": {**shares, **moved}},
        out=first.out,
        **changes,
    )
    rows = plan_for(request, first.store, Silent()).manifest.rows
    return rows.set_index("key")["split"].to_dict()


def contents(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize("workers", [0, 2])
def test_its_recipe_replays_a_run_whoever_reads_the_pictures(
    first: Any, kept: Callable[[str], Any], workers: int
) -> None:
    result = transfer.fit(
        first.task,
        first.data,
        recipe=kept(first.name).file("recipe.json"),
        settings={"machine": {"workers": workers}},
        name=f"again with {workers}",
        out=first.out,
    )
    again = kept(result.name)
    assert result.digest == first.result.digest
    assert (result.val, result.test) == (first.result.val, first.result.test)
    assert weights_digest(again) == weights_digest(kept(first.name))
    # The kept weights may be those of the probe: training has to be the same as well.
    for name in LOOK:
        assert again.history(name) == kept(first.name).history(name)


def test_a_second_run_of_the_same_name_gets_a_number(first: Any, command_line: Command) -> None:
    typed = command_line(
        "fit", first.task, "--data", first.data, "--weights", "starter", "--strategy", "probe",
        "--name", first.name, "--out", first.out,
    )  # fmt: skip
    assert typed.code == 0
    assert f"run        {first.name}-2 (" in typed.out
    again = command_line("predict", f"{first.name}-2", first.data, "--store", first.out)
    assert again.code == 0


def test_another_seed_leaves_the_split_alone_and_split_seed_moves_it(
    first: Any, kept: Callable[[str], Any]
) -> None:
    before = kept(first.name).split()
    assert split_of(first, first.data, {}, seed=1) == before
    moved = split_of(first, first.data, {"seed": 1})
    assert moved.keys() == before.keys()
    assert moved != before


def test_rows_stay_where_they_were_when_files_are_added(
    first: Any, kept: Callable[[str], Any], tmp_path: Path
) -> None:
    before = kept(first.name).split()
    more = first.draw(tmp_path / "more", 110)
    after = split_of(first, more, {"seed": 1}, split=first.name)
    assert len(after) == 110
    assert {key: after[key] for key in before} == before
    assert {after[key] for key in after.keys() - before.keys()} <= {"train", "val", "test"}
    dealt_anew = split_of(first, more, {})
    assert {key: dealt_anew[key] for key in before} != before


def test_a_dry_run_writes_nothing(
    first: Any, command_line: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    source, target = sqlite3.connect(first.store.database), sqlite3.connect("runs/mlflow.db")
    with closing(source), closing(target):
        source.backup(target)
    (tmp_path / "runs" / "store.lock").touch()  # every store has one that was ever opened
    before = contents(tmp_path)
    for out, options, name in (
        ("new", (), f"as {first.name!r}"),
        ("runs", ("--split", first.name), f"as '{first.name}-"),
    ):
        typed = command_line(
            "fit", first.task, "--data", first.data, "--weights", "starter", "--name", first.name,
            "--out", out, "--dry-run", *options,
        )  # fmt: skip
        assert typed.code == 0
        assert name in typed.out
        assert f"into {out}; nothing was trained or written" in typed.out
    assert contents(tmp_path) == before


def test_a_run_starts_from_the_network_of_an_earlier_one(
    first: Any,
    kept: Callable[[str], Any],
    command_line: Command,
    class_folders: Callable[..., Path],
) -> None:
    other_domain = class_folders({"cat": 12, "dog": 12})
    typed = command_line(
        "fit", "labelled_images", "--data", other_domain, "--weights", first.name,
        "--strategy", "probe", "--size", 64, "--name", "next domain", "--out", first.out,
    )  # fmt: skip
    assert typed.code == 0
    second = kept("next domain")
    assert second.run.tags["transfer.weights"] == f"run {first.name}"
    old, new = (load_file(run.model / "network.safetensors") for run in (kept(first.name), second))
    backbone = [name for name in old if name.startswith("backbone.")]
    assert len(backbone) > 50
    assert all((old[name] == new[name]).all() for name in backbone)  # a probe moves none of it
    assert new["head.weight"].shape[0] == 2
