import numpy as np
import pandas as pd
import pytest

from transfer.reporting.slices import slices_of
from transfer.samples.predictions import Predictions


@pytest.fixture
def said() -> Predictions:
    """A hundred rows, of which those with an even number are said right."""
    numbers = np.arange(100)
    probabilities = np.tile(np.array([0.9, 0.1], np.float32), (100, 1))
    keys = np.array([f"{n:03d}" for n in numbers])
    return Predictions(("a", "b"), keys, numbers, (numbers % 2).astype(np.int64), probabilities)


def test_each_kind_of_row_is_judged_by_itself_the_worst_first(said: Predictions) -> None:
    facts = pd.DataFrame({"site": np.where(np.arange(100) % 4 < 2, "x", "y"), "odd": "no"})
    facts.loc[np.arange(100) % 2 == 1, "odd"] = "yes"
    found = list(slices_of(said, facts))
    assert [(one.column, one.value, one.rows) for one in found if one.column == "odd"] == [
        ("odd", "yes", 50), ("odd", "no", 50),
    ]  # fmt: skip
    assert [one.right.value for one in found] == [0.5, 0.5, 0.0, 1.0]
    assert all(one.right.low is not None for one in found)


def test_numbers_are_cut_at_their_quartiles_and_names_are_no_kinds(said: Predictions) -> None:
    facts = pd.DataFrame({"height": np.arange(100.0), "file": said.keys.astype(object)})
    facts["file"] = "f" + facts["file"]
    facts.loc[:4, "height"] = np.nan
    found = list(slices_of(said, facts))
    assert {one.column for one in found} == {"height"}
    assert sum(one.rows for one in found) == 95
    assert {one.value for one in found} == {
        "up to 28.5", "over 28.5, up to 52", "over 52, up to 75.5", "over 75.5",
    }  # fmt: skip


def test_a_slice_of_four_rows_tells_nothing(said: Predictions) -> None:
    assert list(slices_of(said, pd.DataFrame({"rare": ["x"] * 4 + ["y"] * 96}))) == []
