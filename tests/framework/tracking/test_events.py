import math

import pytest

from transfer.errors import StoreError
from transfer.tracking.events import (
    Event,
    Finished,
    Kept,
    ModelKept,
    Numbers,
    Read,
    Started,
    Tagged,
    from_line,
    to_line,
)
from transfer.tracking.tracker import DataInput, RunDescription


@pytest.mark.parametrize(
    "event",
    [
        Started(
            destination="http://host", run=RunDescription("demo", "näme", {"a": "1"}, {"b": "\n"})
        ),
        Tagged(tags={"a": "b"}),
        Numbers(step=3, values={"train/loss": 0.1, "val/kappa": -1 / 3}),
        Read(inputs=(DataInput("chips", "train", "0123456789abcdef", "data/chips", 7, 2),)),
        Kept(path="figures/a b.png"),
        ModelKept(),
        Finished(status="KILLED"),
    ],
    ids=lambda event: event.kind,
)
def test_an_event_comes_back_from_its_one_line_as_it_was(event: Event) -> None:
    line = to_line(event)

    assert from_line(line) == event
    assert line.count(b"\n") == 1


def test_a_loss_that_is_no_number_stays_no_number() -> None:
    back = from_line(to_line(Numbers(step=0, values={"a": math.nan, "b": math.inf})))

    assert isinstance(back, Numbers)
    assert math.isnan(back.values["a"])
    assert back.values["b"] == math.inf


def test_half_a_line_is_no_event() -> None:
    line = to_line(Tagged(tags={"a": "b"}))

    assert from_line(line[: len(line) // 2]) is None


def test_a_line_of_another_version_is_refused_with_its_text() -> None:
    with pytest.raises(StoreError, match="renamed"):
        from_line(b'{"kind": "renamed", "time": 1}')
