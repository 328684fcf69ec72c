import numpy as np
import pandas as pd

from tasks.driving_objects.settings import Settings
from tasks.driving_objects.slices import slices


def _rows(facts: dict[str, list[object]], **settings: object) -> dict[str, list[int]]:
    found = slices(pd.DataFrame(facts), Settings(**settings))
    return {name: np.flatnonzero(mask).tolist() for name, mask in found.items()}


def test_an_edge_belongs_to_what_lies_above_it() -> None:
    assert _rows({"height_px": [24.9, 25, 39.9, 40, 300]}) == {
        "height_under_25": [0],
        "height_from_25_to_40": [1, 2],
        "height_from_40": [3, 4],
    }


def test_every_row_is_in_one_slice_of_a_fact_that_is_known() -> None:
    generator = np.random.default_rng(0)
    facts = {
        "height_px": generator.uniform(5, 90, 200),
        "brightness": generator.random(200),
        "truncated": generator.random(200),
        "occluded": generator.integers(0, 4, 200),
    }
    found = slices(pd.DataFrame(facts), Settings())
    for name in ("height", "brightness", "truncated", "occluded"):
        parts = [mask for of, mask in found.items() if of.startswith(name)]
        np.testing.assert_array_equal(np.sum(parts, axis=0), 1)


def test_text_is_read_as_numbers_and_what_is_not_said_is_in_no_slice() -> None:
    assert _rows({"occluded": ["0", "2", "", "-1", "0"]}) == {
        "occluded_0": [0, 4],
        "occluded_2": [1],
    }
    assert _rows({"truncated": ["0.00", "0.4", None, "-1", "0.9"]}) == {
        "truncated_under_0.15": [0],
        "truncated_from_0.3_to_0.5": [1],
        "truncated_from_0.5": [4],
    }


def test_a_slice_of_all_rows_says_nothing() -> None:
    assert _rows({"occluded": ["0", "0"], "height_px": [50.0, 60.0]}) == {}
    assert _rows({"other": ["0", "1"]}) == {}


def test_the_edges_are_settings() -> None:
    assert _rows({"height_px": [24.9, 60]}, heights=(50,)) == {
        "height_under_50": [0],
        "height_from_50": [1],
    }
