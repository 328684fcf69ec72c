from pathlib import Path

import pytest

from transfer.errors import RecipeError
from transfer.laddering import rungs as module
from transfer.laddering.rungs import LADDER, find_rungs, fitting, other_recipes


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names whose weights are on this machine."""
    names: set[str] = set()
    monkeypatch.setattr(
        module, "cached_file", lambda name: Path("weights") if name in names else None
    )
    return names


def test_all_that_have_it_get_the_same_tag(here: set[str]) -> None:
    here |= {"resnet18.tv_in1k", "resnet152.tv_in1k", "densenet121.tv_in1k"}
    found = find_rungs(["resnet18", "resnet152", "densenet121"], [], "tv_in1k", download=False)
    # timm's own choice would be a1_in1k, a1h_in1k and ra_in1k.
    assert {rung.pretraining for rung in found} == {"tv_in1k"}
    assert [rung.backbone.partition(".")[2] for rung in found] == ["tv_in1k"] * 3
    assert other_recipes(found) == ""


def test_one_of_another_recipe_is_named(here: set[str]) -> None:
    here |= {"resnet18.tv_in1k", "resnet34.tv_in1k", "resnet50.a1_in1k"}
    names = ["resnet10t", "resnet18", "resnet34", "resnet50.a1_in1k"]
    found = find_rungs(names, ["plain20"], "tv_in1k", download=False)
    assert [rung.weights for rung in found] == ["starter", "hub", "hub", "hub", "none"]
    said = other_recipes(found)
    assert "resnet10t (starter), resnet50.a1_in1k (a1_in1k)" in said
    assert "plain20" not in said  # it has no recipe at all


def test_weights_that_are_not_here_are_said_and_never_drawn(here: set[str]) -> None:
    (found,) = find_rungs(["resnet50"], [], "tv_in1k", download=False)
    assert found.missing == "no weights of resnet50.tv_in1k here"
    assert found.weights == "hub"
    (fetched,) = find_rungs(["resnet50"], [], "tv_in1k", download=True)
    assert fetched.missing == ""


def test_a_plain_twin_has_no_weights_to_come_with(here: set[str]) -> None:
    (found,) = find_rungs(["plain20"], [], "tv_in1k", download=True)
    assert "--scratch trains it" in found.missing
    (found,) = find_rungs([], ["plain20"], "tv_in1k", download=False)
    assert found.is_from_scratch
    assert found.missing == ""


def test_names_that_are_none_or_stand_twice_are_refused(here: set[str]) -> None:
    with pytest.raises(RecipeError, match="did you mean resnet18"):
        find_rungs(["resnet81"], [], "tv_in1k", download=False)
    with pytest.raises(RecipeError, match="resnet18 stands twice"):
        find_rungs(["resnet18", "resnet18"], [], "tv_in1k", download=False)
    with pytest.raises(RecipeError, match="no such tag"):
        find_rungs(["resnet18.nonsense"], [], "tv_in1k", download=False)


def test_the_usual_ladder_is_known_to_timm(here: set[str]) -> None:
    found = find_rungs(LADDER, [], "tv_in1k", download=True)
    assert not any(rung.missing for rung in found)
    assert {rung.name for rung in found if rung.pretraining != "tv_in1k"} == {"resnet10t"}


def test_pictures_that_are_too_small_are_said(here: set[str]) -> None:
    here.add("resnet18.tv_in1k")
    found = find_rungs(["resnet18"], ["resnet20"], "tv_in1k", download=False)
    small, fine = fitting(found, 16)
    assert "reduces a picture 32 times" in small.missing
    assert fine.missing == ""
