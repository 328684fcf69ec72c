import copy
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from transfer.errors import TrainingError
from transfer.finetuning.checkpoint import Checkpoints
from transfer.finetuning.devices import Compute
from transfer.finetuning.ending import Ended, Ending
from transfer.finetuning.finetuner import Trainer
from transfer.finetuning.interruption import Interruption
from transfer.finetuning.schedule import learning_rate
from transfer.finetuning.stopping import Best, Validation
from transfer.finetuning.training import EpochLog, Training
from transfer.network.backbone import Network
from transfer.network.freezing import BatchStatistics, train_from
from transfer.pixels.batches import Batch, Batches
from transfer.progress import Silent
from transfer.recipe import Recipe
from transfer.samples.predictions import Said
from transfer.settings import TrainingSettings

ROWS = np.arange(24)  # three steps
RECIPE = Recipe(epochs=3, lr=0.01, training=TrainingSettings(warmup=0.0, label_smoothing=0.0))
Build = Callable[..., Network]
Loss = Callable[[Tensor, Tensor, float], Tensor]
Read = Callable[[int, int], Iterator[Batch]]


class Lesson:
    """One training: the headlines that its epochs will reach, and what was heard of them."""

    def __init__(self, network: Network, batches: Batches, compute: Compute, folder: Path) -> None:
        self.network, self.batches, self.compute = network, batches, compute
        self.checkpoints = Checkpoints(folder)
        self.loss: Loss = lambda logits, targets, _: cross_entropy(logits, targets)
        self.headlines: Iterator[float] = iter([0.5, 0.6, 0.7, 0.8, 0.9])
        self.read: Read = lambda epoch, first: batches.training(ROWS, epoch, first=first)
        self.first_stage, self.statistics = 0, BatchStatistics.FROZEN
        self.logs: list[EpochLog] = []
        self.states: list[dict[str, Tensor]] = []
        self.best = Best("accuracy", RECIPE.training.patience)

    def train(self, recipe: Recipe = RECIPE) -> Ended:
        self.best = Best("accuracy", recipe.training.patience)
        training = Training(
            batches=self.read,
            rows=len(ROWS),
            batches_per_epoch=self.batches.steps(len(ROWS)),
            loss=self.loss,
            prepare=lambda network, _: train_from(network, self.first_stage, self.statistics),
            validate=self._validate,
            on_epoch=self.logs.append,
        )
        trainer = Trainer(self.network, training, recipe, self.compute, self.best, self.checkpoints)
        state = self.checkpoints.load()
        if state is None:
            trainer.begin([])
        else:
            trainer.resume(state)
        return trainer.run(Silent(), Interruption())

    def _validate(self, network: Network) -> Validation:
        network.eval()
        self.states.append(copy.deepcopy(network.state_dict()))
        return Validation(Said(np.zeros((1, 3), np.float32)), {"accuracy": next(self.headlines)})

    def kept(self) -> dict[str, Tensor]:
        network = copy.deepcopy(self.network)
        self.best.restore(network)
        return network.state_dict()


@pytest.fixture
def lesson(build: Build, batches: Batches, compute: Compute, tmp_path: Path) -> Lesson:
    return Lesson(build(), batches, compute, tmp_path / "checkpoints")


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return all(torch.equal(tensor, right[name]) for name, tensor in left.items())


def broken_after(calls: int, loss: Loss) -> Loss:
    """Give `loss` that many times, then no number."""
    left = iter(range(calls))

    def give(logits: Tensor, targets: Tensor, done: float) -> Tensor:
        value = loss(logits, targets, done)
        return value if next(left, None) is not None else value * float("nan")

    return give


def interrupted_in(epoch: int, batches: Batches) -> Read:
    def read(number: int, first: int) -> Iterator[Batch]:
        for batch in batches.training(ROWS, number, first=first):
            yield batch
            if number == epoch:
                raise KeyboardInterrupt

    return read


def test_every_epoch_is_trained_scored_and_told(lesson: Lesson) -> None:
    assert lesson.train() == Ended(Ending.COMPLETED)
    assert [log.epoch for log in lesson.logs] == [1, 2, 3]
    assert [log.scores for log in lesson.logs] == [{"accuracy": x} for x in (0.5, 0.6, 0.7)]
    assert all(log.improved for log in lesson.logs)
    assert all(log.rows_per_second > 0 for log in lesson.logs)
    assert lesson.best.epoch == 3


