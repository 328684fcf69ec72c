import os
import signal
import threading

import pytest

from transfer.finetuning.interruption import Interruption, Terminated


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]
)
def test_a_signal_waits_until_the_step_is_whole(
    number: signal.Signals, kind: type[KeyboardInterrupt]
) -> None:
    interruption, done = Interruption(), []

    def steps() -> None:
        with interruption.whole():
            send(number)
            done.append("the rest of the step")
        done.append("the next step")

    with interruption.heeded(), pytest.raises(KeyboardInterrupt) as raised:
        steps()
    assert raised.type is kind
    assert done == ["the rest of the step"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_between_steps_a_signal_is_heeded_at_once(number: signal.Signals) -> None:
    with Interruption().heeded(), pytest.raises(KeyboardInterrupt):
        send(number)


def test_a_signal_inside_nested_steps_waits_for_the_outermost() -> None:
    interruption, done = Interruption(), []

    def steps() -> None:
        with interruption.whole():
            with interruption.whole():
                send(signal.SIGINT)
            done.append("still whole")

    with interruption.heeded(), pytest.raises(KeyboardInterrupt):
        steps()
    assert done == ["still whole"]


def test_a_signal_is_raised_once() -> None:
    interruption = Interruption()

    def step() -> None:
        with interruption.whole():
            send(signal.SIGINT)

    with interruption.heeded():
        with pytest.raises(KeyboardInterrupt):
            step()
        with interruption.whole():
            pass


def test_an_error_of_the_step_comes_before_the_signal() -> None:
    interruption = Interruption()

    def step() -> None:
        with interruption.whole():
            send(signal.SIGINT)
            raise ArithmeticError

    with interruption.heeded(), pytest.raises(ArithmeticError):
        step()


def test_the_handlers_of_before_are_back_afterwards() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Interruption().heeded():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_another_thread_than_the_main_one_leaves_signals_alone() -> None:
    before, seen = signal.getsignal(signal.SIGTERM), []

    def work() -> None:
        with Interruption().heeded():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
