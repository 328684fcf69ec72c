"""Whose DICOM files are whose, without a trace of who they are."""

import hashlib
import os
import secrets
import stat
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import platformdirs

from transfer.errors import ImageError, OutputError
from transfer.images.dicom import damage
from transfer.images.extras import import_extra

_KEY_BYTES = 32
_THREADS = 8  # files on a network drive are waited for, not computed


def patient_groups(paths: Sequence[Path], key_folder: Path | None = None) -> list[str]:
    """Return for each DICOM file a name of its patient that only this user could trace back.

    The name is a keyed digest (BLAKE2b, RFC 7693) of the patient id, which is nowhere kept: a plain
    digest of an id of few digits is undone by trying them all. The key is random, one for each user
    of a machine, so that names stay the same there and mean nothing elsewhere. Files without
    a patient id are grouped by their study; "" where there is no study either, and where the header
    is damaged, so that no picture can be had of it. No date is read.

    Args:
        paths: DICOM files.
        key_folder: where the key stands, or is put; unset takes the user's own data folder.

    Raises:
        ImageError: a file is not there, or may not be opened.
        MissingPackageError: pydicom is not installed.
        OutputError: the key cannot be kept, or others may read it.
    """
    pydicom = import_extra("pydicom", "medical")
    key = _key(key_folder or platformdirs.user_data_path("resnet-transfer"))
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(partial(_group, pydicom, key), paths))


def _group(pydicom: Any, key: bytes, path: Path) -> str:
    try:
        header = pydicom.dcmread(
            path, stop_before_pixels=True, specific_tags=["PatientID", "StudyInstanceUID"]
        )
    except damage() as error:
        if isinstance(error, OSError) and error.strerror:  # else: it ends too early
            raise ImageError(f"{str(path)!r} cannot be read: {error.strerror}") from error
        return ""
    for kind, name in (("patient", "PatientID"), ("study", "StudyInstanceUID")):
        # As the bytes of the file: pydicom warns of ids that break the rules, and quotes them.
        element = header.get_item(name)
        value = element.value if element is not None else None
        stored = value if isinstance(value, bytes) else str(value or "").encode()
        if known := stored.strip(b" \0"):
            return f"{kind}-{hashlib.blake2b(known, key=key, digest_size=8).hexdigest()}"
    return ""


def _key(folder: Path) -> bytes:
    path = folder / "patients.key"
    try:
        if not path.exists():
            _write_key(path)
        mode, key = path.stat().st_mode, path.read_bytes()
    except OSError as error:
        raise OutputError(
            f"the key of patients' names cannot be kept in {str(path)!r}: {error.strerror}"
        ) from error
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise OutputError(
            f"the key of patients' names, {str(path)!r}, is open to others than you; close it with "
            "chmod 600, or delete it and have new names"
        )
    if len(key) != _KEY_BYTES:
        raise OutputError(f"{str(path)!r} is no key of {_KEY_BYTES} bytes; delete it")
    return key


def _write_key(path: Path) -> None:
    """Write a new key as a whole, readable by the user alone, unless another process was first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent)  # mode 0600
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
        path.hardlink_to(unfinished)  # fails where there is one: all processes then read the same
    except FileExistsError:
        pass
    finally:
        unfinished.unlink()