def test_it_learns(lesson: Lesson) -> None:
    lesson.headlines = iter(range(12))
    lesson.train(RECIPE.model_copy(update={"epochs": 12}))
    losses = [log.loss for log in lesson.logs]
    assert losses[-1] < 0.75 * losses[0]
    assert losses[0] == pytest.approx(np.log(3), abs=0.6)


def test_the_loss_of_an_epoch_is_the_mean_over_its_rows(lesson: Lesson) -> None:
    values = iter([1.0, 2.0, 4.0, 8.0, 16.0])
    lesson.loss = lambda logits, *_: logits.sum() * 0 + next(values)
    lesson.batches._batch_size = 5  # 24 rows in steps of 5, 5, 5, 5 and 4
    lesson.train(RECIPE.model_copy(update={"epochs": 1}))
    assert lesson.logs[0].loss == pytest.approx((5 * (1 + 2 + 4 + 8) + 4 * 16) / 24)


def test_the_rate_that_is_told_is_the_head_s_in_the_last_step(lesson: Lesson) -> None:
    training = TrainingSettings(head_lr=3.0, warmup=0.2)
    lesson.train(RECIPE.model_copy(update={"training": training}))
    expected = [3.0 * learning_rate(step, 9, 0.01, 0.2) for step in (2, 5, 8)]
    assert [log.lr for log in lesson.logs] == pytest.approx(expected)


def test_the_best_epoch_s_weights_are_kept(lesson: Lesson) -> None:
    lesson.headlines = iter([0.5, 0.9, 0.7])
    lesson.train()
    assert [log.improved for log in lesson.logs] == [True, True, False]
    assert lesson.best.epoch == 2
    assert same(lesson.kept(), lesson.states[1])
    assert not same(lesson.states[1], lesson.states[2])


def test_training_stops_early_where_patience_runs_out(lesson: Lesson) -> None:
    lesson.headlines = iter([0.5, 0.9, 0.7, 0.8, 0.95])
    training = RECIPE.training.model_copy(update={"patience": 2})
    ended = lesson.train(RECIPE.model_copy(update={"epochs": 5, "training": training}))
    assert ended == Ended(Ending.STALE, "no better epoch since epoch 2")
    assert [log.epoch for log in lesson.logs] == [1, 2, 3, 4]


def test_a_loss_that_is_no_number_keeps_the_last_good_weights_and_says_where(
    lesson: Lesson,
) -> None:
    lesson.loss = broken_after(4, lesson.loss)  # one epoch and a step
    ended = lesson.train()
    assert ended.ending is Ending.DIVERGED
    assert ended.where.startswith("the loss became nan in epoch 2, step 2 of 3; ")
    assert "smaller --lr than 0.01" in ended.where
    assert same(lesson.kept(), lesson.states[0])
    assert len(lesson.logs) == 1


def test_a_loss_that_is_no_number_moves_no_weight(lesson: Lesson) -> None:
    before = copy.deepcopy(dict(lesson.network.named_parameters()))
    lesson.loss = broken_after(0, lesson.loss)
    with pytest.raises(TrainingError, match="became nan in epoch 1, step 1 of 3"):
        lesson.train()
    assert same(before, dict(lesson.network.named_parameters()))


def test_an_interrupted_epoch_keeps_the_best_weights(lesson: Lesson) -> None:
    lesson.read = interrupted_in(2, lesson.batches)
    assert lesson.train() == Ended(Ending.INTERRUPTED, "in epoch 2 of 3")
    assert lesson.best.epoch == 1
    assert same(lesson.kept(), lesson.states[0])
    assert not same(lesson.kept(), lesson.network.state_dict())


def test_an_interrupt_before_there_is_anything_to_keep_ends_the_run(lesson: Lesson) -> None:
    lesson.read = interrupted_in(1, lesson.batches)
    with pytest.raises(KeyboardInterrupt):
        lesson.train()


@pytest.mark.parametrize("statistics", BatchStatistics)
def test_batch_statistics_move_where_they_may(lesson: Lesson, statistics: BatchStatistics) -> None:
    lesson.statistics = statistics
    before = lesson.network.backbone.get_buffer("bn1.running_mean").clone()
    lesson.train(RECIPE.model_copy(update={"epochs": 1}))
    after = lesson.network.backbone.get_buffer("bn1.running_mean")
    assert torch.equal(before, after) is (statistics is BatchStatistics.FROZEN)


