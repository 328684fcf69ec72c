import pytest

from transfer.budget import Budget, in_words, parse_seconds
from transfer.errors import RecipeError


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("20m", 1200), ("1h30m", 5400), ("0.5h", 1800)]
)
def test_a_time_is_read_as_people_write_it(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["20", "m", "20 m", "twenty", "-5m", ""])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="90s, 20m or 1h30m"):
        parse_seconds(text)


def test_no_time_at_all_is_refused() -> None:
    with pytest.raises(RecipeError, match="nothing can be done in no time"):
        parse_seconds("0s")


def test_nothing_fits_that_would_not_be_done_in_time() -> None:
    now = 0.0
    budget = Budget(100, lambda: now)
    assert budget.fits(80)  # which counts for a quarter more
    assert not budget.fits(81)
    now = 50.0
    assert (budget.spent, budget.left) == (50, 50)
    assert not budget.fits(41)
    now = 170.0
    assert budget.left == 0
    assert not budget.fits(1)


def test_what_took_longer_than_expected_is_expected_to_do_so_again() -> None:
    budget = Budget(100, lambda: 0.0)
    budget.learn(10, took=20)
    assert budget.expected(10) == 20
    budget.learn(10, took=1)  # one that was fast proves nothing for the next
    assert budget.expected(10) == 20


def test_without_a_limit_everything_fits() -> None:
    assert Budget(None).fits(1e9)
    assert not Budget(60).fits(float("inf"))  # whose time nobody knows


@pytest.mark.parametrize(("seconds", "words"), [(41, "41 s"), (180, "3 min"), (9000, "2.5 h")])
def test_a_duration_is_said_as_people_say_it(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
