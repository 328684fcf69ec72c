"""How rows are judged: by their kind of target, and by what their domain adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from transfer.plugin.judge import Judge
from transfer.samples.predictions import Decisions, Predictions
from transfer.samples.target import TargetKind
from transfer.scoring.intervals import Score, remarked, score_with_intervals
from transfer.scoring.metrics import LOWER_IS_BETTER, SCORECARDS, point_scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Judging:
    """All scores of a run.

    Attributes:
        kind: of the target.
        domain: what the task adds; None adds nothing.
    """

    kind: TargetKind
    domain: Judge | None = None

    def scorer(
        self, predictions: Predictions, weights: NDArray[np.float64]
    ) -> dict[str, NDArray[np.float64]]:
        """Return each score under each of R weightings (R, N) of the N rows."""
        own = SCORECARDS[self.kind].scores(predictions, weights)
        return own if self.domain is None else own | self.domain.scores(predictions, weights)

    def points(self, predictions: Predictions) -> dict[str, float]:
        """Return the scores of rows that also select, so that decisions are made on them."""
        return point_scores(self._deciding(predictions, "val"), self.scorer)

    def scores(self, predictions: Predictions) -> dict[str, Score]:
        """Return every score of decided `predictions` with its interval and its remarks."""
        if self.domain is None:
            return score_with_intervals(predictions, self.scorer)
        rests_on = self.domain.rests_on(predictions)
        scores = score_with_intervals(predictions, self.scorer, rests_on=rests_on)
        return remarked(scores, self.domain.remarks(predictions))

    def decided(self, of_split: Mapping[str, Predictions]) -> dict[str, Predictions]:
        """Return predictions by split with the thresholds of several labels and decisions.

        They are made on the calibration rows, and where there are none on the val rows, whose own
        scores then profit from it; their `fitted_on` says which.
        """
        on = "calibration" if "calibration" in of_split else "val"
        deciding = self._deciding(of_split[on], on)
        thresholds, decisions = deciding.thresholds, deciding.decisions
        return {
            split: replace(said, thresholds=thresholds, decisions=decisions)
            for split, said in of_split.items()
        }

    def figures(self, predictions: Predictions) -> Mapping[str, Figure]:
        """Return the domain's drawings of decided `predictions` by name."""
        return {} if self.domain is None else self.domain.figures(predictions)

    @property
    def shown(self) -> tuple[str, ...]:
        """Scores of the domain that the end of a run prints."""
        return () if self.domain is None else self.domain.shown

    @property
    def headline(self) -> str | None:
        """The score that the domain picks the best epoch by, under these settings."""
        return None if self.domain is None else self.domain.headline

    def lower_is_better(self, score: str) -> bool:
        """Say whether less of `score` is better; `patient/log_loss` is a log loss as well."""
        own = frozenset() if self.domain is None else self.domain.lower_is_better
        return not (LOWER_IS_BETTER | own).isdisjoint(score.split("/"))

    def _deciding(self, predictions: Predictions, split: str) -> Predictions:
        """Return `predictions` with what is decided on them themselves."""
        fit = SCORECARDS[self.kind].fit
        if fit is not None:
            predictions = replace(predictions, thresholds=fit(predictions, split))
        if self.domain is not None and (values := self.domain.decide(predictions)):
            predictions = replace(predictions, decisions=Decisions(dict(values), split))
        return predictions
