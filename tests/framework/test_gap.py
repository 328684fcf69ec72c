"""The gap between honest and leaky splits, on pictures that show which scene they are from."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from transfer.assembly import Place
from transfer.errors import ManifestError
from transfer.experiment import RunResult, run
from transfer.gap import Gap, gap_plans, measure_gap
from transfer.overlay import Layer
from transfer.plan import Plan, make_plan
from transfer.plugin.discovery import load_task
from transfer.progress import Silent
from transfer.settings import SplitSettings

pytestmark = pytest.mark.usefixtures("own_caches")
SETTINGS = {
    "backbone": "test_resnet", "weights": "none", "strategy": "probe", "size": 32,
    "batch_size": 32, "machine": {"device": "cpu", "threads": 1},
    "split": {"val": 0.3, "test": 0.2},
}  # fmt: skip
SCENES, PICTURES = 80, 3  # enough scenes in val for an interval


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("confusion_matrix", "learning_curves", "picture_grid", "reliability_diagram"):
        monkeypatch.setattr(f"transfer.logbook.{name}", lambda *_, **__: b"drawn")


@pytest.fixture
def planned(tmp_path: Path) -> Callable[..., Plan]:
    """Scenes of one colour each, whose label has nothing to do with it."""

    def plan(*, grouped: bool = True, **settings: Any) -> Plan:
        rng, lines = np.random.default_rng(0), ["image,label,group"]
        for scene in range(SCENES):
            tint = rng.integers(40, 216, 3)
            for number in range(PICTURES):
                name = f"{scene}-{number}.png"
                pixels = np.clip(rng.normal(tint, 8, (32, 32, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / name)
                group = f"scene {scene}" if grouped else ""
                lines.append(f"{name},{('cat', 'dog')[scene % 2]},{group}")
        (tmp_path / "table.csv").write_text("\n".join(lines))
        layers = [Layer("test", SETTINGS), Layer("test", settings)]
        task, data = load_task("labelled_images"), tmp_path / "table.csv"
        return make_plan(task, data, layers, find_model=pytest.fail, progress=Silent())

    return plan


class Watching(Silent):
    """Counts the rows whose features are computed."""

    def __init__(self) -> None:
        self.computed = 0

    @contextmanager
    def step(self, what: str, total: int, unit: str) -> Iterator[Any]:
        yield SimpleNamespace(advance=self.count if what == "features" else lambda *_: None)

    def count(self, rows: int) -> None:
        self.computed += rows


def run_with(recorders: list[Any], kind: type, progress: Silent) -> Callable[[Plan], RunResult]:
    def run_one(plan: Plan) -> RunResult:
        recorders.append(kind())
        with TemporaryDirectory() as folder:
            place = Place(pytest.fail, Path(folder).joinpath)
            return run(plan, recorders[-1], progress, place, log_pictures=False)

    return run_one


def test_both_plans_have_the_same_rows_and_no_test(planned: Callable[..., Plan]) -> None:
    plan = planned()
    honest, leaky = gap_plans(plan)
    before = plan.manifest.rows
    for part in (honest, leaky):
        assert sorted(part.manifest.rows["key"]) == sorted(before["key"][before["split"] != "test"])
        assert len(part.manifest.numbers("test")) == 0
        assert len(part.manifest.numbers("val")) == len(plan.manifest.numbers("val"))
    splits = honest.manifest.rows.set_index("key")["split"]
    assert (splits == before.set_index("key")["split"][splits.index]).all()

    def divided(part: Plan) -> int:
        scene = part.manifest.rows["image"].str.split("-").str[0]
        return int((part.manifest.rows["split"].groupby(scene).nunique() > 1).sum())

    assert divided(honest) == 0
    assert divided(leaky) > SCENES / 2
    assert honest.settled.recipe.split.ignore_groups is False
    assert leaky.settled.recipe.split.ignore_groups is True
    SplitSettings.model_validate(leaky.settled.recipe.split.model_dump())  # can be replayed


def test_a_leak_is_seen_and_said(planned: Callable[..., Plan], recorder: Any) -> None:
    runs: list[Any] = []
    progress = Watching()
    plan = planned()
    gap = measure_gap(plan, recorder, progress, run_with(runs, type(recorder), progress))
    honest, leaky = (part.val["balanced_accuracy"] for part in gap.repeated.parts)
    assert honest < 0.7
    assert leaky > 0.8
    assert gap.difference == leaky - honest
    assert (gap.groups, gap.rows) == (
        plan.manifest.rows.query("split != 'test'")["group"].nunique(),
        (plan.manifest.rows["split"] != "test").sum(),
    )
    assert 0 < gap.low < gap.difference < gap.high
    points = f"{gap.difference * 100:.1f}"
    assert gap.words().startswith(
        f"a split that ignores groups makes balanced_accuracy look {points} points better [+"
    )
    assert gap.words().endswith("a leak; believe the split that keeps groups whole")
    assert recorder.numbers["gap/balanced_accuracy", 0] == gap.difference
    assert recorder.tags["transfer.found"] == gap.words()
    assert recorder.files["scores/gap.csv"].decode().splitlines()[1].startswith("whole,")
    assert [kept.run.parent for kept in runs] == ["recorded", "recorded"]
    assert [kept.run.params["split.ignore_groups"] for kept in runs] == ["false", "true"]
    assert (recorder.status, recorder.run.name, gap.repeated.name) == ("FINISHED", *[plan.name] * 2)
    plans = gap_plans(plan)  # features to fit on and features to be judged by are kept apart
    keys = [
        {*plans[number].manifest.rows.query(f"split == '{split}'")["key"]}
        for split in ("train", "val")
        for number in (0, 1)
    ]
    assert progress.computed == len(keys[0] | keys[1]) + len(keys[2] | keys[3])
    assert progress.computed < sum(map(len, keys))


def test_rows_that_stand_alone_have_no_gap(planned: Callable[..., Plan]) -> None:
    with pytest.raises(ManifestError, match="is a group of its own, so that no split divides any"):
        gap_plans(planned(grouped=False))


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((0.041, 0.012, 0.07), "look 4.1 points better [+1.2, +7.0]: a leak; believe"),
        ((0.01, -0.02, 0.04), "look 1.0 points better [-2.0, +4.0]: by chance alone it could be"),
        ((-0.01, -0.02, 0.04), "look 1.0 points worse [-2.0, +4.0]: by chance alone"),
        ((0.0004, -0.02, 0.02), "look no better [-2.0, +2.0]: by chance alone"),
        ((0.03, None, None), "look 3.0 points better"),
        ((None, None, None), "a run did not finish, so that there is nothing to compare"),
    ],
)
def test_a_gap_is_put_into_words(numbers: tuple[float | None, ...], said: str) -> None:
    gap = Gap("kappa", 10, 5, None, *numbers)
    assert said in gap.words()
