"""Files are small and say what they are for; the arrows between them are guarded."""

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = sorted(path for room in ("transfer", "tasks") for path in ROOT.glob(f"{room}/**/*.py"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_file_is_over_300_lines() -> None:
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {path: length for path, length in lengths.items() if length > 300} == {}


def test_every_file_says_first_what_it_is_for() -> None:
    silent = [name(path) for path in FILES if not ast.get_docstring(_tree(path))]
    assert silent == []


def test_a_package_holds_a_docstring_and_nothing_else() -> None:
    packages = [path for path in FILES if path.name == "__init__.py"]
    more = [name(path) for path in packages if len(_tree(path).body) > 1]
    assert more == ["transfer/__init__.py"]


def test_every_file_has_its_place_in_the_plan_of_the_house() -> None:
    plan = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    files = {path.name for path in FILES if not path.name.startswith("__")}
    assert {file for file in files if file not in plan} == set()


def test_every_room_is_in_the_layers() -> None:
    (layers,) = _contracts("layers")
    assert layers["containers"] == ["transfer"]
    assert layers["exhaustive"] is True  # a new room must say where it stands


def test_the_framework_knows_no_domain() -> None:
    assert any(
        contract["source_modules"] == ["transfer"] and contract["forbidden_modules"] == ["tasks"]
        for contract in _contracts("forbidden")
    )


def test_domains_know_neither_each_other_nor_what_is_private() -> None:
    (apart,) = _contracts("independence")
    assert sorted(apart["modules"]) == [
        f"tasks.{page.parent.name}" for page in sorted(ROOT.glob("tasks/*/task.py"))
    ]
    private = {"transfer.network", "transfer.finetuning", "transfer.tracking", "torch", "mlflow"}
    assert any(
        contract["source_modules"] == ["tasks"] and private <= set(contract["forbidden_modules"])
        for contract in _contracts("forbidden")
    )


def test_there_is_one_door_to_mlflow() -> None:
    # The contract looks at whole rooms; the served model is the one file outside of tracking/.
    through = {name(path) for path in FILES if "mlflow" in _imported(path)}
    outside = {path for path in through if not path.startswith("transfer/tracking/")}
    assert outside == {"transfer/shipping/served_model.py"}
    assert any(contract["forbidden_modules"] == ["mlflow"] for contract in _contracts("forbidden"))


def _contracts(kind: str) -> list[dict[str, object]]:
    contracts = PYPROJECT["tool"]["importlinter"]["contracts"]
    return [contract for contract in contracts if contract["type"] == kind]


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imported(path: Path) -> set[str]:
    names: list[str] = []
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(str(node.module))
    return {name.partition(".")[0] for name in names}
