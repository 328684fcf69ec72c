"""What a run came to, for a person: scores, exit codes, and what to type next."""

import shlex
from pathlib import Path

import pandas as pd
import pytest
import typer

from transfer.cli.outcome import resumable, tell, tell_repeated
from transfer.experiment import RunResult
from transfer.finetuning.interruption import Terminated
from transfer.repeats import Repeated

RESULT = RunResult(
    run_id="0123456789abcdef",
    name="it's mine",
    task="demo",
    status="FINISHED",
    ended="completed",
    digest="0",
    epoch=2,
    val={"macro_ap": 0.5, "macro_ap_low": 0.25, "macro_ap_high": 0.75, "ece": 0.125, "own": 1.0},
    test={"rank_1": 0.875},
)
OUT, SERVER = Path("my runs"), "http://localhost:5000"


def changed(**changes: object) -> RunResult:
    return RunResult(**{**vars(RESULT), **changes})


def repeated(**changes: object) -> Repeated:
    about = {
        "run_id": "89ab", "name": "both", "status": "FINISHED", "ended": "completed",
        "scores": {}, "table": pd.DataFrame(), "parts": (RESULT, changed(test={})),
    }  # fmt: skip
    return Repeated(**{**about, **changes})


def test_leaks_stand_beside_the_scores(capsys: pytest.CaptureFixture[str]) -> None:
    tell(RESULT, OUT, None)
    assert "audit" not in capsys.readouterr().out
    tell(changed(audit="leaks allowed: 1 group"), OUT, None)
    said = "audit      leaks allowed: 1 group; these scores look better than they are"
    assert said in capsys.readouterr().out.splitlines()
    tell_repeated(repeated(audit="groups ignored"), OUT, None)
    assert "audit      groups ignored" in capsys.readouterr().out


@pytest.mark.parametrize(("signal", "code"), [(KeyboardInterrupt, 130), (Terminated, 143)])
def test_what_was_ended_before_it_had_weights_can_still_go_on(
    capsys: pytest.CaptureFixture[str], signal: type[KeyboardInterrupt], code: int
) -> None:
    with pytest.raises(typer.Exit) as ended, resumable(OUT, SERVER):
        raise signal("it's mine")
    assert ended.value.exit_code == code
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "killed     before there were weights to keep. To go on:"
    options = ["--out", "my runs", "--tracking-uri", SERVER]
    assert shlex.split(said[1]) == ["transfer", "resume", "it's mine", *options]


def test_a_run_of_several_processes_goes_on_with_as_many(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(typer.Exit), resumable(OUT, None):
        raise Terminated("mine")
    advice = "torchrun --nproc-per-node 4 -m transfer resume mine --out 'my runs'"
    assert capsys.readouterr().err.splitlines()[1].strip() == advice


def test_what_was_ended_before_there_was_a_run_says_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(KeyboardInterrupt), resumable(OUT, None):
        raise KeyboardInterrupt
    assert capsys.readouterr().err == ""


def test_scores_that_are_no_number_are_named_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    scores = {"rank_1": float("nan"), "eer": 0.25, "macro_f1": float("nan")}
    tell(changed(test=scores), OUT, None)
    said = capsys.readouterr().out
    unsaid = "(no rank_1, macro_f1: too few; their notes in scores/ say of what)"
    assert f"test       eer 0.250  {unsaid}\n" in said


def test_scores_of_every_kind_are_said_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    tell(RESULT, OUT, None)
    said = capsys.readouterr().out
    assert "val        macro_ap 0.500 [0.250, 0.750]  ece 0.125\n" in said
    assert "test       rank_1 0.875\n" in said
    assert "weights of epoch 2\n" in said


@pytest.mark.parametrize(
    ("status", "ended", "code"),
    [
        ("KILLED", "interrupted: in epoch 2", 130),
        ("KILLED", "terminated: in epoch 2", 143),
        ("FAILED", "diverged: the loss became nan", 2),
    ],
)
def test_one_run_and_several_end_with_the_same_code(
    capsys: pytest.CaptureFixture[str], status: str, ended: str, code: int
) -> None:
    with pytest.raises(typer.Exit) as one:
        tell(changed(status=status, ended=ended), OUT, None)
    with pytest.raises(typer.Exit) as several:
        tell_repeated(repeated(status=status, ended=ended), OUT, None)
    assert one.value.exit_code == several.value.exit_code == code
    said = capsys.readouterr()
    assert said.err.count(f"{status.lower():<10} {ended}\n") == 2
    assert "next" not in said.out


def test_several_runs_are_said_each_and_together(capsys: pytest.CaptureFixture[str]) -> None:
    scores = {"accuracy": 0.7, "accuracy_low": 0.6, "accuracy_high": 0.8}
    tell_repeated(repeated(scores=scores), OUT, SERVER)
    assert capsys.readouterr().out.splitlines() == [
        "it's mine  rank_1 0.875",
        "it's mine  macro_ap 0.500 [0.250, 0.750]  ece 0.125",  # val, where test is not looked at
        "pooled     accuracy 0.700 [0.600, 0.800]",
        "run        both (89ab), 2 runs below it; the test rows were not looked at",
        f"next       transfer ui --store 'my runs' --tracking-uri {SERVER}",
    ]
