"""A public data set from its publisher's address to a folder that a task reads."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from transfer.catalogue.card import Card, File
from transfer.catalogue.download import download
from transfer.catalogue.places import downloads_of, folder_of, state_of
from transfer.catalogue.unpack import ARCHIVES, unpack, unpacked_size
from transfer.errors import DataNotFoundError, FetchError, OutputError, TransferError
from transfer.progress import Progress
from transfer.samples.new_folder import new_folder

_SPARE = 200  # MB that a disk is left with
_LOCK = "lock"


def fetch(card: Card, below: Path, progress: Progress, *, keep: bool = False) -> Path:
    """Download a data set, check it and unpack it; return its folder. What is there is left alone.

    Its files lie in `NAME.download` until they are unpacked, so that what was broken off goes on;
    whoever got them by hand puts them there.

    Args:
        card: of the data set.
        below: the folder that data sets lie in.
        progress: told what is done.
        keep: leave the files where they were downloaded.

    Raises:
        FetchError: it cannot be downloaded, or is not what its card says; see `download` and
            `unpack`.
        DataNotFoundError: files that can only be got by hand are missing.
        OutputError: the folder cannot be written.
    """
    folder, downloads = folder_of(card, below), downloads_of(card, below)
    if state_of(card, below).whole:
        progress.say(f"have       {card.title} is in {folder}; nothing was done")
        return folder
    _refuse_missing(card, downloads)
    with _alone(downloads):
        _refuse_full_disk(card, downloads)
        for file in card.files:
            _have(card, file, downloads / file.name, progress)
        _unpack_all(card, folder, downloads, progress)
        if not keep:
            shutil.rmtree(downloads)
    _warn_of_other_shape(card, folder, progress)
    return folder


def _refuse_missing(card: Card, downloads: Path) -> None:
    names = [file.name for file in card.files if file.url is None]
    if missing := [name for name in names if not (downloads / name).is_file()]:
        raise DataNotFoundError(
            f"{card.title} needs an account, so a person has to get it.\n"
            f"           {card.account} ({card.page})\n"
            f"           Put {' and '.join(missing)} into {str(downloads)!r}, and type this again"
        )


@contextmanager
def _alone(downloads: Path) -> Iterator[None]:
    """Be the only process that writes into a folder.

    Raises:
        FetchError: another one does.
        OutputError: it cannot be made.
    """
    try:
        downloads.mkdir(parents=True, exist_ok=True)
        with FileLock(downloads / _LOCK, timeout=0):
            try:
                yield
            finally:
                (downloads / _LOCK).unlink(missing_ok=True)
    except Timeout as error:
        raise FetchError(f"another process is fetching into {str(downloads)!r}") from error
    except TransferError:  # some are OSErrors as well
        raise
    except OSError as error:
        raise OutputError(f"{str(downloads)!r} cannot be read or written: {error}") from error


def _refuse_full_disk(card: Card, downloads: Path) -> None:
    """Refuse what will not fit: pictures are compressed, and hardly grow when unpacked."""
    here = sum(path.stat().st_size for path in downloads.iterdir()) / 1e6
    _refuse_less_than(2 * card.megabytes - here, downloads, "to download and unpack it")


def _refuse_less_than(megabytes: float, place: Path, what: str) -> None:
    free = shutil.disk_usage(place).free / 1e6 - _SPARE
    if free < megabytes:
        raise OutputError(
            f"{megabytes:,.0f} MB are needed {what}, and {str(place)!r} is on a disk with "
            f"{max(0.0, free):,.0f} MB to spare; make room, or name another with --to"
        )


def _have(card: Card, file: File, path: Path, progress: Progress) -> None:
    """Download a file unless it is there, and check it.

    Raises:
        FetchError: it cannot be had, or is not the one of the card; then it is not kept.
    """
    was_there = path.exists()
    if file.url is not None and not was_there:
        progress.say(f"fetching   {file.name}, {file.megabytes:,.0f} MB, from {file.url}")
        try:
            download(file.url, path, progress)
        except FetchError as error:
            raise FetchError(f"{error}. About the data set: {card.page}") from error
    algorithm, wanted = file.checksum or ("sha256", "")
    with path.open("rb") as content:
        seen = hashlib.file_digest(content, algorithm).hexdigest()
    if not wanted:
        progress.warn(
            f"nobody has published a checksum of {file.name}, so nothing says that it is what its "
            f"publishers gave away; its sha256 is {seen}"
        )
    elif seen == wanted:
        progress.say(f"checked    {file.name}: {algorithm} as stated by {file.stated_by}")
    else:
        if not was_there:
            path.unlink()
        on = f"remove {str(path)!r} and try again" if was_there else "it was not kept; try again"
        raise FetchError(
            f"{file.name} has {algorithm} {seen}, not {wanted} as stated by {file.stated_by}; "
            f"{on}. If it stays so, its publishers may have changed it: {card.page}"
        )


def _unpack_all(card: Card, folder: Path, downloads: Path, progress: Progress) -> None:
    sizes = [unpacked_size(downloads / file.name) for file in card.files if _is_archive(file)]
    _refuse_less_than(sum(size or 0 for size in sizes) / 1e6, downloads, "to unpack it")
    with (
        new_folder(folder) as unfinished,
        progress.step("unpacking", card.pictures, "files") as step,
    ):
        for file in card.files:
            place = unfinished / file.into
            place.mkdir(parents=True, exist_ok=True)
            if _is_archive(file):
                unpack(downloads / file.name, place, step)
            else:
                shutil.copyfile(downloads / file.name, place / file.name)


def _is_archive(file: File) -> bool:
    return file.name.lower().endswith(ARCHIVES)


def _warn_of_other_shape(card: Card, folder: Path, progress: Progress) -> None:
    if not (folder / card.data).exists():
        inside = ", ".join(sorted(path.name for path in folder.iterdir())[:5])
        progress.warn(
            f"the card of {card.name} speaks of {card.data!r}, which is not in {folder}; "
            f"it holds {inside}: give --data the right one of them"
        )
