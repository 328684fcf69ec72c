"""From one DICOM file to one array (H, W, 3), as it is shown to a radiologist."""

import io
import re
import struct
import warnings
import zlib
from collections.abc import MutableSequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from transfer.errors import ImageError
from transfer.images.extras import import_extra
from transfer.images.pictures import DICOM_MARK_END, LARGEST_PX, Pixels, is_dicom

# All that is read of a file: no name, no id, no date gets into memory, or into an error.
_TAGS = [
    "Modality", "NumberOfFrames", "Rows", "Columns", "SamplesPerPixel", "PlanarConfiguration",
    "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PixelPaddingValue", "PixelPaddingRangeLimit", "ModalityLUTSequence", "RescaleSlope",
    "RescaleIntercept", "VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction",
    "RedPaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableDescriptor", "BluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData", "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
    "PixelData", "FloatPixelData", "DoubleFloatPixelData",
]  # fmt: skip
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_BYTE = 8
_DAMAGE = (
    OSError, ValueError, TypeError, AttributeError, LookupError, EOFError, OverflowError,
    NotImplementedError, RuntimeError, MemoryError, AssertionError, struct.error, zlib.error,
)  # fmt: skip

# Of values that do not keep to the standard; what matters becomes an ImageError.
warnings.filterwarnings("ignore", module=r"pydicom\.")


class Window(NamedTuple):
    """Which values are shown from black to white, in units of the modality such as HU."""

    center: float
    width: float
    function: str = "LINEAR"


def read_dicom(source: Path | bytes, window: Window | None = None) -> Pixels:
    """Return a picture as (H, W, 3), as a viewer first shows it: white is bright.

    Stored values become values of the modality (rescale, or modality LUT), then grey by the first
    VOI LUT, else the first window (DICOM PS3.3 C.11.1, C.11.2). Without either a viewer spreads
    what is there, and so do we: the lowest pixel is black, the highest white, padding left out.
    MONOCHROME1 is inverted, padding black, a palette looked up, YBR converted, grey repeated.

    Args:
        source: a file, or the bytes of one.
        window: shown in place of the file's own; the one way to show all scans alike.

    Returns:
        uint8 where 8 bits are stored and no table or window changes them, else float32 in [0, 1].

    Raises:
        ImageError: it is no DICOM file, is damaged, holds no picture or several, or is compressed
            in a way whose plug-in is not installed. Messages quote nothing but how pixels are kept.
        MissingPackageError: pydicom is not installed.
    """
    name = f"picture of {len(source)} bytes" if isinstance(source, bytes) else repr(str(source))
    try:
        dataset = _opened(source)
        _refuse_what_is_no_picture(dataset)
        return _shown(_decoded(dataset), dataset, window)
    except ImageError as error:
        raise ImageError(f"{name} {error}") from error.__cause__
    except damage() as error:
        # Not chained, nor quoted: a damaged value may reach into what names the patient.
        reason = f"has a header whose values cannot be meant ({type(error).__name__})"
        raise ImageError(f"{name} {reason}; copy it again, or leave it out") from None


def damage() -> tuple[type[Exception], ...]:
    """Return what pydicom and its plug-ins raise on damaged files; seen by changing bytes."""
    errors = import_extra("pydicom.errors", "medical")
    return (*_DAMAGE, errors.BytesLengthException, errors.InvalidDicomError)


def _opened(source: Path | bytes) -> Any:
    pydicom = import_extra("pydicom", "medical")
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            _refuse_other_files(file.read(DICOM_MARK_END))
            file.seek(0)
            return pydicom.dcmread(file, specific_tags=_TAGS)
    except ImageError:
        raise
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror or 'it ends too early'}") from error
    except damage():
        # Not chained: what a parser says of a damaged header may quote the patient.
        raise ImageError(
            "is a damaged DICOM file: its header cannot be read; copy it again, or leave it out"
        ) from None


def _refuse_other_files(start: bytes) -> None:
    if not start:
        raise ImageError("is empty (0 bytes)")
    if not is_dicom(start):
        raise ImageError(
            f"is no DICOM file: it starts with {start[:4]!r} and has no DICM at byte 128; give it "
            "the suffix of what it is, or have a DICOM tool write it again with a preamble"
        )


