"""Mistakes at the command line: one message with what was seen, where, and what to do; exit 2."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from transfer.plugin.discovery import installed_tasks

Command = Callable[..., Any]
Folders = Callable[..., Path]


@pytest.fixture
def refusal(command_line: Command, tmp_path: Path) -> Callable[..., str]:
    """Type a command that is refused; return its one message. Nothing of a run is left behind."""

    def refuse(*arguments: object, code: int = 2) -> str:
        out = ["--out", tmp_path / "runs"] if arguments[0] == "fit" else []
        typed = command_line(*arguments, *(out if "--out" not in arguments else ()))
        assert typed.code == code, typed
        assert "Traceback" not in typed.err
        notes, _, message = typed.err.rpartition("error      ")
        assert all(line.startswith("note  ") for line in notes.splitlines())
        assert not list((tmp_path / "runs").rglob("*.*"))
        return str(message)

    return refuse


@pytest.fixture
def data(class_folders: Folders) -> Path:
    return class_folders({"cat": 12, "dog": 12})


@pytest.fixture(autouse=True)
def _no_weights_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "hub"))


def test_no_such_task(refusal: Callable[..., str], data: Path) -> None:
    message = refusal("fit", "satelite_vegetation", "--data", data)
    assert message.startswith("no task named 'satelite_vegetation'. did you mean 'satellite_")
    installed = ", ".join(entry.name for entry in installed_tasks())
    assert f"Installed: {installed}" in message


def test_no_such_folder(refusal: Callable[..., str], data: Path) -> None:
    wrong = data.with_name("pictrues")
    message = refusal("fit", "labelled_images", "--data", wrong)
    assert message.strip() == f"no folder or table {str(wrong)!r}; did you mean {str(data)!r}?"


def test_an_empty_folder(refusal: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    message = refusal("fit", "labelled_images", "--data", tmp_path / "empty")
    assert message.startswith(f"{str(tmp_path / 'empty')!r} has no layout that is known. Found: no")
    assert "Tried: class folders" in message


def test_a_folder_of_loose_pictures(refusal: Callable[..., str], data: Path) -> None:
    message = refusal("fit", "labelled_images", "--data", data / "cat")
    assert "Found: 12 pictures directly in the folder, no class folders" in message


def test_a_class_with_one_image(refusal: Callable[..., str], class_folders: Folders) -> None:
    data = class_folders({"common": 12, "rare one": 1})
    message = refusal("fit", "labelled_images", "--data", data)
    assert "class 'rare one' has 1 for train, val, test" in message
    assert "add pictures of the class, leave the class out, or give the splits" in message


def test_one_class_only(refusal: Callable[..., str], class_folders: Folders) -> None:
    message = refusal("fit", "labelled_images", "--data", class_folders({"cat": 3}))
    assert "all 3 picture(s)" in message
    assert "needs at least two classes" in message


def spoil(data: Path) -> list[str]:
    """Add files that are no readable pictures; return their names in order."""
    good = (data / "cat" / "cat 0.png").read_bytes()
    spoilt = {
        "cat/cut off é.png": good[: len(good) // 2],
        "cat/empty.png": b"",
        "dog/text.jpg": b"no picture",
    }
    for name, content in spoilt.items():
        (data / name).write_bytes(content)
    (data / "dog" / "to nowhere.png").symlink_to(data / "nothing")
    return [*spoilt, "dog/to nowhere.png"]


def test_files_that_cannot_be_read_are_told_in_one_line_and_left_out(
    command_line: Command, class_folders: Folders, tmp_path: Path
) -> None:
    data = class_folders({"cat": 20, "dog": 20})
    names = spoil(data)
    typed = command_line(
        "fit", "labelled_images", "--data", data, "--weights", "none", "--dry-run",
        "--out", tmp_path / "runs",
    )  # fmt: skip
    assert typed.code == 0
    (note,) = typed.err.splitlines()
    assert note.startswith(f"note       left out 4 file(s) that cannot be read: {names[0]!r}, ")
    assert all(repr(name) in note for name in names)
    assert "data       40 pictures" in typed.out


def test_more_than_a_tenth_of_bad_files_stops(refusal: Callable[..., str], data: Path) -> None:
    names = spoil(data)
    message = refusal("fit", "labelled_images", "--data", data)
    assert f"4 of 28 pictures of {str(data)!r} cannot be read, more than 10%" in message
    assert all(repr(name) in message for name in names)
    assert "mend or remove them" in message


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "read only"
    folder.mkdir(mode=0o555)
    if os.access(folder, os.W_OK):
        pytest.skip("this user may write everywhere")
    yield folder
    folder.chmod(0o755)


def test_a_read_only_output_folder(
    refusal: Callable[..., str], data: Path, read_only: Path
) -> None:
    message = refusal("fit", "labelled_images", "--data", data, "--out", read_only / "runs")
    assert f"cannot write to {str(read_only / 'runs')!r}: Permission denied" in message
    assert "choose a folder you may write to with --out" in message


@pytest.mark.parametrize("where", ["a file", "a file/runs"])
def test_an_output_folder_that_is_a_file(
    refusal: Callable[..., str], data: Path, tmp_path: Path, where: str
) -> None:
    (tmp_path / "a file").write_text("mine")
    message = refusal("fit", "labelled_images", "--data", data, "--out", tmp_path / where)
    assert message.startswith(f"cannot write to {str(tmp_path / where)!r}: ")
    assert "choose a folder you may write to with --out" in message
    assert (tmp_path / "a file").read_text() == "mine"


def test_a_size_under_the_stride(refusal: Callable[..., str], data: Path) -> None:
    message = refusal("fit", "labelled_images", "--data", data, "--size", 16, "--weights", "none")
    assert message.startswith("size = 16: resnet18 reduces a picture 32 times")
    assert "take --size 32 or more" in message


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            "--set training.pateince=3",
            "training.pateince: no such setting; did you mean training.p",
        ),
        ("--set task.flop=true", "task.flop: no such setting; did you mean task.flip?"),
        ("--set patience", "--set 'patience': write --set key=value, as in training.patience=3"),
        ("--set training.patience=soon", "training.patience = 'soon': "),
        ("--epochs 0", "epochs = 0: "),
        ("--size 3", "size = 3: "),
        ("--lr -1", "lr = '-1': a learning rate is a number above 0"),
        ("--strategy finetuen", "strategy = 'finetuen': Input should be 'probe', 'finetune', 'lp"),
        ("--set split.val=0.6 --set split.test=0.5", "= 1.1 leaves no row to train on"),
        ("--backbone resnet19", "backbone 'resnet19' is no model of timm; did you mean resnet18"),
        ("--backbone resnet18", "no weights of 'resnet18.tv_in1k' on this machine; choose --weig"),
        ("--backbone resnet18 --weights starter", "weights = 'starter' are of resnet10t, not of r"),
        ("--strategy scratch --weights starter", "strategy = scratch starts from nothing, but we"),
        ("--weights nothing.safetensors", "no weights file 'nothing.safetensors'"),
        ("--weights my-earlier-run", "weights = 'my-earlier-run' is none of auto, starter, none,"),
        ("--split my-earlier-run", "no run 'my-earlier-run'"),
        ("--recipe nothing.toml", "no recipe file 'nothing.toml'"),
        ("--set machine.device=cuda", "machine.device = 'cuda': torch sees no CUDA device here"),
        ("--tracking-uri localhost", "tracking URI 'localhost' is no http://host:port and no"),
    ],
)
def test_a_setting_that_cannot_be(
    refusal: Callable[..., str],
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: str,
    expected: str,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    message = refusal("fit", "labelled_images", "--data", data, *options.split())
    assert expected in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image,lable\ncat/cat 0.png,cat\n", "but no ['label']; did you mean 'label' by 'lable'?"),
        ("file,class\ncat/cat 0.png,cat\n", "has columns ['file', 'class'] but no ['image', 'lab"),
        ("image,label,groups\ncat/cat 0.png,a,1\n", "did you mean 'group' by 'groups'?"),
        ("image,label\ncat/cat 0.png,cat\ncat/cat 1.png,\n", "line 3: empty label"),
        ("image,label,split\ncat/cat 0.png,cat,dev\n", "line 2: split 'dev' is none of ['train',"),
        (
            "image,label,key\ncat/cat 0.png,cat,1\n",
            "rename column(s) ['key'], which are made later",
        ),
        ("image,label\ncat/cat 0.png,cat\ncat/cta.png,dog\n", "1 of 2 pictures do not exist below"),
        ("image,label\n", "no rows in"),
        ("", "cannot be read"),
    ],
)
def test_a_table_that_is_not_right(
    refusal: Callable[..., str], data: Path, text: str, expected: str
) -> None:
    (data / "table é.csv").write_text(text)
    message = refusal("fit", "labelled_images", "--data", data / "table é.csv")
    assert expected in message
    assert str(data) in message


def test_a_file_that_is_no_table(refusal: Callable[..., str], data: Path) -> None:
    message = refusal("fit", "labelled_images", "--data", data / "cat" / "cat 0.png")
    assert "is neither a folder nor a table (.csv, .tsv, .parquet)" in message
