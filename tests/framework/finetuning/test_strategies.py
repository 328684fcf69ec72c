import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from transfer.cache.block import as_names
from transfer.cache.row_store import RowStore
from transfer.errors import TrainingError
from transfer.finetuning.adaptation import adapt_statistics
from transfer.finetuning.checkpoint import Checkpoints
from transfer.finetuning.devices import Compute
from transfer.finetuning.ending import Ending
from transfer.finetuning.features import FeatureCache
from transfer.finetuning.interruption import Interruption
from transfer.finetuning.lesson import Host, Learned, Lesson
from transfer.finetuning.strategies import WAYS, learn
from transfer.finetuning.training import EpochLog
from transfer.network.backbone import Network
from transfer.network.objective import OBJECTIVES, Loss, make_loss
from transfer.pixels.batches import Batch, Batches
from transfer.pixels.views import epoch_order
from transfer.progress import Silent
from transfer.recipe import Recipe, Strategy
from transfer.samples.manifest import Row
from transfer.samples.predictions import Said
from transfer.samples.target import TargetKind
from transfer.scoring.predict import predict_rows
from transfer.settings import ProbeSettings

TRAIN, VAL = np.arange(36), np.arange(36, 48)
# The best head on frozen features is not the one that training starts from.
HOT, L2 = 1e-4, 0.03
PENALTIES = ProbeSettings(l2=(HOT,), start_l2=L2, iterations=500)
RECIPE = Recipe(epochs=2, seed=4, probe=PENALTIES)
Build = Callable[..., Network]


@pytest.fixture
def lesson(batches: Batches, targets: np.ndarray, compute: Compute, tmp_path: Path) -> Lesson:
    objective = OBJECTIVES[TargetKind.SINGLE_LABEL]

    def predict(network: Network, numbers: np.ndarray) -> Said:
        return predict_rows(network, batches.plain(numbers), objective.probabilities)

    def score(said: Said) -> dict[str, float]:
        right = said.probabilities[np.arange(len(VAL)), targets[VAL]]
        return {"log_likelihood": float(np.log(right).mean())}

    rows = [Row(Path(f"{number}.png")) for number in range(len(targets))]
    names = as_names(f"{number:016x}" for number in range(len(targets)))
    features = FeatureCache(
        rows, names, "32 px", "demo", RowStore("features", 10**9, pytest.fail, tmp_path)
    )
    loss = make_loss(TargetKind.SINGLE_LABEL, RECIPE.training, np.bincount(targets[TRAIN]))
    return Lesson(
        batches, features, TRAIN, VAL, targets, objective, loss, predict, score, "log_likelihood"
    )


def teach(
    network: Network,
    lesson: Lesson,
    compute: Compute,
    strategy: Strategy,
    on_epoch: Callable[[EpochLog], None] = lambda _: None,
    decide: Callable[[str, float], None] = lambda *_: pytest.fail("nothing was to be decided"),
    **changes: object,
) -> Learned:
    recipe = RECIPE.model_copy(update={"strategy": strategy, **changes})
    with TemporaryDirectory() as folder:
        checkpoints = Checkpoints(Path(folder) / "checkpoints")
        host = Host(compute, Silent(), on_epoch, checkpoints, Interruption(), decide)
        return learn(network, lesson, recipe, host)


def all_pixels(batches: Batches, numbers: np.ndarray) -> Tensor:
    return torch.cat([batch.pixels for batch in batches.plain(numbers)])


def test_lp_ft_starts_from_the_head_of_its_own_penalty(
    build: Build, lesson: Lesson, compute: Compute, targets: np.ndarray
) -> None:
    # The probe, another way: adapted statistics, features, scikit-learn.
    probed = build()
    rows = epoch_order(TRAIN, RECIPE.seed, 0)
    adapt_statistics(probed, lesson.batches.plain(rows), compute)
    with torch.inference_mode():
        features = {
            split: probed.embed(all_pixels(lesson.batches, numbers)).double().numpy()
            for split, numbers in (("train", TRAIN), ("val", VAL))
        }
    scaler = StandardScaler().fit(features["train"])
    model = LogisticRegression(C=1 / (L2 * len(TRAIN)), tol=1e-10, max_iter=10_000)
    model.fit(scaler.transform(features["train"]), targets[TRAIN])
    expected = model.decision_function(scaler.transform(features["val"]))

    network, at_the_start = build(), []

    class Watched:
        """The batches, with a look at the network as training asks for the first of them."""

        def __getattr__(self, name: str) -> object:
            return getattr(lesson.batches, name)

        def training(self, numbers: np.ndarray, epoch: int, **how: object) -> object:
            if epoch == 1:
                at_the_start.append(copy.deepcopy(network).eval())
            return lesson.batches.training(numbers, epoch, **how)

    learned = teach(network, replace(lesson, batches=Watched()), compute, Strategy.LP_FT)

    (start,) = at_the_start
    with torch.inference_mode():
        logits = start(all_pixels(lesson.batches, VAL))
        by_hand = torch.from_numpy(features["val"]).float() @ start.head.weight.T + start.head.bias
    assert torch.allclose(logits, by_hand, atol=1e-4)
    centred = logits.numpy() - logits.numpy().mean(axis=1, keepdims=True)
    assert np.abs(centred - (expected - expected.mean(axis=1, keepdims=True))).max() < 1e-2
    assert np.abs(expected).max() > 0.5
    assert learned.ended.ending is Ending.COMPLETED


