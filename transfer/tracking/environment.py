"""What a run ran on: machine, versions, commit, command."""

import platform
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from transfer.tracking.door import without_password

_PACKAGES = ("resnet-transfer", "torch", "timm", "albumentations", "mlflow")
_GIT_SECONDS = 5


def environment_tags() -> dict[str, str]:
    """Return tags that tell where and how this process runs; no name of a person or a machine."""
    versions = {f"version.{name}": found for name in _PACKAGES if (found := _version(name))}
    return {
        "mlflow.source.name": _command(),
        "mlflow.source.type": "LOCAL",
        "machine.processor": _processor(),
        "machine.cores": str(psutil.cpu_count(logical=False) or psutil.cpu_count() or 1),
        "machine.memory_gb": f"{psutil.virtual_memory().total / 1e9:.0f}",
        "machine.system": f"{platform.system()} {platform.machine()}",
        "version.python": platform.python_version(),
        **versions,
        **_commit(),
    }


def _command() -> str:
    """Return the command as typed, without the folder of the program, and without a password."""
    program, *arguments = sys.argv
    return shlex.join([Path(program).name, *map(without_password, arguments)])


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _commit() -> dict[str, str]:
    """Return the commit of the current folder, and whether files differ from it."""
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return {}
    changed = "true" if _git("status", "--porcelain", "--untracked-files=no") else "false"
    return {"mlflow.source.git.commit": commit, "mlflow.source.git.dirty": changed}


def _git(*arguments: str) -> str:
    program = shutil.which("git")
    if program is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603  # arguments are ours
            [program, *arguments], capture_output=True, text=True, check=False, timeout=_GIT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
