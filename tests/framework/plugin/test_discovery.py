import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import pytest

from transfer.errors import BrokenPromiseError, TaskNotFoundError
from transfer.plugin.discovery import GROUP, installed_tasks, load_task, origin
from transfer.plugin.task import Task

Install = Callable[..., None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Pretend that these are all the tasks that are installed, as (name, value, package)."""

    def install(*tasks: tuple[str, str, str]) -> None:
        entries = []
        for name, value, package in tasks:
            entry = EntryPoint(name, value, GROUP)
            vars(entry).update(dist=SimpleNamespace(name=package))  # as importlib.metadata does
            entries.append(entry)
        by_group = {GROUP: entries}
        monkeypatch.setattr("transfer.plugin.discovery.entry_points", lambda group: by_group[group])

    return install


@pytest.fixture
def write_module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, str], None]:
    """Put a module where it can be imported for the time of a test."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)

    return write


def test_the_project_s_own_tasks_come_by_entry_point() -> None:
    for name in ("labelled_images", "satellite_vegetation"):
        task = load_task(name)
        assert isinstance(task, Task)
        assert task.name == name


def test_tasks_are_listed_by_name_and_none_is_imported(install: Install) -> None:
    install(("b", "no_such_module:TASK", "one"), ("a", "no_such_module_either:TASK", "two"))
    assert [entry.name for entry in installed_tasks()] == ["a", "b"]


def test_a_task_that_is_not_there_is_refused_with_what_was_meant(install: Install) -> None:
    install(("whales", "whales:TASK", "sea"), ("driving_objects", "driving:TASK", "road"))
    with pytest.raises(TaskNotFoundError) as caught:
        load_task("wales")
    assert str(caught.value) == (
        "no task named 'wales'. did you mean 'whales'? Installed: driving_objects, whales"
    )
    with pytest.raises(TaskNotFoundError) as caught:
        load_task("zzz")
    assert "did you mean" not in str(caught.value)


def test_where_nothing_is_installed_the_message_says_so(install: Install) -> None:
    install()
    with pytest.raises(TaskNotFoundError, match="Installed: none"):
        load_task("whales")


def test_a_name_that_two_packages_claim_is_refused_with_both(install: Install) -> None:
    install(("whales", "whales:TASK", "sea"), ("whales", "orcas:TASK", "ocean"))
    with pytest.raises(BrokenPromiseError) as caught:
        load_task("whales")
    assert "sea (whales:TASK)" in str(caught.value)
    assert "ocean (orcas:TASK)" in str(caught.value)


def test_a_package_that_is_found_twice_claims_its_name_once(install: Install) -> None:
    own = ("labelled_images", "tasks.labelled_images.task:TASK", "resnet-transfer")
    install(own, own)
    assert load_task("labelled_images").name == "labelled_images"


def test_an_entry_point_that_is_no_task_is_refused_with_what_it_is(install: Install) -> None:
    install(("whales", "json:dumps", "sea"))
    with pytest.raises(BrokenPromiseError, match="json:dumps is a function"):
        load_task("whales")


def test_an_import_failure_is_named_with_its_package(
    install: Install, write_module: Callable[[str, str], None]
) -> None:
    write_module("whales_of_a_test", "import no_such_package\n")
    install(
        ("missing", "no_such_module:TASK", "sea"),
        ("inner", "whales_of_a_test:TASK", "sea"),
        ("nameless", "json:TASK", "sea"),
    )
    for name, reason in {
        "missing": "No module named 'no_such_module'",
        "inner": "No module named 'no_such_package'",
        "nameless": "module 'json' has no attribute 'TASK'",
    }.items():
        with pytest.raises(BrokenPromiseError) as caught:
            load_task(name)
        assert f"task {name!r} of sea" in str(caught.value)
        assert reason in str(caught.value)


def test_an_entry_point_of_no_known_package_still_has_an_origin() -> None:
    assert origin(EntryPoint("whales", "whales:TASK", GROUP)) == "? (whales:TASK)"


def test_whatever_a_module_raises_is_named_and_the_others_go_on(
    install: Install, write_module: Callable[[str, str], None]
) -> None:
    write_module("whales_of_a_test", "import transfer\ntransfer.Task(name='whales', depth=9)\n")
    write_module("krill_of_a_test", "1 / 0\n")
    install(
        ("whales", "whales_of_a_test:TASK", "sea"),
        ("krill", "krill_of_a_test:TASK", "sea"),
        ("labelled_images", "tasks.labelled_images.task:TASK", "resnet-transfer"),
    )
    with pytest.raises(BrokenPromiseError) as caught:
        load_task("whales")
    assert "TypeError" in str(caught.value)
    assert "'depth'" in str(caught.value)
    assert "another version of the task contract than 1" in str(caught.value)
    with pytest.raises(BrokenPromiseError, match="ZeroDivisionError: division by zero"):
        load_task("krill")
    assert load_task("labelled_images").name == "labelled_images"


def test_two_packages_that_bring_the_same_module_are_named_both(install: Install) -> None:
    install(("whales", "whales:TASK", "sea"), ("whales", "whales:TASK", "ocean"))
    with pytest.raises(BrokenPromiseError, match=r"sea \(whales:TASK\) and ocean \(whales:TASK\)"):
        load_task("whales")


@pytest.mark.parametrize(
    ("contract", "said"), [(0, "older than the 1 that is here; update sea,"),
                           (2, "newer than the 1 that is here; update resnet-transfer,")],
)  # fmt: skip
def test_a_task_for_another_contract_is_told_what_to_update(
    install: Install, write_module: Callable[[str, str], None], contract: int, said: str
) -> None:
    write_module(
        "whales_of_a_test",
        "from dataclasses import replace\n"
        "from tasks.labelled_images.task import TASK as OURS\n"
        f"TASK = replace(OURS, name='whales', contract={contract})\n",
    )
    install(("whales", "whales_of_a_test:TASK", "sea"))
    with pytest.raises(BrokenPromiseError) as caught:
        load_task("whales")
    assert f"version {contract} of the task contract, {said}" in str(caught.value)