def test_a_probe_moves_nothing_but_the_head(build: Build, lesson: Lesson, compute: Compute) -> None:
    network, logs = build(), []
    before = copy.deepcopy(network.state_dict())
    learned = teach(network, lesson, compute, Strategy.PROBE, logs.append)
    after = network.state_dict()
    moved = {
        name
        for name, tensor in before.items()
        if tensor.numpy().tobytes() != after[name].numpy().tobytes()
    }
    assert moved == {"head.weight", "head.bias"}
    assert [log.epoch for log in logs] == [0]
    assert (learned.epoch, learned.ended.ending) == (0, Ending.COMPLETED)
    assert logs[0].scores == learned.val.scores


def test_a_probe_s_own_probabilities_are_the_scoring_path_s(
    build: Build, lesson: Lesson, compute: Compute
) -> None:
    network = build()
    learned = teach(network, lesson, compute, Strategy.PROBE)
    assert np.allclose(
        learned.val.said.probabilities, lesson.predict(network, VAL).probabilities, atol=1e-5
    )


def test_the_probe_is_a_candidate_for_the_best_weights(
    build: Build, lesson: Lesson, compute: Compute
) -> None:
    network, logs, at_zero = build(), [], []

    def hear(log: EpochLog) -> None:
        logs.append(log)
        if log.epoch == 0:
            at_zero.append(copy.deepcopy(network.state_dict()))

    learned = teach(network, lesson, compute, Strategy.LP_FT, hear, lr=1e3)  # training only harms
    assert [log.improved for log in logs] == [True, *[False] * (len(logs) - 1)]
    assert learned.epoch == 0
    kept = network.state_dict()
    assert not torch.equal(kept["head.weight"], at_zero[0]["head.weight"])  # where it went on from
    said = lesson.predict(network, VAL).probabilities
    assert np.allclose(learned.val.said.probabilities, said, atol=1e-5)


def test_a_training_that_breaks_down_leaves_the_probe(
    build: Build, lesson: Lesson, compute: Compute
) -> None:
    class Broken(Loss):
        def __call__(self, logits: Tensor, targets: Tensor, done: float = 1.0) -> Tensor:
            return logits.sum() * float("inf")

    broken = Broken(**vars(lesson.loss))  # the probe asks for the losses of rows, which are whole
    learned = teach(build(), replace(lesson, loss=broken), compute, Strategy.LP_FT)
    assert learned.epoch == 0
    assert learned.ended.ending is Ending.DIVERGED
    assert "epoch 1, step 1" in learned.ended.where


@pytest.mark.parametrize(
    ("strategy", "epochs"),
    [
        (Strategy.PROBE, [0]),
        (Strategy.LP_FT, [0, 1, 2]),
        (Strategy.FINETUNE, [1, 2]),
        (Strategy.GRADUAL, [0, 1, 2]),
        (Strategy.PARTIAL, [0, 1, 2]),
        (Strategy.SCRATCH, [1, 2]),
    ],
)
def test_each_strategy_has_its_stages_and_ends_with_the_best_weights(
    build: Build, lesson: Lesson, compute: Compute, strategy: Strategy, epochs: list[int]
) -> None:
    network, logs = build(), []
    learned = teach(network, lesson, compute, strategy, logs.append)
    assert [log.epoch for log in logs] == epochs
    best = max(logs, key=lambda log: log.scores["log_likelihood"])
    assert learned.epoch == best.epoch
    assert learned.val.scores == best.scores
    assert np.allclose(
        lesson.predict(network, VAL).probabilities, learned.val.said.probabilities, atol=1e-5
    )


def test_one_seed_gives_one_result(build: Build, lesson: Lesson, compute: Compute) -> None:
    first, again = (teach(build(), lesson, compute, Strategy.LP_FT, lr=1e-2).val for _ in range(2))
    assert np.array_equal(first.said.probabilities, again.said.probabilities)
    assert first.scores == again.scores


def test_features_that_are_no_numbers_are_refused(
    build: Build, lesson: Lesson, compute: Compute
) -> None:
    network = build()
    with torch.no_grad():
        network.backbone.get_parameter("layer4.0.conv1.weight").fill_(float("nan"))
    with pytest.raises(TrainingError, match="its weights are broken"):
        teach(network, lesson, compute, Strategy.PROBE)


def test_every_picture_is_read_plain_once_for_a_probe(
    build: Build, lesson: Lesson, compute: Compute
) -> None:
    asked: list[int] = []

    class Counted:
        def plain(self, numbers: np.ndarray) -> list[Batch]:
            asked.extend(numbers.tolist())
            return list(lesson.batches.plain(numbers))

    teach(build(), replace(lesson, batches=Counted()), compute, Strategy.PROBE)
    assert sorted(asked) == [*TRAIN.tolist(), *VAL.tolist()]


