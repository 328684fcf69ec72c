"""From one picture file to one array (H, W, 3)."""

import io
import struct
import warnings
import zlib
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cv2
import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from transfer.errors import ImageError

Pixels = NDArray[np.uint8] | NDArray[np.float32]

DICOM_SUFFIXES = frozenset({".dcm", ".dicom"})
PICTURE_SUFFIXES = DICOM_SUFFIXES | frozenset(
    {".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm"}
    | {".tif", ".tiff", ".webp"}
)
LARGEST_PX = 178_956_970
"""Most pixels a picture may unfold to; the limit at which Pillow refuses by default."""
DICOM_MARK_END = 132
"""So many first bytes tell a DICOM file."""

_BYTE = 2**8 - 1
_SIGNED = 2  # TIFF's SampleFormat: two's complement
# Pillow knows more, among them formats that start other programs (EPS) or are no pictures at all.
_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF", "PPM")
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # of either byte order, then BigTIFF
# What decoders raise on damaged files; seen by changing bytes at random, or named in their source.
_DAMAGE = (
    OSError, ValueError, TypeError, SyntaxError, EOFError, LookupError, OverflowError,
    struct.error, zlib.error, cv2.error,
)  # fmt: skip
# EXIF orientation: rows reversed, columns reversed, then rows and columns exchanged.
_TURNS = {
    2: (False, True, False), 3: (True, True, False), 4: (True, False, False),
    5: (False, False, True), 6: (True, False, True), 7: (True, True, True), 8: (False, True, True),
}  # fmt: skip

# What matters becomes an ImageError; the rest is noise about metadata, once for every file.
warnings.filterwarnings("ignore", module=r"PIL\.")


def decoders() -> str:
    """Return what decodes, by version: others may give other pixels."""
    found = [f"pillow {PIL.__version__} opencv {cv2.__version__}"]
    for package in ("pydicom", "rasterio"):
        with suppress(PackageNotFoundError):
            found.append(f"{package} {version(package)}")
    return " ".join(found)


def suffix_of(content: bytes) -> str:
    """Return the suffix of the file that holds `content`, "" where no reader asks for it."""
    if content.startswith(_TIFF):
        return ".tif"
    return ".dcm" if is_dicom(content) else ""


def read_picture(source: Path | bytes) -> Pixels:
    """Return a picture as (H, W, 3): RGB uint8, or float32 in [0, 1] beyond 8 bits.

    Deeper pixels are divided by the largest value of their declared bit depth; floats must lie in
    [0, 1] already. The EXIF rotation is applied. Grey is repeated, a palette looked up, CMYK
    converted without a colour profile. Transparent pixels are laid over white, as on a page: what
    lies under them is arbitrary, and a black icon would vanish on black. An animation gives its
    first frame. DICOM files are shown as `read_dicom` says.

    Args:
        source: a file, or the bytes of one.

    Raises:
        ImageError: it cannot be read, is no picture, is damaged or larger than `LARGEST_PX`, or is
            a TIFF of several pages or of bands that are no colours.
        MissingPackageError: it is a DICOM file, and pydicom is not installed.
    """
    if looks_like_dicom(source):
        from transfer.images.dicom import read_dicom  # noqa: PLC0415  # which builds on this file

        return read_dicom(source)
    try:
        return _read(source)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _refusal(source, f"is refused as a decompression bomb: {error}") from error
    except ImageError as error:
        raise _refusal(source, str(error)) from error.__cause__
    except _DAMAGE as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise _refusal(source, f"cannot be read: {said}") from error


def is_dicom(start: bytes) -> bool:
    """Say whether bytes that begin a file have the mark of DICOM behind its preamble."""
    return start[128:DICOM_MARK_END] == b"DICM"


def starts_as_dicom(path: Path) -> bool:
    """Say whether a file has that mark, whatever it is called; False where it cannot be opened."""
    try:
        return path.is_file() and is_dicom(_first_bytes(path, DICOM_MARK_END))
    except OSError:
        return False


def looks_like_dicom(source: Path | bytes) -> bool:
    """Say whether a picture is DICOM: by its suffix, or where it has none by how it begins."""
    if isinstance(source, bytes):
        return is_dicom(source)
    suffix = source.suffix.lower()
    if suffix in PICTURE_SUFFIXES:  # pictures are opened once
        return suffix in DICOM_SUFFIXES
    return starts_as_dicom(source)


def _refusal(source: Path | bytes, reason: str) -> ImageError:
    name = f"picture of {len(source)} bytes" if isinstance(source, bytes) else repr(str(source))
    return ImageError(f"{name} {reason}")


def _read(source: Path | bytes) -> Pixels:
    with _open(source) as image:
        if image.width * image.height > LARGEST_PX:
            raise Image.DecompressionBombError(
                f"{image.width} x {image.height} px, at most {LARGEST_PX} in all"
            )
        if isinstance(image, TiffImageFile):
            _refuse_stack(image)
        return _turned(_pixels(image, source), _orientation(image))