def _refuse_what_is_no_picture(dataset: Any) -> None:
    if not any(name in dataset for name in _PIXELS):
        modality = str(dataset.get("Modality"))
        # No other letters: a damaged value could run on into what names the patient.
        known = f" (modality {modality})" if re.fullmatch("[A-Z]{2,9}", modality) else ""
        raise ImageError(
            f"holds no pixels{known}: a report, a plan, an index, or a file that was cut off; "
            "leave it out, or copy it again"
        )
    needed = ("Rows", "Columns", "BitsAllocated", "SamplesPerPixel", "PhotometricInterpretation")
    if missing := [name for name in needed if dataset.get(name) is None]:
        raise ImageError(f"does not say how its pixels are kept; it lacks {', '.join(missing)}")
    if (frames := int(dataset.get("NumberOfFrames") or 1)) > 1:
        raise ImageError(
            f"has {frames} frames; a row is one picture: save the frames as files of their own, "
            "with the patient as their group"
        )
    if dataset.Rows * dataset.Columns > LARGEST_PX:
        raise ImageError(
            f"is refused as a decompression bomb: {dataset.Columns} x {dataset.Rows} px, "
            f"at most {LARGEST_PX} in all"
        )


def _decoded(dataset: Any) -> NDArray[Any]:
    """Return the stored values: (H, W), or colours (H, W, 3) as RGB."""
    pixels = import_extra("pydicom.pixels", "medical")
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is None:
        raise ImageError("does not say how it is encoded (no transfer syntax); write it again")
    packages = ""
    if syntax.is_compressed:
        packages = _packages(syntax)
        try:
            readable = pixels.get_decoder(syntax).is_available
        except NotImplementedError:
            readable, packages = False, "a DICOM tool that writes it again uncompressed"
        if not readable:
            raise ImageError(f"is compressed as {syntax.name}, which needs {packages}")
    try:
        stored: NDArray[Any] = pixels.pixel_array(dataset, raw=False)
    except damage() as error:
        hint = f"; it is compressed as {syntax.name}; if it is whole, try {packages}"
        said = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".:")
        raise ImageError(f"cannot be decoded: {said}{hint if packages else ''}") from error
    return stored


def _packages(syntax: Any) -> str:
    uid = import_extra("pydicom.uid", "medical")
    plugin = "openjpeg" if syntax in uid.JPEG2000TransferSyntaxes else "libjpeg"
    return f"a plug-in: pip install pylibjpeg pylibjpeg-{plugin} (or: pip install python-gdcm)"


def _shown(stored: NDArray[Any], dataset: Any, window: Window | None) -> Pixels:
    bits = int(dataset.get("BitsStored") or dataset.BitsAllocated)
    kind = dataset.PhotometricInterpretation
    if kind == "PALETTE COLOR":
        return _palette(stored, dataset)
    if stored.ndim == 2:  # noqa: PLR2004  # (H, W)
        grey = _grey(stored, dataset, window, bits)
        return cast("Pixels", np.repeat(grey[:, :, np.newaxis], 3, axis=2))
    if stored.shape[2:] != (3,):
        raise ImageError(f"has pixels of shape {stored.shape} as {kind}, and 3 colours are known")
    return stored.astype(np.uint8, copy=False) if bits == _BYTE else _unit(stored, bits)


def _palette(stored: NDArray[Any], dataset: Any) -> Pixels:
    processing = import_extra("pydicom.pixels.processing", "medical")
    entries, first, _ = dataset.RedPaletteColorLookupTableDescriptor
    # pydicom counts within the type of the entries, so that 256 would come round to 0.
    last = first + (entries or 2**16) - 1
    colours: NDArray[Any] = processing.apply_color_lut(np.minimum(stored, last), dataset)[:, :, :3]
    return colours if colours.dtype == np.uint8 else _unit(colours, 16)