def test_a_second_probe_reads_no_picture(build: Build, lesson: Lesson, compute: Compute) -> None:
    first = teach(build(), lesson, compute, Strategy.PROBE)

    class Unread:
        def plain(self, numbers: np.ndarray) -> list[Batch]:
            pytest.fail(f"{len(numbers)} rows were read")

    logs: list[EpochLog] = []
    again = teach(build(), replace(lesson, batches=Unread()), compute, Strategy.PROBE, logs.append)
    assert np.array_equal(again.val.said.probabilities, first.val.said.probabilities)
    assert logs[0].rows_per_second == 0


def test_a_probe_is_fitted_on_passes_of_views_as_well(
    build: Build, lesson: Lesson, compute: Compute, targets: np.ndarray
) -> None:
    fitted = []

    class Noted:
        """The batches; in epoch 2 the views are negatives."""

        def __getattr__(self, name: str) -> object:
            return getattr(lesson.batches, name)

        def training(self, numbers: np.ndarray, epoch: int) -> object:
            fitted.append((epoch, sorted(numbers.tolist())))
            for batch in lesson.batches.training(numbers, epoch):
                yield batch._replace(pixels=255 - batch.pixels if epoch == 2 else batch.pixels)

    noted = replace(lesson, batches=Noted())
    settings = ProbeSettings(l2=(L2,), iterations=500, views=2)
    learned = teach(build(), noted, compute, Strategy.PROBE, probe=settings)
    assert fitted == [(1, TRAIN.tolist()), (2, TRAIN.tolist())]

    network = build().eval()
    pixels = all_pixels(lesson.batches, TRAIN)
    with torch.inference_mode():
        features = network.embed(torch.cat([pixels, pixels, 255 - pixels])).numpy()
        of_val = network.embed(all_pixels(lesson.batches, VAL)).numpy()
    scaler = StandardScaler().fit(features)
    model = LogisticRegression(C=1 / (L2 * len(features)), tol=1e-10, max_iter=10_000)
    model.fit(scaler.transform(features), np.tile(targets[TRAIN], 3))
    expected = model.predict_proba(scaler.transform(of_val))
    assert (
        np.abs(learned.val.said.probabilities - expected).max() < 1e-2
    )  # ill-conditioned: float16 moves it

    teach(build(), noted, compute, Strategy.PROBE, probe=settings)
    assert len(fitted) == 2  # a second time nothing is computed


def bits(network: Network) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in network.state_dict().items()}


def test_partial_leaves_what_it_freezes_as_it_was_to_the_bit(
    build: Build, lesson: Lesson, compute: Compute
) -> None:
    network = build()
    before = bits(network)
    training = RECIPE.training.model_copy(
        update={"frozen_to": "layer3", "batch_statistics": "updated", "weight_decay": 0.5}
    )
    better = iter([{"log_likelihood": score} for score in (-3.0, -2.0, -1.0)])
    judged = replace(lesson, score=lambda _: next(better))
    learned = teach(network, judged, compute, Strategy.PARTIAL, lr=1e-2, training=training)
    assert learned.epoch == 2
    moved = {name for name, content in bits(network).items() if content != before[name]}
    assert {name.split(".")[1] for name in moved} == {"layer4", "weight", "bias"}


def test_partial_freezes_the_lower_half_unless_told_otherwise() -> None:
    first_stage = WAYS[Strategy.PARTIAL].trains
    assert first_stage is not None
    assert {first_stage(epoch, 10, 5, 3) for epoch in range(1, 11)} == {3}


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        (10, [4, 3, 2, 1, 0, 0, 0, 0, 0, 0]),
        (20, [4, 4, 3, 3, 2, 2, 1, 1, *[0] * 12]),
        (4, [4, 2, 0, 0]),
        (1, [4]),
    ],
)
def test_gradual_opens_the_stages_from_the_head_in_the_first_half(
    epochs: int, expected: list[int]
) -> None:
    first_stage = WAYS[Strategy.GRADUAL].trains
    assert first_stage is not None
    assert [first_stage(epoch, epochs, 5, 3) for epoch in range(1, epochs + 1)] == expected


def test_a_found_learning_rate_is_kept_and_used(
    build: Build, lesson: Lesson, compute: Compute
) -> None:
    kept: dict[str, float] = {}
    logs: list[EpochLog] = []
    teach(build(), lesson, compute, Strategy.FINETUNE, logs.append, kept.__setitem__, lr="auto")
    (found,) = kept.values()
    assert list(kept) == ["lr"]
    assert 0 < max(log.lr for log in logs) <= found
    again: list[EpochLog] = []
    teach(build(), lesson, compute, Strategy.FINETUNE, again.append, lr=found)
    assert [(log.loss, log.lr) for log in again] == [(log.loss, log.lr) for log in logs]
