"""The page of a sweep, and the commands on it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from transfer.plan import Plan
from transfer.sweeping.again import chosen_command, sweep_command
from transfer.sweeping.page import as_page, trials_table
from transfer.sweeping.result import Conclusion, Objective, Repeat, Sweep, Trial

TRIALS = (
    Trial(0, "complete", {"lr": 0.00123}, (0.7,)),
    Trial(1, "stopped", {"lr": 0.05}, (0.2,), about="stopped after epoch 1"),
    Trial(2, "lost", {"lr": 0.002}, about="its process was lost"),
    Trial(3, "complete", {"lr": 0.002}, (0.9,)),
)
SCORES = {"kappa": 0.85, "kappa_low": 0.8, "kappa_high": 0.9, "ece": 0.05}
CHOSEN = Conclusion(
    3, (Repeat(3, (0.9, 0.8), 0.85), Repeat(0, (0.7, 0.7), 0.7)), "s-chosen", "d", SCORES,
    {**SCORES, "kappa": 0.81},
)  # fmt: skip
FOUND = Sweep(
    "s", "here", "demo", (Objective("kappa"),), {"lr": "0.001 to 0.1"}, TRIALS,
    importance={"lr": 1.0}, conclusion=CHOSEN, notice="<b>", shown=("kappa",),
    again="transfer sweep demo", chosen_again="transfer fit demo --lr 0.002",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _draw_little(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("history", "importance", "front"):
        monkeypatch.setattr(f"transfer.sweeping.page.draw_{name}", lambda _: b"drawn")


def test_the_page_tells_of_trials_choice_and_test_and_needs_nothing_else() -> None:
    page = as_page(FOUND)
    for said in (
        "trial 3: lr 0.002; kappa 0.9 on val chose it. Fitted again, kappa is 0.850 [0.800, 0.900]",
        " on val and 0.810 [0.800, 0.900] on test, looked at once.",
        "2 complete, 1 stopped, 1 lost", "lost; its process was lost", "&lt;b&gt;",
        "transfer fit demo --lr 0.002", "<td>0.8500</td><td>0.9000</td><td>0.8000</td>",
    ):  # fmt: skip
        assert said in page
    assert page.count("data:image/png;base64,") == 2
    assert "http" not in page


def test_trials_are_ranked_and_those_that_came_to_nothing_stand_last() -> None:
    head, lines = trials_table(FOUND)
    assert head == ["trial", "kappa", "lr", "state"]
    assert [line[0] for line in lines] == ["3", "0", "1", "2"]
    assert lines[0] == ["3", "0.9", "0.002", "chosen"]
    assert lines[2][-1] == "stopped; after epoch 1"


def test_where_nothing_was_chosen_the_page_says_why() -> None:
    open_one = replace(FOUND, conclusion=None, chosen_again="", others=2)
    assert "2 still at work; the last of them chooses" in as_page(open_one)
    assert "interrupted" in as_page(replace(open_one, others=0, ended="interrupted"))


def test_what_is_typed_again_has_all_that_differs_from_the_task(
    planned: Callable[..., Plan],
) -> None:
    plan = planned(split={"val": 0.3})
    wanted = (Objective("kappa"), Objective("macs", lower_is_better=True))
    typed = sweep_command(plan, ["lr"], 7, 3, wanted)
    for part in (
        "transfer sweep demo --data ", "--space space.toml --trials 7 --seeds 3",
        "--objectives kappa,macs", "--backbone test_resnet", "--set split.val=0.3",
        "--set batch_size=8",
    ):  # fmt: skip
        assert part in typed
    assert "machine" not in typed
    assert "--lr" not in typed
    assert "--lr 0.002 " in chosen_command(plan, {"lr": 0.002})
