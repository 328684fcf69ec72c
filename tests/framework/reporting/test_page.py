"""The page of a run whose every name asks for trouble."""

from datetime import UTC, datetime
from html import unescape

import pandas as pd
import pytest

from transfer.reporting.cost import CostOfRun
from transfer.reporting.exhibits import Exhibit, Neighbour
from transfer.reporting.gathered import Report
from transfer.reporting.page import as_page
from transfer.reporting.slices import Slice
from transfer.scoring.intervals import Score
from transfer.tracking.stored_runs import StoredRun
from transfer.tracking.tracker import AUDIT_TAG, HEADLINE_TAG

EVIL = "<script>alert(1)</script>\"'&"


@pytest.fixture
def report() -> Report:
    tags = {HEADLINE_TAG: "accuracy", AUDIT_TAG: f"leaks: {EVIL}", "version.torch": EVIL}
    run = StoredRun(
        "id", EVIL, EVIL, "FINISHED", datetime(2026, 1, 2, tzinfo=UTC), {}, tags, {}, data=EVIL
    )
    scores = pd.DataFrame(
        [["accuracy", 0.5, 0.25, 0.75, EVIL], ["ece", 0.125, None, None, float("nan")]],
        columns=["score", "value", "low", "high", "note"],
    )
    each = {"class": EVIL, "f1": 0.5, "f1_low": 0.1, "f1_high": 0.9, "rows": 1234}
    return Report(
        run=run, notice=EVIL, split="test",
        counts=pd.DataFrame([{"label": f"{EVIL}{n}", "train": 9, "test": 1} for n in range(50)]),
        scores={"test": scores, "val": scores}, per_class=pd.DataFrame([each]),
        figures={"learning_curves": b"png", "test_confusion": b"png"},
        slices=[Slice(EVIL, EVIL, 7, Score(0.5, 0.25, 0.75, EVIL))],
        exhibits=[Exhibit(EVIL, EVIL, EVIL, 0.9, "data:a", "", (Neighbour(EVIL, 0.8, "data:b"),))],
        costs=[CostOfRun(EVIL, EVIL, EVIL, "64", None, float("nan"), 0.5, own=True)],
        command=EVIL, notes=[EVIL],
    )  # fmt: skip


def test_names_from_files_are_never_read_as_html(report: Report) -> None:
    page = as_page(report)
    assert "<script" not in page
    assert unescape(page).count(EVIL) > 20


def test_the_verdict_is_the_headline_on_test_and_val_comes_shut(report: Report) -> None:
    page = as_page(report)
    assert "accuracy 0.500 [0.250, 0.750] on test" in page
    assert "audit: leaks: " in page
    assert page.index("Scores on test") < page.index("Scores on val")
    assert "<details><summary>2 lines" in page[page.index("Scores on val") :]
    assert "<details><summary>51 lines" in page  # fifty classes, and all
    assert "nan" not in page.replace("tenant", "")