def test_a_frozen_network_trains_all_the_same(lesson: Lesson) -> None:
    lesson.network.backbone.requires_grad_(requires_grad=False)  # as a probe leaves it
    before = copy.deepcopy(dict(lesson.network.named_parameters()))
    lesson.train()
    moved = dict(lesson.network.named_parameters())
    assert all(not torch.equal(weight, before[name]) for name, weight in moved.items())


def test_a_long_gradient_is_clipped(lesson: Lesson) -> None:
    lengths = {}
    for clip in (0.0, 1e-3):
        lesson.headlines = iter([0.5])
        plain = TrainingSettings(
            optimizer="momentum", layer_decay=1.0, weight_decay=0.0, warmup=0.0, clip_norm=clip
        )
        recipe = RECIPE.model_copy(update={"epochs": 1, "training": plain})
        network, start = copy.deepcopy(lesson.network), lesson.network
        folder = lesson.checkpoints.folder.with_name(f"clip {clip}")
        one_step = Lesson(network, lesson.batches, lesson.compute, folder)
        one_step.read = lambda *_: iter([next(lesson.batches.plain(ROWS[:8]))])
        one_step.train(recipe)
        moved = [
            (weight - start.get_parameter(name)).square().sum()
            for name, weight in network.named_parameters()
        ]
        lengths[clip] = float(torch.stack(moved).sum().sqrt().detach())
    # momentum's first step is the rate times the gradient
    assert lengths[1e-3] == pytest.approx(0.01 * 1e-3, rel=1e-2)
    assert lengths[0.0] > 10 * lengths[1e-3]


WAYS = {
    "plain": {},
    "averaged": {"ema": 0.9},
    "mixed": {"mixup": 0.2, "cutmix": 1.0},
    "accumulated": {"accumulate": 2},
    "plateau": {"schedule": "plateau"},
    "one-cycle": {"schedule": "one-cycle"},
    "sgd": {"optimizer": "sgd"},
}


def of_way(name: str) -> Recipe:
    training = RECIPE.training.model_copy(update=WAYS[name])
    return RECIPE.model_copy(update={"training": training})


class Stopped:
    """Batches that Ctrl-C meets before the so-many-th of all."""

    def __init__(self, batches: Batches, at: int) -> None:
        self.batches, self.left = batches, at

    def __call__(self, epoch: int, first: int) -> Iterator[Batch]:
        for batch in self.batches.training(ROWS, epoch, first=first):
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            yield batch


@pytest.mark.parametrize("way", WAYS)
def test_a_training_that_goes_on_ends_as_one_that_never_stopped(
    build: Build, batches: Batches, compute: Compute, tmp_path: Path, way: str
) -> None:
    def lesson(name: str) -> Lesson:
        made = Lesson(build(), batches, compute, tmp_path / name)
        made.statistics = BatchStatistics.UPDATED
        return made

    whole = lesson("whole")
    torch.manual_seed(3)
    whole.train(of_way(way))
    for at in range(9):
        name = f"stopped {at}"
        first = lesson(name)
        first.read = Stopped(batches, at)
        torch.manual_seed(3)
        try:
            first.train(of_way(way))
        except KeyboardInterrupt:
            assert first.best.validation is None
        torch.manual_seed(99)  # another process has other random states
        second = lesson(name)
        second.headlines = first.headlines
        assert second.train(of_way(way)) == Ended(Ending.COMPLETED)
        assert same(second.kept(), whole.kept())
        assert same(second.network.state_dict(), whole.network.state_dict())
        assert [(log.epoch, log.loss) for log in second.logs] == [
            (log.epoch, log.loss) for log in whole.logs
        ]


def test_weights_that_the_last_step_broke_are_not_kept_whatever_they_score(lesson: Lesson) -> None:
    def validate(_: Network) -> Validation:
        said = np.full((1, 3), np.nan if lesson.logs else 0.5, np.float32)
        return Validation(Said(said), {"accuracy": next(lesson.headlines)})

    lesson._validate = validate  # type: ignore[method-assign]  # a rising score without numbers
    assert lesson.train() == Ended(
        Ending.DIVERGED,
        "the network gave no numbers on val after epoch 2; take a smaller --lr than 0.01",
    )
    assert lesson.best.epoch == 1
