import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from transfer.catalogue.unpack import Limits, unpack, unpacked_size
from transfer.errors import FetchError
from transfer.progress import Silent

FILES = {"set/a/1.png": b"one" * 500, "set/b/2.png": b"two" * 700, "set/list.txt": b""}
OPENINGS = [
    "../out.png",
    "set/../../out.png",
    "/out.png",
    "C:\\out.png",
    "\\out.png",
    "..\\out.png",
]

Pack = Callable[..., Path]


def zipped(path: Path, files: dict[str, bytes], modes: dict[str, int] | None = None) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo()
            info.filename = name  # as it is: ZipInfo would replace a backslash on Windows
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (modes or {}).get(name, 0) << 16
            archive.writestr(info, content)


def tarred(path: Path, files: dict[str, bytes], kinds: dict[str, bytes] | None = None) -> None:
    compression = path.suffix.lstrip(".").replace("tgz", "gz").replace("tar", "")
    with tarfile.open(path, f"w:{compression}") as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            if kinds and name in kinds:
                info.type, info.linkname, info.size = kinds[name], content.decode(), 0
            archive.addfile(info, io.BytesIO(content))


@pytest.fixture(params=["zip", "tar", "tar.gz", "tgz", "tar.bz2", "tar.xz"])
def pack(request: pytest.FixtureRequest, tmp_path: Path) -> Pack:
    """Write an archive of each kind."""

    def pack(files: dict[str, bytes]) -> Path:
        path = tmp_path / f"set.{request.param}"
        (zipped if request.param == "zip" else tarred)(path, files)
        return path

    return pack


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "outer" / "inner"
    folder.mkdir(parents=True)
    return folder


def below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def unpacked(archive: Path, folder: Path, limits: Limits | None = None) -> dict[str, bytes]:
    with Silent().step("unpacking", 1, "files") as step:
        unpack(archive, folder, step, limits)
    return below(folder)


def test_every_file_comes_out_as_it_went_in(pack: Pack, out: Path) -> None:
    assert unpacked(pack(FILES), out) == FILES


def test_unpacking_again_gives_the_same(pack: Pack, out: Path) -> None:
    archive = pack(FILES)
    unpacked(archive, out)
    (out / "own.txt").write_text("mine")
    assert unpacked(archive, out) == {**FILES, "own.txt": b"mine"}


def test_files_are_counted(pack: Pack, out: Path) -> None:
    counted = []

    class Counting:
        def advance(self, count: int = 1, note: str = "") -> None:
            counted.append(count)

    unpack(pack(FILES), out, Counting())
    assert sum(counted) == len(FILES)


@pytest.mark.parametrize("name", OPENINGS)
def test_a_path_that_leads_out_is_refused(pack: Pack, out: Path, tmp_path: Path, name: str) -> None:
    before = below(tmp_path)
    archive = pack({"set/a/1.png": b"1", name: b"evil"})
    with pytest.raises(FetchError, match="a path that leads out of the folder; nothing was"):
        unpacked(archive, out)
    assert b"evil" not in below(tmp_path / "outer").values()
    assert set(below(tmp_path)) - set(before) == {archive.name, "outer/inner/set/a/1.png"}
    assert not Path("/out.png").exists()


@pytest.mark.parametrize("target", ["/etc", "../..", "set"])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_link_in_a_tar_is_refused_wherever_it_leads(
    out: Path, tmp_path: Path, kind: bytes, target: str
) -> None:
    files = {"link": target.encode(), "link/out.png": b"evil"}
    tarred(tmp_path / "set.tar", files, {"link": kind})
    with pytest.raises(FetchError, match="holds 'link', a link; nothing was unpacked"):
        unpacked(tmp_path / "set.tar", out)
    assert list(out.iterdir()) == []


def test_a_link_in_a_zip_is_refused(out: Path, tmp_path: Path) -> None:
    zipped(tmp_path / "set.zip", {"link": b"/etc"}, {"link": stat.S_IFLNK | 0o777})
    with pytest.raises(FetchError, match="holds 'link', a link"):
        unpacked(tmp_path / "set.zip", out)
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_a_device_is_refused(out: Path, tmp_path: Path, kind: bytes) -> None:
    tarred(tmp_path / "set.tar", {"null": b""}, {"null": kind})
    with pytest.raises(FetchError, match="holds 'null', a device"):
        unpacked(tmp_path / "set.tar", out)


def test_no_rights_are_taken_over(out: Path, tmp_path: Path) -> None:
    zipped(tmp_path / "set.zip", {"run": b"#!"}, {"run": stat.S_IFREG | stat.S_ISUID | 0o777})
    unpacked(tmp_path / "set.zip", out)
    assert not (out / "run").stat().st_mode & (stat.S_ISUID | stat.S_IXUSR)


BOMB = {"set/zeros.bin": bytes(10**6)}


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (Limits(small=10**5), "more than 40 times its [0-9,]+ bytes"),
        (Limits(size=10**5), "more than 100,000 bytes"),
        (Limits(entries=2), "more than 2 files and folders"),
    ],
)
def test_a_bomb_is_given_up_before_the_disk_is_full(
    out: Path, tmp_path: Path, limits: Limits, says: str
) -> None:
    for archive, write in ((tmp_path / "set.zip", zipped), (tmp_path / "set.tgz", tarred)):
        write(archive, {**BOMB, "set/1": b"", "set/2": b""})
        with pytest.raises(FetchError, match=f"unfolds to {says}: no pictures do"):
            unpacked(archive, out, limits)
        assert sum(map(len, below(out).values())) < 10**6 + 1


def test_little_text_may_unfold_to_much(out: Path, tmp_path: Path) -> None:
    zipped(tmp_path / "set.zip", BOMB)
    assert unpacked(tmp_path / "set.zip", out) == BOMB


def test_what_a_zip_says_of_its_size_is_not_believed(out: Path, tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    zipped(path, BOMB)
    size = (10**6).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (10).to_bytes(4, "little")))
    assert unpacked_size(path) == 10
    with pytest.raises(FetchError, match="is damaged"):
        unpacked(path, out)
    assert sum(map(len, below(out).values())) <= 10


@pytest.mark.parametrize("part", [0.0, 0.4, 0.9])
def test_a_damaged_archive_is_refused(pack: Pack, out: Path, part: float) -> None:
    archive = pack({"set/a/1.png": bytes(range(256)) * 400})
    content = bytearray(archive.read_bytes())
    archive.write_bytes(content[: int(part * len(content))])
    with pytest.raises(FetchError, match="is damaged, or no archive after all"):
        unpacked(archive, out)


def test_the_size_of_a_zip_is_known_before(tmp_path: Path) -> None:
    zipped(tmp_path / "set.zip", FILES)
    tarred(tmp_path / "set.tgz", FILES)
    assert unpacked_size(tmp_path / "set.zip") == sum(map(len, FILES.values()))
    assert unpacked_size(tmp_path / "set.tgz") is None


def test_a_place_that_cannot_be_written_is_no_damage(out: Path, tmp_path: Path) -> None:
    zipped(tmp_path / "set.zip", FILES)
    (out / "set").write_text("a file where a folder is to be")
    with pytest.raises(NotADirectoryError):
        unpacked(tmp_path / "set.zip", out)
