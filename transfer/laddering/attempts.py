"""The rungs of a ladder, tried one after the other while there is time."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from transfer.budget import Budget, in_words
from transfer.errors import MeasuringError, TrainingError, WeightsError
from transfer.experiment import RunResult
from transfer.laddering.choosing import Limits
from transfer.laddering.footprint import MANY, Footprint
from transfer.laddering.result import Climbed, Tried
from transfer.laddering.rungs import Rung
from transfer.plan import Plan
from transfer.progress import Progress
from transfer.recipe import Recipe, Strategy
from transfer.repeats import RunOne
from transfer.shipping.evaluation import Evaluation
from transfer.tracking.tracker import Tracker


@dataclass(frozen=True)
class Wishes:
    """What a person wants of a ladder.

    Attributes:
        limits: what the recommended network may cost.
        finetune: so many of the most promising rungs are fine-tuned, best probe first; None is as
            many as fit into the budget, and none without one.
        budget_seconds: for everything; nothing is begun that would not fit.
    """

    limits: Limits = field(default_factory=Limits)
    finetune: int | None = None
    budget_seconds: float | None = None

    @property
    def most_finetunes(self) -> float:
        """How many rungs may be fine-tuned."""
        if self.finetune is not None:
            return self.finetune
        return 0 if self.budget_seconds is None else float("inf")


@dataclass(frozen=True)
class Means:
    """What a ladder is climbed with.

    Attributes:
        run_one: carries out one plan as a run.
        measure: backbone, recipe -> what it costs.
        judge: a run, rows in a plan's split test -> what it reaches there.
        tracker: keeps the parent.
        progress: told of everything that takes time.
    """

    run_one: RunOne
    measure: Callable[[str, Recipe], Footprint]
    judge: Callable[[RunResult, Plan], Evaluation]
    tracker: Tracker
    progress: Progress


class Attempts:
    """What is known so far about each rung.

    Attributes:
        climbed: each rung and what it came to.
        results: of every run that finished, by its id.
        budget: what time there is.
        ended: why all of it ended before its time; "" where it did not.
    """

    def __init__(self, plan: Plan, rungs: Sequence[Rung], wishes: Wishes, means: Means) -> None:
        """Begin with nothing tried; the clock starts.

        Args:
            plan: what each run shares: rows without test, recipe, and the parent.
            rungs: in order.
            wishes: limits and time.
            means: who does it.
        """
        self._plan, self._wishes, self._means = plan, wishes, means
        self.climbed = [Climbed(rung) for rung in rungs]
        self.results: dict[str, RunResult] = {}
        self.budget = Budget(wishes.budget_seconds)
        self.ended = ""

    def measure(self) -> None:
        """Measure every rung that can be tried."""
        here = [n for n, one in enumerate(self.climbed) if not one.rung.missing]
        longest = 0.0
        with self._means.progress.step("measuring", len(here), "backbones") as step:
            for number in here:
                began = time.monotonic()
                if self.budget.fits(longest):
                    self._measure(number)
                longest = max(longest, time.monotonic() - began)
                step.advance(note=self.climbed[number].rung.name)

    def _measure(self, number: int) -> None:
        one = self.climbed[number]
        try:
            cost = self._means.measure(one.rung.backbone, self._plan.settled.recipe)
            self.climbed[number] = replace(one, footprint=cost)
        except MeasuringError as error:
            self.climbed[number] = one.having(note=str(error))

    def try_all(self) -> None:
        """Probe all, train those from scratch, fine-tune the most promising."""
        here = [n for n, one in enumerate(self.climbed) if not one.rung.missing]
        for number in here:
            if not self.climbed[number].rung.is_from_scratch:
                self._try(number, Strategy.PROBE)
        for number in here:
            if self.climbed[number].rung.is_from_scratch:
                self._try(number, Strategy.SCRATCH)
        done = 0
        for number in self._promising():
            if done >= self._wishes.most_finetunes:
                break
            done += self._try(number, self._plan.settled.recipe.strategy)

    def _promising(self) -> list[int]:
        """Return which rungs may be fine-tuned, the best probe first."""
        of_score = {
            number: one.best.value
            for number, one in enumerate(self.climbed)
            if one.best is not None
            and not one.rung.is_from_scratch
            and self._wishes.limits.hold(one.footprint)
        }
        return sorted(of_score, key=lambda number: -of_score[number])

    def _try(self, number: int, strategy: Strategy) -> bool:
        """Run a rung by a strategy if there is time; say if it came to something."""
        one = self.climbed[number]
        if self.ended:
            return False
        seconds = self._estimate(one.footprint, strategy)
        if not self.budget.fits(seconds):
            self.climbed[number] = one.having(note=self._no_time(strategy, seconds))
            return False
        plan, began = self._plan_of(one.rung, strategy), time.monotonic()
        left = self.budget.left
        of = f", {in_words(left)} left" if left < float("inf") else ""
        self._means.progress.say(f"rung       {one.rung.name}: {strategy.value}{of}")
        try:
            result = self._means.run_one(plan)
        except (WeightsError, TrainingError) as error:  # of its own; it takes no other with it
            self.climbed[number] = one.having(note=f"{strategy.value}: {error}")
            return False
        took = time.monotonic() - began
        if strategy is not Strategy.PROBE:
            self.budget.learn(seconds, took)
        if result.status != "FINISHED":
            self.ended = result.ended if result.status == "KILLED" else ""
            self.climbed[number] = one.having(note=f"{strategy.value}: {result.ended}")
            return False
        self.results[result.run_id] = result
        tried = Tried.of(result, strategy.value, self._plan.headline, took)
        self.climbed[number] = one.having(tried)
        return True

    def _no_time(self, strategy: Strategy, seconds: float) -> str:
        """Return in words why something of which images/s say `seconds` is not begun."""
        left = f"no {strategy.value}: {in_words(self.budget.left)} left, and "
        if seconds == float("inf"):
            return f"{left}nobody knows how long it takes, for it was not measured"
        return f"{left}it would take about {in_words(self.budget.expected(seconds))}"

    def _estimate(self, cost: Footprint | None, strategy: Strategy) -> float:
        """Return how many seconds images/s say; infinite in a budget where they are not known."""
        if cost is None:
            return 0.0 if self._wishes.budget_seconds is None else float("inf")
        train, val = (len(self._plan.manifest.numbers(split)) for split in ("train", "val"))
        look = cost.latency_many_ms / 1e3 / MANY
        if strategy is Strategy.PROBE:
            return (train + val) * look
        epochs = self._plan.settled.recipe.passes(train)
        an_epoch = train / cost.training_images_per_second + val * look
        return epochs * an_epoch + 2 * (train + val) * look  # its own probe, and what comes before

    def _plan_of(self, rung: Rung, strategy: Strategy) -> Plan:
        settled = self._plan.settled.with_values(
            "ladder", backbone=rung.backbone, weights=rung.weights, strategy=strategy
        )
        name = f"{self._plan.name}-{rung.backbone}-{strategy.value}"
        return replace(self._plan, settled=settled, name=name)
