"""`transfer runs`, `transfer ui` and `transfer store`."""

import math
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

Command = Callable[..., Any]


def run(name: str, val: float = math.nan, **columns: object) -> dict[str, object]:
    """Return a row of the list of runs, as the store tells it."""
    row = {
        "name": name, "task": "pets", "backbone": "resnet18", "strategy": "probe", "val": val,
        "val_low": math.nan, "val_high": math.nan, "test": math.nan, "test_low": math.nan,
        "test_high": math.nan, "images_per_second": math.nan,
        "started": pd.Timestamp("2026-05-04 13:14:15", tz="UTC"), "status": "FINISHED",
        "run_id": f"{name}0123456789", "parent": "", "audit": "clean",
    }  # fmt: skip
    return row | columns


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the store hold these runs."""

    def keep(*runs: dict[str, object]) -> None:
        monkeypatch.setattr("transfer.tracking.runs.list_runs", lambda _: pd.DataFrame(runs))

    return keep


def names(typed: Any) -> list[str]:
    """Return the first column of the table that was printed."""
    assert typed.code == 0
    table = typed.out.partition("\n\n")[0].splitlines()
    return [line.split()[0] for line in table[1:]]


def test_the_best_on_val_comes_first_and_what_has_no_score_last(
    command_line: Command, stored: Callable[..., None]
) -> None:
    stored(run("bad", 0.5), run("none"), run("good", 0.9))
    assert names(command_line("runs")) == ["good", "bad", "none"]


@pytest.mark.parametrize(
    ("column", "expected"),
    [("name", ["a", "b"]), ("test", ["a", "b"]), ("started", ["b", "a"])],
)
def test_another_column_may_rank(
    command_line: Command, stored: Callable[..., None], column: str, expected: list[str]
) -> None:
    later = pd.Timestamp("2026-06-01", tz="UTC")
    stored(run("b", 0.9, test=0.2, started=later), run("a", 0.5, test=0.8))
    assert names(command_line("runs", "--sort", column)) == expected


def test_a_run_shows_its_scores_with_intervals_its_speed_and_when(
    command_line: Command, stored: Callable[..., None]
) -> None:
    interval = {"test": 0.8126, "test_low": 0.7, "test_high": 0.9}
    stored(run("mine", 0.75, **interval, images_per_second=1234.4, status="KILLED"))
    line = command_line("runs").out.splitlines()[1]
    assert " ".join(line.split()) == (
        "mine 0.750 0.813 [0.700, 0.900] 1,234 killed pets resnet18 probe 2026-05-04 13:14 mine0123"
    )


def test_parts_of_a_run_are_left_out_and_counted_unless_asked_for(
    command_line: Command, stored: Callable[..., None]
) -> None:
    stored(run("folds", 0.8), *(run(f"fold-{n}", 0.9, parent="folds01") for n in range(3)))
    assert names(command_line("runs")) == ["folds"]
    assert "3 run(s) that are part of another; --nested" in command_line("runs").out
    assert len(names(command_line("runs", "--nested"))) == 4
    assert "left out" not in command_line("runs", "--nested").out


def test_filters_narrow_the_list_and_add_up(
    command_line: Command, stored: Callable[..., None]
) -> None:
    stored(
        run("one", task="pets"), run("two", task="cars"), run("three", task="cars", backbone="vgg")
    )
    assert names(command_line("runs", "--filter", "task=car")) == ["two", "three"]
    both = command_line("runs", "--filter", "task=car", "--filter", "backbone=resnet")
    assert names(both) == ["two"]


def test_what_is_wrong_with_the_rows_of_a_run_stands_beside_its_scores(
    command_line: Command, stored: Callable[..., None]
) -> None:
    stored(run("one"), run("two"))
    assert "audit" not in command_line("runs").out
    stored(run("one"), run("two", audit="leaks allowed: 1 group"))
    lines = command_line("runs").out.splitlines()
    assert ["leaks allowed: 1 group" in line for line in lines[1:3]] == [
        "two" in lines[1],
        "two" in lines[2],
    ]


def test_no_run_says_what_to_do(command_line: Command, stored: Callable[..., None]) -> None:
    stored(run("one"))
    typed = command_line("runs", "--filter", "task=nothing")
    assert typed.code == 0
    assert "next: transfer demo" in typed.out


def test_a_folder_without_a_store_has_no_runs(
    command_line: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    typed = command_line("runs", "--store", tmp_path / "nothing")
    assert (typed.code, typed.out.partition(" ")[0]) == (0, "no")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["--sort", "--filter"])
def test_an_unknown_column_is_refused_with_the_known_ones(
    command_line: Command, option: str
) -> None:
    typed = command_line("runs", option, "accuracy=1" if option == "--filter" else "accuracy")
    assert typed.code == 2
    assert typed.err.startswith("error      no column 'accuracy' in the list of runs; it has name,")


def test_a_filter_without_a_text_is_refused(command_line: Command) -> None:
    typed = command_line("runs", "--filter", "task")
    assert typed.code == 2
    assert "--filter 'task': write --filter COLUMN=TEXT" in typed.err


def test_pages_of_a_server_are_where_it_says(command_line: Command) -> None:
    typed = command_line("ui", "--tracking-uri", "http://user:secret@runs.example.org:5000")
    assert typed.code == 0
    assert "http://runs.example.org:5000" in typed.out
    assert "secret" not in typed.out


def test_a_port_that_is_taken_is_said_with_another(command_line: Command, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        typed = command_line("ui", "--port", port, "--store", tmp_path)
    assert typed.code == 2
    assert f"port {port} of 127.0.0.1 cannot be used" in typed.err
    assert f"--port {port + 1}" in typed.err


def test_sync_says_how_many_runs_were_sent_and_where(
    command_line: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transfer.tracking.sync.sync", lambda *_: 3)
    typed = command_line("store", "sync", "--tracking-uri", "http://runs.example.org")
    assert typed == (0, "sent       3 run(s) to http://runs.example.org\n", "")


def test_an_address_that_is_none_is_refused(command_line: Command) -> None:
    typed = command_line("runs", "--tracking-uri", "localhost:5000")
    assert typed.code == 2
    assert "is no http://host:port and no database" in typed.err
