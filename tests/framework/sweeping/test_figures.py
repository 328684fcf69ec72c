from dataclasses import replace

from transfer.sweeping.figures import draw_front, draw_history, draw_importance
from transfer.sweeping.result import Conclusion, Objective, Sweep, Trial

TRIALS = (
    Trial(0, "complete", {}, (0.7, 10.0)),
    Trial(1, "failed", {}),
    Trial(2, "stopped", {}, (0.2,)),
    Trial(3, "complete", {}, (0.9, 20.0)),
)
FOUND = Sweep(
    "s", "here", "demo", (Objective("kappa"), Objective("macs", lower_is_better=True)), {}, TRIALS,
    front=(0, 3), importance={"lr": 0.8, "training.ema": 0.2},
    conclusion=Conclusion(3, (), "s-chosen", "", {}, {}),
)  # fmt: skip


def test_what_is_drawn_depends_on_what_was_found() -> None:
    drawn = [draw(FOUND) for draw in (draw_history, draw_importance, draw_front)]
    assert all(picture.startswith(b"\x89PNG") for picture in drawn)
    other = replace(FOUND, trials=TRIALS[:3], conclusion=None, front=(0,), importance={"lr": 1.0})
    again = [draw(other) for draw in (draw_history, draw_importance, draw_front)]
    assert not set(drawn) & set(again)
