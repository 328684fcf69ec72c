import random
from pathlib import Path

import numpy as np
import pytest
import torch

from transfer.errors import CheckpointError, OutputError
from transfer.finetuning.checkpoint import Checkpoints, random_states, set_random_states

CPU = torch.device("cpu")


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "run")


def state(number: float) -> dict[str, object]:
    return {"weights": {"a": torch.full((2,), number)}, "place": {"epoch": 1, "loss": 0.5}}


def weights(checkpoints: Checkpoints) -> list[float]:
    loaded = checkpoints.load()
    assert loaded is not None
    numbers: list[float] = loaded["weights"]["a"].tolist()
    return numbers


def test_what_is_saved_comes_back(checkpoints: Checkpoints) -> None:
    assert checkpoints.load() is None
    assert not checkpoints.exist()
    checkpoints.save(state(1.0), 1)
    loaded = checkpoints.load()
    assert loaded is not None
    assert loaded["place"] == {"epoch": 1, "loss": 0.5}
    assert torch.equal(loaded["weights"]["a"], torch.ones(2))
    assert checkpoints.exist()


def test_only_the_newest_is_kept(checkpoints: Checkpoints) -> None:
    for step in (9, 10, 100):
        checkpoints.save(state(step), step)
    assert len(list(checkpoints.folder.iterdir())) == 1
    assert weights(checkpoints) == [100.0, 100.0]


def test_of_two_that_a_crash_left_the_later_counts(checkpoints: Checkpoints) -> None:
    checkpoints.save(state(1), 1)
    (older,) = checkpoints.folder.iterdir()
    content = older.read_bytes()
    checkpoints.save(state(2), 2)
    older.write_bytes(content)  # as if the process had died before it was deleted
    assert weights(checkpoints) == [2.0, 2.0]


@pytest.mark.parametrize("place", [0, 100, -1])
def test_one_changed_byte_is_damage(checkpoints: Checkpoints, place: int) -> None:
    checkpoints.save(state(1), 1)
    (file,) = checkpoints.folder.iterdir()
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match="is damaged"):
        checkpoints.load()


def test_code_in_a_checkpoint_is_never_run(checkpoints: Checkpoints) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return exec, ("raise SystemExit('code was run')",)

    checkpoints.save({"weights": Trap()}, 1)
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoints.load()


def test_a_full_disk_leaves_the_last_one_as_it_is(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints.save(state(1), 1)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match=r"No space left on device.*transfer resume"):
        checkpoints.save(state(2), 2)
    monkeypatch.undo()
    assert weights(checkpoints) == [1.0, 1.0]
    assert len(list(checkpoints.folder.iterdir())) == 1


def test_random_states_come_back_all_three() -> None:
    states = random_states(CPU)

    def draw() -> tuple[float, float, float]:
        return float(torch.rand(())), float(np.random.rand()), random.random()  # noqa: NPY002, S311  # global

    first = draw()
    assert draw() != first
    set_random_states(states, CPU)
    assert draw() == first


def test_random_states_survive_a_checkpoint(checkpoints: Checkpoints) -> None:
    random.gauss(0, 1)  # leaves half a pair behind in Python's state
    np.random.randn()  # noqa: NPY002  # and in numpy's
    checkpoints.save({"random": random_states(CPU)}, 1)
    expected = float(torch.rand(())), np.random.randn(), random.gauss(0, 1)  # noqa: NPY002  # global
    loaded = checkpoints.load()
    assert loaded is not None
    set_random_states(loaded["random"], CPU)
    assert (float(torch.rand(())), np.random.randn(), random.gauss(0, 1)) == expected  # noqa: NPY002


def test_a_run_that_is_over_leaves_nothing(checkpoints: Checkpoints) -> None:
    checkpoints.save(state(1), 1)
    checkpoints.remove()
    assert not checkpoints.folder.exists()
