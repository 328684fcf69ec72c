"""`transfer export`, `report` and `promote`, with what they call standing in for itself."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from transfer.exporting.export import Export, Exported, Order
from transfer.promotion.promote import Promoted

Command = Callable[..., Any]


@pytest.fixture
def ordered(monkeypatch: pytest.MonkeyPatch) -> list[Order]:
    """What was ordered of an exporter that writes nothing."""
    orders: list[Order] = []

    def export(order: Order, store: object, progress: object) -> Export:
        orders.append(order)
        files = (
            Exported("onnx", "model.onnx", 44.75, 1e-6, None, {1: 20.04, 32: 400.0}),
            Exported("onnx int8", "model.int8.onnx", 11.2, 0.1, 0.0125, {1: 9.0, 32: 200.0}),
        )
        return Export(Path("a run-exported"), files, "39 of its val rows", "accuracy")

    monkeypatch.setattr("transfer.exporting.export.export", export)
    return orders


def test_an_export_prints_what_each_file_weighs_says_and_takes(
    command_line: Command, ordered: list[Order]
) -> None:
    typed = command_line("export", "a run", "--to", "onnx", "--to", "onnx", "--int8")
    assert typed.code == 0
    assert ordered == [Order("a run", ("onnx",), None, int8=True)]
    assert "wrote      a run-exported, with card.json" in typed.out
    assert "held against the run on 39 of its val rows" in typed.out
    table = [line.split() for line in typed.out.splitlines() if "model." in line]
    assert table == [
        ["onnx", "model.onnx", "44.8", "1e-06", "20.0", "400.0"],
        ["onnx", "int8", "model.int8.onnx", "11.2", "1e-01", "+0.0125", "9.0", "200.0"],
    ]


def test_nothing_is_said_to_be_lost_where_nothing_is_of_eight_bits(
    command_line: Command, ordered: list[Order]
) -> None:
    assert "lost" in command_line("export", "run", "--to", "onnx", "--int8").out
    assert "lost" not in command_line("export", "run", "--to", "onnx").out


def test_pictures_of_a_sensitive_task_stay_out_unless_they_are_let_in(
    command_line: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shown: list[bool] = []
    run, task = SimpleNamespace(experiment="faces", name="a/b"), SimpleNamespace(sensitive=True)
    monkeypatch.setattr("transfer.tracking.runs.find_run", lambda *_: run)
    monkeypatch.setattr("transfer.plugin.discovery.load_task", lambda _: task)
    monkeypatch.setattr(
        "transfer.reporting.gathered.gather", lambda *_, show_images: shown.append(show_images)
    )
    monkeypatch.setattr("transfer.reporting.page.as_page", lambda _: "<p>é")
    monkeypatch.chdir(tmp_path)
    assert "--show-images lets them in" in command_line("report", "a/b").out
    assert (tmp_path / "a-b.html").read_text(encoding="utf-8") == "<p>é"
    command_line("report", "a/b", "--show-images", "--html", tmp_path / "own.html")
    assert shown == [False, True]
    assert command_line("report", "a/b", "--html", "page.pdf").code == 2


@pytest.mark.parametrize(("forced", "word"), [(True, "forced"), (False, "why")])
def test_a_promotion_says_why_and_how_it_is_loaded(
    command_line: Command, monkeypatch: pytest.MonkeyPatch, *, forced: bool, word: str
) -> None:
    done = Promoted("pets", "champion", "3", "a run", "the reason", forced)
    monkeypatch.setattr("transfer.promotion.promote.promote", lambda *_, **__: done)
    lines = command_line("promote", "a run", "--as", "champion").out.splitlines()
    assert lines[0].split(maxsplit=1) == [word, "the reason"]
    assert "a run is version 3 of pets" in lines[1]
    assert "transfer predict champion:pets PICTURE" in lines[2]
    assert "mlflow.pyfunc.load_model('models:/pets@champion')" in lines[3]
