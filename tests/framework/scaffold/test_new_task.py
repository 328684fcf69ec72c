from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from transfer.errors import OutputError, TaskNameError
from transfer.scaffold.new_task import check_name, write_task

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
@pytest.mark.usefixtures("one_process", "own_caches")
def test_a_new_package_is_whole_its_tests_pass_and_its_promises_are_kept(
    command_line: Callable[..., Any], pip_install: Callable[[Path], None], tmp_path: Path
) -> None:
    typed = command_line("new", "sea_shells", "--out", tmp_path)
    assert typed.code == 0
    folder = tmp_path / "sea_shells"
    assert f"pip install -e {folder}" in typed.out
    assert str(folder / "src/sea_shells/task.py") in typed.out
    assert not [path for path in folder.rglob("*") if "template" in path.name]
    assert not [path for path in folder.rglob("*.*") if "$" in path.read_text()]
    pip_install(folder)
    # In this process, as another would take seconds to import all that is here already.
    inner = ["-q", "-p", "no:xdist", "-p", "no:cacheprovider", "-c", str(folder / "pyproject.toml")]
    assert pytest.main([*inner, str(folder / "tests")]) == 0
    assert "sea-shells" in command_line("tasks").out


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "sea_shells").mkdir()
    with pytest.raises(OutputError, match="is there already"):
        write_task("sea_shells", tmp_path)
    assert list((tmp_path / "sea_shells").iterdir()) == []


def test_nothing_is_left_of_a_package_that_could_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_task("sea_shells", tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Sea-Shells", "such as 'sea_shells'"),
        ("SeaShells", "such as 'sea_shells'"),
        ("3d_shells", "such as 'd_shells'"),
        ("_shells", "such as 'shells'"),
        ("shells_", "such as 'shells'"),
        ("x", "such as 'leaf_disease'"),
        ("muscheln_größe", "no name for a task"),
        ("class", "a word of Python"),
        ("match", "a word of Python"),
        ("labelled_images", "taken by the task of resnet-transfer"),
        ("random", "a module of Python itself"),
        ("transfer", "a module that can be imported"),
        ("numpy", "a module that can be imported"),
        ("scikit_learn", "the installed package scikit-learn"),
    ],
)
def test_a_name_that_cannot_be_had_is_refused_with_the_reason(name: str, said: str) -> None:
    with pytest.raises(TaskNameError) as caught:
        check_name(name)
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["sea_shells", "x1", "shells_2026"])
def test_other_names_are_free(name: str) -> None:
    check_name(name)
