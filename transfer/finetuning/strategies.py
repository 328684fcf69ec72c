"""The ways of transferring: which stages a run goes through, and what each hands to the next."""

from collections.abc import Callable
from typing import NamedTuple

from transfer.finetuning.adaptation import adapt_statistics
from transfer.finetuning.ending import Ended, Ending
from transfer.finetuning.finder import Trial, find_learning_rate
from transfer.finetuning.finetuner import Trainer
from transfer.finetuning.joint import rows_of_a_mean, synchronize
from transfer.finetuning.lesson import Host, Learned, Lesson
from transfer.finetuning.probing import counted, probe
from transfer.finetuning.schedule import build_optimizer
from transfer.finetuning.stopping import Best
from transfer.finetuning.training import EpochLog, Training
from transfer.network.backbone import Network
from transfer.network.freezing import stage_number, statistics_for, train_from
from transfer.network.stages import stages
from transfer.pixels.views import epoch_order
from transfer.recipe import Recipe, Strategy

_ADAPTED_ON = 4096  # rows; the statistics of more would not differ


class Way(NamedTuple):
    """What a strategy does, in this order.

    Attributes:
        adapts: takes the batch statistics of the new pictures first.
        probes: fits the best linear head on frozen features; it is candidate zero.
        trains: (epoch, epochs, stages, first stage above the frozen ones) -> first stage that
            learns; None where only the head does, and that by the probe.
    """

    adapts: bool
    probes: bool
    trains: Callable[[int, int, int, int], int] | None


def _all(epoch: int, epochs: int, count: int, above: int) -> int:  # noqa: ARG001  # a Way's form
    return 0


def _above(epoch: int, epochs: int, count: int, above: int) -> int:  # noqa: ARG001  # a Way's form
    return above


def _from_the_head(epoch: int, epochs: int, count: int, above: int) -> int:  # noqa: ARG001  # see above
    """Let one stage after the other learn, the deepest first; all do in the second half.

    Howard & Ruder 2018 (ULMFiT, doi:10.18653/v1/P18-1031) add one an epoch.
    """
    return max(0, count - 1 - (epoch - 1) * count * 2 // epochs)


WAYS = {
    Strategy.PROBE: Way(adapts=False, probes=True, trains=None),
    Strategy.LP_FT: Way(adapts=True, probes=True, trains=_all),
    Strategy.FINETUNE: Way(adapts=False, probes=False, trains=_all),
    Strategy.GRADUAL: Way(adapts=True, probes=True, trains=_from_the_head),
    Strategy.PARTIAL: Way(adapts=False, probes=True, trains=_above),
    Strategy.SCRATCH: Way(adapts=False, probes=False, trains=_all),
}


def learn(network: Network, lesson: Lesson, recipe: Recipe, host: Host) -> Learned:
    """Teach `network`, in place, by the recipe's strategy; it ends with the best weights.

    Where the host has a checkpoint, the training goes on from there.

    Raises:
        RecipeError: a stage or an optimizer that there is not.
        TrainingError: the loss became no number before there were weights worth keeping.
        CheckpointError: the checkpoint is damaged.
        OutputError: a checkpoint cannot be written.
    """
    way, best = WAYS[recipe.strategy], Best(lesson.headline, recipe.training.patience)
    state, logs = host.compute.processes.first(host.checkpoints.load), list[EpochLog]()
    if state is None and way.adapts:
        _adapt(network, lesson, recipe, host)
    if state is None and way.probes:
        goes_on = way.trains is not None
        logs.append(probe(network, lesson, recipe, host, best, goes_on=goes_on))
    if way.trains is None:
        for log in logs:
            host.on_epoch(log)
        return Learned(Ended(Ending.COMPLETED), best.epoch, best.restore(network))
    training = _training(network, lesson, recipe, host)
    if recipe.lr == "auto":
        recipe = _with_found_rate(network, training, recipe, host)
    trainer = Trainer(network, training, recipe, host.compute, best, host.checkpoints)
    if state is None:
        trainer.begin(logs)
    else:
        trainer.resume(state)
    ended = trainer.run(host.progress, host.interruption)
    return Learned(ended, best.epoch, best.restore(network))


def _training(network: Network, lesson: Lesson, recipe: Recipe, host: Host) -> Training:
    """Return what the loop needs; what trains in an epoch is the strategy's."""
    rows, batches = len(lesson.train), lesson.batches.steps(len(lesson.train))
    statistics = statistics_for(
        recipe.training.batch_statistics,
        rows_of_a_mean(rows // batches, host.compute),
        from_scratch=recipe.strategy is Strategy.SCRATCH,
    )
    if synchronize(network, statistics, host.compute):
        host.progress.say("batch norm takes the mean over the rows of all processes")
    count, epochs = len(stages(network.backbone)), recipe.passes(rows)
    last, trains = recipe.training.frozen_to, WAYS[recipe.strategy].trains or _all
    above = stage_number(network, last) + 1 if last else -(-count // 2)
    return Training(
        batches=lambda epoch, first: lesson.batches.training(
            lesson.train,
            epoch,
            first=first,
            balanced=recipe.training.balance == "sampler",
            shared=True,
        ),
        rows=rows,
        batches_per_epoch=batches,
        loss=lesson.loss,
        prepare=lambda net, epoch: train_from(net, trains(epoch, epochs, count, above), statistics),
        validate=lambda net: lesson.validation(lesson.predict(net, lesson.val)),
        on_epoch=host.on_epoch,
    )


def _adapt(network: Network, lesson: Lesson, recipe: Recipe, host: Host) -> None:
    """Give the backbone the batch statistics of the training rows, as training will."""
    rows = epoch_order(lesson.train, recipe.seed, 0)[:_ADAPTED_ON]
    own = len(rows) // host.compute.processes.share.size
    with host.progress.step("adapting", own, "images") as step:
        batches = counted(lesson.batches.dealt(rows), step)
        adapt_statistics(network, batches, host.compute)


def _with_found_rate(network: Network, training: Training, recipe: Recipe, host: Host) -> Recipe:
    """Return the recipe with a learning rate found by trial on a copy; the find is kept."""
    training.prepare(network, recipe.passes(training.rows))  # all that will ever learn
    trial = Trial(
        batches=lambda epoch: training.batches(epoch, 0),
        steps=training.batches_per_epoch,
        loss=lambda logits, targets: training.loss(logits, targets, 0.0),
        build_optimizer=lambda net: build_optimizer(net, 1.0, recipe.training),
        clip_norm=recipe.training.clip_norm,
    )
    with host.progress.step("finding lr", 1, "trial"):
        found = find_learning_rate(network, trial, host.compute)
    host.decide("lr", found.suggestion)
    host.progress.say(
        f"lr         {found.suggestion:.2g}, a tenth of where the loss of a trial was lowest"
    )
    return recipe.model_copy(update={"lr": found.suggestion})
