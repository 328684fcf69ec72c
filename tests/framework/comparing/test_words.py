"""Verdicts in words."""

import math

import pytest

from transfer.comparing.gaps import Gap
from transfer.comparing.words import Circumstances, amount, p_value, span, verdict

SURE = Gap("balanced_accuracy", 0.81, 0.829, 0.019, 0.006, 0.032, 0.004, 0.004, "swaps", 900)
UNSURE = Gap("accuracy", 0.81, 0.807, -0.003, -0.015, 0.009, 0.62, 0.62, "swaps", 2400)
LOSS = Gap(
    "log_loss", 0.50, 0.45, -0.05, -0.08, -0.02, 0.001, 0.001, "swaps", 300, lower_is_better=True
)
MODELS = "This is about these two trained models, not about their recipes: that takes 5 seeds"


def about(**changes):
    given = {
        "first": "A",
        "second": "B",
        "claim": "models",
        "runs": (1, 1),
        "split": "test",
        "rows": 800,
        "family": 1,
    }
    return Circumstances(**{**given, **changes})


def test_a_difference_is_said_with_its_interval():
    said = verdict(SURE, about())
    assert said.startswith("B is better by 1.9 points of balanced_accuracy [0.6, 3.2], p 0.004. ")
    assert MODELS in said


def test_no_difference_says_how_many_images_would_see_it():
    said = verdict(UNSURE, about())
    assert said.startswith(
        "No difference you could rely on: A is ahead by 0.3 points of accuracy [-0.9, 1.5], "
        "p 0.62; you would need about 2,400 test images to see one this small. "
    )


def test_less_of_a_loss_is_better_and_is_said_so():
    said = verdict(LOSS, about())
    assert said.startswith(
        "B is better by 0.050 of log_loss [0.020, 0.080], p 0.001 (its log_loss is lower)."
    )


def test_a_correction_takes_a_verdict_away():
    corrected = Gap(**{**vars(SURE), "corrected": 0.052, "needed": 600})
    said = verdict(corrected, about(family=13))
    assert said.startswith(
        "No difference you could rely on: B is ahead by 1.9 points of balanced_accuracy "
        "[0.6, 3.2], p 0.004, 0.052 corrected for 13 comparisons. This is about"
    )


def test_a_verdict_about_recipes_says_over_how_many_seeds():
    said = verdict(SURE, about(claim="recipes", runs=(5, 6)))
    assert said.endswith("This is about the two recipes, over 5 and 6 seeds.")
    unsure = verdict(UNSURE, about(claim="recipes", runs=(5, 6)))
    assert "more seeds or more rows would tell" in unsure


def test_what_cannot_be_told_is_not_told():
    assert verdict(SURE, about(same=True)) == "No difference: A and B say the same of every row."
    undefined = Gap("macro_ap", math.nan, 0.5, math.nan, note="undefined on these rows")
    assert verdict(undefined, about()) == "No verdict: macro_ap is undefined on these rows."
    few = Gap("said", 0.4, 0.5, 0.1, note="8 groups; 20 are needed")
    assert verdict(few, about()) == "No verdict: 8 groups; 20 are needed."
    equal = Gap("accuracy", 0.5, 0.5, 0.0, -0.02, 0.02, 1.0, 1.0)
    assert "accuracy is the same [-2.0, 2.0]" in verdict(equal, about())
    tiny = Gap(**{**vars(UNSURE), "needed": 3_000_000})
    assert "millions of val images" in verdict(tiny, about(split="val"))


@pytest.mark.parametrize(
    ("p", "said"),
    [(None, ""), (0.0004, "under 0.001"), (0.0123, "0.012"), (0.2345, "0.23"), (1.0, "1.00")],
)
def test_p_values_are_said_with_as_many_digits_as_they_have(p, said):
    assert p_value(p) == said


def test_small_differences_have_more_digits_and_nothing_is_minus_zero():
    small = Gap("accuracy", 0.9, 0.9003, 0.0003, -0.0000001, 0.0006, 0.1, 0.1)
    assert amount(small, small.difference) == "0.03 points"
    assert span(small) == " [0.00, 0.06]"
    grades = Gap("grades_off", 1.5, 1.25, -0.25)
    assert amount(grades, grades.difference) == "0.250"  # above 1 it is no share
