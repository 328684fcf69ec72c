import sys
from collections.abc import Iterator

import pytest
import torch

from transfer.errors import RecipeError
from transfer.finetuning.devices import Compute, choose_compute, loader_workers
from transfer.processes import Alone, Share
from transfer.settings import MachineSettings

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def _process_as_it_was() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "Card 1")


def on_processor(monkeypatch: pytest.MonkeyPatch, **has: bool) -> Compute:
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: has)
    return choose_compute(MachineSettings())


@pytest.mark.usefixtures("no_card")
@pytest.mark.parametrize(
    ("has", "precision", "word"),
    [
        ({"avx2": True, "avx512_bf16": True}, "bf16", "avx512_bf16"),
        ({"amx_bf16": True, "avx512_bf16": False}, "bf16", "amx_bf16"),
        ({"avx512_bf16": False, "avx512_vnni": True}, "fp32", "no bf16 instructions"),
        ({}, "fp32", "no bf16 instructions"),
    ],
)
def test_bf16_is_chosen_where_the_processor_has_it_built_in(
    monkeypatch: pytest.MonkeyPatch, has: dict[str, bool], precision: str, word: str
) -> None:
    compute = on_processor(monkeypatch, **has)
    assert (compute.device, compute.precision) == (CPU, precision)
    assert word in compute.reason
    assert compute.reason in compute.describe()


@pytest.mark.usefixtures("no_card")
@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_a_precision_that_was_asked_for_is_taken(
    monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", dict)
    compute = choose_compute(MachineSettings(precision=precision))
    assert (compute.precision, compute.reason) == (precision, "as asked")


@pytest.mark.usefixtures("card")
@pytest.mark.parametrize(("has", "precision"), [(True, "bf16"), (False, "fp32")])
def test_a_card_decides_for_itself(
    monkeypatch: pytest.MonkeyPatch, precision: str, *, has: bool
) -> None:
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda *, including_emulation: has)
    compute = choose_compute(MachineSettings())
    assert (compute.device, compute.precision) == (CUDA, precision)
    assert compute.describe().startswith("cuda, Card 1, ")


@pytest.mark.usefixtures("card")
def test_the_cpu_is_taken_where_it_is_asked_for() -> None:
    assert choose_compute(MachineSettings(device="cpu")).device == CPU


@pytest.mark.usefixtures("no_card")
def test_a_card_that_is_not_here_is_refused() -> None:
    with pytest.raises(RecipeError, match="no CUDA device here; take auto or cpu"):
        choose_compute(MachineSettings(device="cuda"))


@pytest.mark.usefixtures("no_card")
def test_threads_are_as_asked_else_torch_s_own() -> None:
    torch.set_num_threads(2)
    assert choose_compute(MachineSettings()).threads == 2
    assert choose_compute(MachineSettings(threads=1)).threads == torch.get_num_threads() == 1


@pytest.mark.usefixtures("no_card")
def test_scores_do_not_depend_on_tf32() -> None:
    torch.backends.cudnn.allow_tf32 = True
    choose_compute(MachineSettings())
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


@pytest.mark.usefixtures("no_card")
@pytest.mark.parametrize("missing", [OSError, AttributeError])
def test_a_c_library_without_that_switch_does_no_harm(
    monkeypatch: pytest.MonkeyPatch, missing: type[Exception]
) -> None:
    def refuse(_: object) -> object:
        raise missing

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("ctypes.CDLL", refuse)
    assert choose_compute(MachineSettings()).device == CPU


def test_bf16_is_for_what_is_computed_in_its_context_alone() -> None:
    layer, pixels = torch.nn.Linear(4, 4), torch.rand(2, 4)
    for precision, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        with Compute(CPU, precision, 1, "a test").autocast():
            assert layer(pixels).dtype == dtype
        assert layer(pixels).dtype == torch.float32


@pytest.mark.parametrize(
    ("device", "wish", "cores", "expected"),
    [(CPU, None, 8, 0), (CPU, 3, 8, 3), (CUDA, None, 8, 7), (CUDA, None, 1, 1), (CUDA, 0, 8, 0)],
)
def test_pictures_are_read_by_processes_only_beside_a_card(
    monkeypatch: pytest.MonkeyPatch,
    device: torch.device,
    wish: int | None,
    cores: int,
    expected: int,
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)), raising=False)
    compute = Compute(device, "fp32", 1, "a test")
    assert loader_workers(MachineSettings(workers=wish), compute) == expected


class FourHere(Alone):
    share = Share(2, 8, 2, 4)


@pytest.mark.usefixtures("no_card")
def test_processes_of_a_machine_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(9)), raising=False)
    torch.set_num_threads(1)  # as launchers have it
    compute = choose_compute(MachineSettings(), FourHere())
    assert compute.threads == torch.get_num_threads() == 2
    assert compute.describe().startswith("cpu, 8 processes of 2 threads, ")
    assert choose_compute(MachineSettings(threads=3), FourHere()).threads == 3
    card = Compute(CUDA, "fp32", 1, "a test", FourHere())
    assert loader_workers(MachineSettings(), card) == 1


@pytest.mark.usefixtures("card")
def test_each_process_of_a_machine_takes_a_card_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = list[int]()
    monkeypatch.setattr("torch.cuda.set_device", taken.append)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda **_: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    assert choose_compute(MachineSettings(), FourHere()).device == torch.device("cuda", 2)
    assert taken == [2]
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    with pytest.raises(RecipeError, match="4 processes on a machine with 3 CUDA card.s.: "):
        choose_compute(MachineSettings(), FourHere())
