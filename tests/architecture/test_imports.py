"""What is loaded when: a name, a list or a help text waits for no torch."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import transfer

HEAVY = {
    "albumentations", "cv2", "matplotlib", "mlflow", "pandas", "pydicom", "rasterio", "requests",
    "sklearn", "timm", "torch",
}  # fmt: skip
_COMMAND = """
import sys
sys.argv = ["transfer", *{arguments!r}]
from transfer.cli.app import main
try:
    main()
except SystemExit as ended:
    assert (ended.code or 0) == {code}, ended.code
"""


def loaded_by(code: str) -> set[str]:
    """Return the heavy packages that a fresh process has loaded after `code`."""
    tell = "\nimport sys\nprint()\nprint(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code + tell], capture_output=True, text=True, check=True
    )
    return HEAVY & set(done.stdout.splitlines()[-1].split())


def test_the_package_alone_loads_nothing_heavy() -> None:
    assert not loaded_by("import transfer")


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["fit", "--help"], ["tasks"], ["data"], ["data", "eurosat_rgb"]],
    ids=" ".join,
)
def test_looking_around_loads_nothing_heavy(arguments: Sequence[str]) -> None:
    assert not loaded_by(_COMMAND.format(arguments=list(arguments), code=0))


def test_a_folder_that_is_not_there_is_told_before_anything_heavy_is_loaded() -> None:
    arguments = ["fit", "labelled_images", "--data", "nowhere"]
    assert not loaded_by(_COMMAND.format(arguments=arguments, code=2))


def test_public_names_are_sorted_and_each_is_there() -> None:
    assert transfer.__all__ == sorted(transfer.__all__)
    assert dir(transfer) == transfer.__all__
    assert all(getattr(transfer, name) is not None for name in transfer.__all__)


def test_every_public_name_is_in_the_reference() -> None:
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    named = {line.removeprefix("::: ") for line in page.splitlines() if line.startswith("::: ")}
    homes = {f"{home}.{name}" for name, home in transfer._HOME.items()}
    assert homes <= named


def test_a_name_that_is_not_public_is_refused() -> None:
    with pytest.raises(AttributeError, match="'transfer' has no attribute 'fitt'"):
        transfer.fitt  # noqa: B018  # asking is what is tested
