from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from transfer.overlay import Settled
from transfer.plan import Plan
from transfer.plugin.task import Task
from transfer.recipe import Recipe
from transfer.run_card import run_card
from transfer.samples.inspection import Broken
from transfer.samples.manifest import Manifest
from transfer.scoring.intervals import Score
from transfer.settings import SplitSettings

WIDE = Score(0.8, 0.7, 0.9, "bootstrap by group")
NONE = Score(0.75, None, None, "no interval: 6 groups")


@pytest.fixture
def plan() -> Plan:
    keys = [f"{number:016x}" for number in range(6)]
    columns = dict.fromkeys(("key", "content", "pixels"), keys)
    rows = pd.DataFrame(
        {
            "image": [f"{key}.png" for key in keys],
            "label": ["cat", "big|dog"] * 3,
            "group": ["a", "a", "b", "b", "c", "c"],
            "split": ["train"] * 2 + ["val"] * 2 + ["test"] * 2,
            **columns,
        }
    )
    manifest = Manifest(Path("pets"), rows, ("big|dog", "cat"))
    task: Any = Task(name="pets", summary="", read_manifest=print, augment=print, headline="kappa")
    recipe = Recipe(backbone="resnet18", size=64, seed=3, weights="starter")
    return Plan(task, Settled(recipe), Path("some/pets"), manifest, (), "my pets")


def test_the_first_line_says_the_score_and_how_it_was_reached(plan: Plan) -> None:
    scores = {"val": {"kappa": WIDE}, "test": {"kappa": NONE, "ece": WIDE}}
    first = run_card(plan, scores, ended="completed", epoch=2).splitlines()[0]
    assert first == "kappa 0.750 on test, val 0.800 · resnet18, lp-ft, 64 px, seed 3"
    del scores["test"]
    first = run_card(plan, scores, ended="completed", epoch=2).splitlines()[0]
    assert first.startswith("kappa 0.800 [0.700, 0.900] on val · ")


def test_a_card_says_what_was_learned_from_what_and_how_well(plan: Plan) -> None:
    scores = {"val": {"kappa": WIDE}, "test": {"kappa": NONE, "log_loss": WIDE}}
    text = run_card(plan, scores, ended="stale", epoch=0)
    assert "| data | 6 pictures, in 3 groups; digest " + plan.manifest.digest() in text
    assert "| classes | 2: big\\|dog, cat |" in text
    assert "| split | train 2, val 2, test 2; rows: clean |" in text
    assert "| ended | stale; kept the probe |" in text
    assert "| score | val | test |\n| --- | --- | --- |\n" in text
    assert (
        "| kappa | 0.800 [0.700, 0.900] | 0.750 |\n| log loss |  | 0.800 [0.700, 0.900] |" in text
    )
    assert "transfer predict 'my pets' PICTURE" in text


def test_a_card_says_what_to_distrust(plan: Plan) -> None:
    recipe = plan.settled.recipe.model_copy(update={"split": SplitSettings(ignore_groups=True)})
    distrusted = replace(
        plan,
        settled=Settled(recipe),
        task=replace(plan.task, notice="no medical device"),
        broken=(Broken("cat/7.png", "is empty"),),
    )
    text = run_card(distrusted, {"test": {"kappa": NONE}}, ended="completed", epoch=1)
    limits = text.partition("What to distrust\n\n")[2].partition("\n\n")[0].splitlines()
    assert [limit.split()[1] for limit in limits] == ["groups", "the", "1", "kappa", "no"]
    assert "- kappa on test: no interval: 6 groups" in limits


def test_a_run_without_weights_has_nothing_to_use_and_a_sensitive_one_names_no_class(
    plan: Plan,
) -> None:
    private = replace(plan, task=replace(plan.task, sensitive=True))
    text = run_card(private, {}, ended="diverged: in epoch 1")
    assert text.startswith("no scores · ")
    assert "Use it" not in text
    assert "cat" not in text