def _open(source: Path | bytes) -> Image.Image:
    try:
        return Image.open(
            io.BytesIO(source) if isinstance(source, bytes) else source, formats=_FORMATS
        )
    except UnidentifiedImageError as error:
        start = source[:8] if isinstance(source, bytes) else _first_bytes(source)
        if not start:
            raise ImageError("is empty (0 bytes)") from error
        hint = "a TIFF of bands needs a task that reads bands; " if start[:4] in _TIFF else ""
        raise ImageError(
            f"is no picture that can be read: it starts with {start!r}; {hint}"
            f"known formats: {', '.join(_FORMATS)}"
        ) from error


def _first_bytes(path: Path, count: int = 8) -> bytes:
    with path.open("rb") as file:
        return file.read(count)


def _refuse_stack(image: TiffImageFile) -> None:
    if image.n_frames > 1:
        raise ImageError(f"has {image.n_frames} pages; save each as a file of its own")
    bands = image.tag_v2.get(ExifTags.Base.SamplesPerPixel, 1)
    read = [band for band in image.getbands() if band != "X"]  # X: whatever it is, not a colour
    if bands != len(read):
        raise ImageError(
            f"has {bands} bands, of which only {'+'.join(read)} would be read; "
            "it needs a task that reads bands"
        )


def _pixels(image: Image.Image, source: Path | bytes) -> Pixels:
    if image.mode[0] in "IF":
        return np.repeat(_deep_grey(image)[:, :, np.newaxis], 3, axis=2)
    if (highest := _highest_colour(image)) > _BYTE:
        return _deep_colour(image, source, highest)
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), opaque)
    # np.array rather than np.asarray: it costs 1 % of decoding, and the result may be written to.
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _deep_grey(image: Image.Image) -> NDArray[np.float32]:
    values, bits, signed, inverted = np.asarray(image), 16, False, False
    if image.mode == "F":
        return _unit_floats(values)
    if isinstance(image, TiffImageFile):
        tags = image.tag_v2
        bits = tags.get(ExifTags.Base.BitsPerSample, (16,))[0]
        signed = tags.get(ExifTags.Base.SampleFormat) == (_SIGNED,)
        inverted = tags.get(ExifTags.Base.PhotometricInterpretation) == 0
    if values.dtype == np.int32 and not signed:
        values = values.view(np.uint32)  # Pillow keeps unsigned 32 bits in a signed array
    if signed and values.min() < 0:
        raise ImageError(f"has negative pixels ({values.min()}); it needs a task that reads them")
    scaled: NDArray[np.float32] = np.divide(values, 2 ** (bits - signed) - 1, dtype=np.float32)
    return 1 - scaled if inverted else scaled


def _unit_floats(values: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= 1):  # also where one of them is NaN
        raise ImageError(
            f"has float pixels from {low:g} to {high:g}, and nothing says which value is white; "
            "scale them to [0, 1], or save them as 16-bit integers"
        )
    return values


def _highest_colour(image: Image.Image) -> int:
    """Return the largest value that colours have in the file, which Pillow shortens to a byte."""
    arguments = image.tile[0][3] if isinstance(image, ImageFile.ImageFile) and image.tile else ""
    if image.format == "PPM":
        return int(arguments[-1]) if isinstance(arguments, tuple) else _BYTE
    return 2**16 - 1 if ";16" in str(arguments) else _BYTE


def _deep_colour(image: Image.Image, source: Path | bytes, highest: int) -> NDArray[np.float32]:
    # Pillow has no mode for 16-bit colour and keeps the upper byte; OpenCV keeps both, but does not
    # always notice where a file was cut off: Pillow decodes first.
    image.load()
    data = source if isinstance(source, bytes) else source.read_bytes()
    silence = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel  # OpenCV 4, 5
    silence(0)  # it prints a line for every TIFF tag that it does not know
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 3:  # noqa: PLR2004  # H, W, C
        raise ImageError(f"is a {image.format} whose 16-bit {image.mode} pixels cannot be read")
    scaled = np.divide(values, highest, dtype=np.float32)
    colours, alpha = scaled[:, :, 2::-1], scaled[:, :, 3:]
    return 1 + alpha * (colours - 1) if alpha.size else np.ascontiguousarray(colours)


def _orientation(image: Image.Image) -> int:
    if isinstance(image, TiffImageFile):
        return 1  # both decoders have turned it
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except _DAMAGE:
        return 1  # damaged metadata do not make a good picture bad


def _turned(pixels: Pixels, orientation: int) -> Pixels:
    if orientation not in _TURNS:
        return pixels
    rows, columns, exchanged = _TURNS[orientation]
    turned = pixels[:: -1 if rows else 1, :: -1 if columns else 1]
    return (turned.swapaxes(0, 1) if exchanged else turned).copy()