def _grey(stored: NDArray[Any], dataset: Any, window: Window | None, bits: int) -> Pixels:
    padding, inverted = (
        _padding(stored, dataset),
        dataset.PhotometricInterpretation == "MONOCHROME1",
    )
    grey: Pixels
    if stored.dtype == np.uint8 and bits == _BYTE and not (window or _is_changed(dataset)):
        grey = 255 - stored if inverted else stored.copy()
    else:
        grey = _voi(_modality(stored, dataset), dataset, window, padding).astype(np.float32)
        grey = 1 - grey if inverted else grey
    grey[padding] = 0
    return grey


def _is_changed(dataset: Any) -> bool:
    rescaled = (dataset.get("RescaleSlope") or 1, dataset.get("RescaleIntercept") or 0) != (1, 0)
    tables = dataset.get("ModalityLUTSequence") or dataset.get("VOILUTSequence")
    return bool(rescaled or tables or _first_window(dataset))


def _padding(stored: NDArray[Any], dataset: Any) -> NDArray[np.bool_]:
    value = dataset.get("PixelPaddingValue")
    if value is None:
        return np.zeros(stored.shape, bool)
    limit = dataset.get("PixelPaddingRangeLimit")
    low, high = sorted((value, value if limit is None else limit))
    return np.asarray((stored >= low) & (stored <= high))


def _modality(stored: NDArray[Any], dataset: Any) -> NDArray[np.float64]:
    if tables := dataset.get("ModalityLUTSequence"):
        return np.asarray(_looked_up(stored, tables[0], dataset)[0], np.float64)
    slope, intercept = dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")
    values = stored.astype(np.float64)
    return np.asarray(values * float(1 if slope is None else slope) + float(intercept or 0))


def _voi(
    values: NDArray[np.float64], dataset: Any, window: Window | None, padding: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return values as grey in [0, 1]."""
    if window is None and (tables := dataset.get("VOILUTSequence")):
        entries, bits = _looked_up(np.rint(values), tables[0], dataset)
        return np.divide(entries.astype(np.float64), float(2**bits - 1))
    if shown := window or _first_window(dataset):
        return _windowed(values, shown)
    inside = values[~padding]
    if not np.isfinite(inside).all():
        raise ImageError("has pixels that are no numbers")
    low, high = (inside.min(), inside.max()) if inside.size else (0, 0)
    return np.clip((values - low) / ((high - low) or 1), 0, 1)


def _windowed(values: NDArray[np.float64], window: Window) -> NDArray[np.float64]:
    """Return values through a window, by the formulas of DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    center, width = window.center, window.width
    if window.function == "SIGMOID":
        steep = np.clip(-4 * (values - center) / width, -700, 700)  # beyond, exp has no number
        return np.asarray(1 / (1 + np.exp(steep)))
    if window.function != "LINEAR_EXACT":
        center, width = center - 0.5, max(width - 1, 1e-9)  # of width 1: a step
    return np.clip((values - center) / width + 0.5, 0, 1)


def _first_window(dataset: Any) -> Window | None:
    center, width = (_first(dataset.get(name)) for name in ("WindowCenter", "WindowWidth"))
    if center is None or width is None or not float(width) > 0:
        return None  # a width of 0 is written by devices that have no window to give
    return Window(float(center), float(width), str(dataset.get("VOILUTFunction") or "LINEAR"))


def _first(value: Any) -> Any:
    if isinstance(value, MutableSequence):
        return value[0] if value else None
    return value


def _looked_up(stored: NDArray[Any], table: Any, dataset: Any) -> tuple[NDArray[Any], int]:
    """Return the entries of a table for each value, and how many bits they have."""
    count, first, bits = table.LUTDescriptor
    count = count % 2**16 or 2**16  # as 16 bits; 0 stands for all of them
    entries = table.LUTData
    if isinstance(entries, bytes):
        order = "<" if dataset.file_meta.TransferSyntaxUID.is_little_endian else ">"
        entries = np.frombuffer(entries, np.uint8 if len(entries) < 2 * count else f"{order}u2")
    numbers = np.clip(stored.astype(np.int64) - first, 0, min(count, len(entries)) - 1)
    return np.asarray(entries)[numbers], bits


def _unit(values: NDArray[Any], bits: int) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = np.divide(values, 2**bits - 1, dtype=np.float32)
    return scaled
