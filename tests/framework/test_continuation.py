"""What a run leaves behind so that it can be continued, and what must be the same then."""

from pathlib import Path

import pandas as pd
import pytest

from transfer.continuation import Card, Continuation, check_data
from transfer.errors import CheckpointError, OutputError
from transfer.network.backbone import Normalization
from transfer.samples.manifest import Manifest

KEYS = ["a", "b", "c", "d"]


def manifest(keys: list[str]) -> Manifest:
    """Rows that are named by their contents, in the order of their files."""
    rows = pd.DataFrame(
        {
            "image": [f"{number}.png" for number in range(len(keys))],
            "label": ["dog" if key in "bd" else "cat" for key in keys],
            "split": ["val" if key in "cd" else "train" for key in keys],
            "key": keys,
        }
    )
    return Manifest(Path("pets"), rows, ("cat", "dog"))


@pytest.fixture
def card() -> Card:
    return Card(
        version="1",
        task="pets",
        name="first",
        data="/pets",
        digest=manifest(KEYS).digest(),
        recipe={},
        decisions={"machine": {"threads": 2}},
        weights="starter",
        normalization=Normalization((0.5,), (0.2,)),
        log_pictures=True,
        parent=None,
    )


@pytest.fixture
def begun(card: Card, tmp_path: Path) -> Continuation:
    return Continuation.begin(tmp_path / "run", card, manifest(KEYS))


def test_the_same_rows_go_on(begun: Continuation, card: Card) -> None:
    check_data(card, manifest(KEYS), begun.splits())


def test_a_row_that_is_gone_or_new_is_told(begun: Continuation, card: Card) -> None:
    with pytest.raises(CheckpointError, match=r"1 row\(s\) are new, 2 are gone"):
        check_data(card, manifest(["a", "b", "e"]), begun.splits())


def test_the_same_rows_in_another_order_are_refused(begun: Continuation, card: Card) -> None:
    renamed = manifest(["b", "a", "c", "d"])
    assert renamed.digest() == card.digest  # names are no part of the data
    with pytest.raises(CheckpointError, match="new names put them into another order"):
        check_data(card, renamed, begun.splits())


def test_what_was_found_by_trial_lies_over_the_recipe(begun: Continuation, card: Card) -> None:
    begun.decide("lr", 0.003)
    assert begun.card().layers()[-1].changes == {"machine": {"threads": 2}, "lr": 0.003}
    assert begun.card().recipe == card.recipe


def test_a_find_that_cannot_be_written_is_told(begun: Continuation) -> None:
    (begun.folder / "incoming_card").mkdir()
    with pytest.raises(OutputError, match="cannot write to .*; free some space"):
        begun.decide("lr", 0.003)
    assert "lr" not in begun.card().decisions
