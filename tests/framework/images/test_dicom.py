import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from transfer import read_picture
from transfer.errors import ImageError, MissingPackageError
from transfer.images import extras
from transfer.images.dicom import Window, read_dicom

pydicom = pytest.importorskip("pydicom", reason="pip install 'resnet-transfer[medical]'")

from pydicom.dataset import Dataset, FileMetaDataset  # noqa: E402
from pydicom.pixels import get_decoder  # noqa: E402
from pydicom.sequence import Sequence as Items  # noqa: E402
from pydicom.uid import ExplicitVRLittleEndian, JPEGLosslessSV1  # noqa: E402

# pytest hears warnings that the reader silences for everybody else.
pytestmark = pytest.mark.filterwarnings(r"ignore::UserWarning:pydicom\.")
SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"  # no network
ID = "ID-4711-SECRET"


def written(path: Path, stored: np.ndarray, **elements: object) -> Path:
    """Write a picture as a scanner does, with the name of a patient in it."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.Modality, dataset.PatientID, dataset.PatientName = "CR", ID, "Doe^Jane"
    dataset.Rows, dataset.Columns = stored.shape[:2]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8 * stored.dtype.itemsize
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    for name, value in elements.items():
        setattr(dataset, name, value)
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelData = stored.tobytes()
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    return lambda stored, **elements: written(tmp_path / "scan.dcm", stored, **elements)


RAMP = np.arange(12, dtype=np.uint16).reshape(3, 4) * 100
GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


def grey_of(path: Path, window: Window | None = None) -> np.ndarray:
    pixels = read_dicom(path, window)
    assert pixels.shape[2] == 3
    assert (pixels == pixels[:, :, :1]).all()
    return pixels[:, :, 0]


def test_8_bits_stay_as_they_are(write: Callable[..., Path]) -> None:
    assert grey_of(write(GREY)).dtype == np.uint8
    assert np.array_equal(grey_of(write(GREY)), GREY)
    assert np.array_equal(grey_of(write(GREY, RescaleSlope=1, RescaleIntercept=0)), GREY)


def test_monochrome1_is_inverted(write: Callable[..., Path]) -> None:
    inverted = grey_of(write(GREY, PhotometricInterpretation="MONOCHROME1"))
    assert np.array_equal(inverted, 255 - GREY)
    deep = {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": 550, "WindowWidth": 200}
    plain = grey_of(write(RAMP, **deep | {"PhotometricInterpretation": "MONOCHROME2"}))
    assert np.allclose(grey_of(write(RAMP, **deep)), 1 - plain)


def by_the_standard(value: float, center: float, width: float) -> float:
    """Return the pseudo code of PS3.3 C.11.2.1.2.1, with an output from 0 to 1."""
    if value <= center - 0.5 - (width - 1) / 2:
        return 0
    if value > center - 0.5 + (width - 1) / 2:
        return 1
    return (value - (center - 0.5)) / (width - 1) + 0.5


def test_the_first_window_after_rescale(write: Callable[..., Path]) -> None:
    path = write(
        RAMP, RescaleSlope=2, RescaleIntercept=-1024, WindowCenter=[40, 300], WindowWidth=[400, 9]
    )
    grey = grey_of(path)
    expected = [by_the_standard(2.0 * v - 1024, 40, 400) for v in RAMP.ravel().tolist()]
    assert grey.dtype == np.float32
    assert np.allclose(grey.ravel(), expected, atol=1e-6)
    assert 0 < np.median(grey) < 1


def test_other_shapes_of_windows(write: Callable[..., Path]) -> None:
    window = {"WindowCenter": 500, "WindowWidth": 400}
    exact = grey_of(write(RAMP, **window, VOILUTFunction="LINEAR_EXACT"))
    assert np.allclose(exact, np.clip((RAMP - 500.0) / 400 + 0.5, 0, 1))
    sigmoid = grey_of(write(RAMP, **window, VOILUTFunction="SIGMOID"))
    assert np.allclose(sigmoid, 1 / (1 + np.exp(-4 * (RAMP - 500.0) / 400)))
    step = grey_of(write(RAMP, WindowCenter=500, WindowWidth=1))
    assert np.array_equal(step, RAMP >= 500)


def test_a_window_of_ones_own_takes_the_place_of_the_files(write: Callable[..., Path]) -> None:
    path = write(RAMP, WindowCenter=100, WindowWidth=10)
    expected = [by_the_standard(value, 600, 900) for value in RAMP.ravel().tolist()]
    assert np.allclose(grey_of(path, Window(600, 900)).ravel(), expected, atol=1e-6)


@pytest.mark.parametrize("width", [None, 0])
def test_without_a_window_what_is_there_is_spread(
    write: Callable[..., Path], width: int | None
) -> None:
    window = {} if width is None else {"WindowCenter": 40, "WindowWidth": width}
    grey = grey_of(write(RAMP + 50, BitsStored=12, **window))
    assert np.allclose(grey, RAMP / RAMP.max())
    assert (grey_of(write(np.full((3, 4), 7, np.uint16))) == 0).all()


def test_signed_values_keep_their_sign(write: Callable[..., Path]) -> None:
    signed = RAMP.astype(np.int16) - 500
    assert np.allclose(grey_of(write(signed)), RAMP / RAMP.max())


def test_padding_is_black_and_does_not_count(write: Callable[..., Path]) -> None:
    stored = RAMP.astype(np.int16)
    stored[0, :2] = -2000, -1990
    padding = {"PixelPaddingValue": -2000, "PixelPaddingRangeLimit": -1990}
    grey = grey_of(write(stored, **padding))
    assert grey[0, 2] == 0
    assert np.allclose(grey[1:], (stored[1:] - 200) / 900)
    inverted = grey_of(write(stored, **padding, PhotometricInterpretation="MONOCHROME1"))
    assert inverted[0, :3].tolist() == [0, 0, 1]


def table(entries: np.ndarray, first: int, bits: int) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(entries), first, bits]
    item.add_new("LUTData", "US", entries.tolist())
    return item


def test_tables_of_modality_and_voi_are_looked_up(write: Callable[..., Path]) -> None:
    stored = np.arange(12, dtype=np.uint16).reshape(3, 4)
    modality = table(np.arange(10) ** 2, 1, 8)  # 1 -> 0, 2 -> 1, 3 -> 4 ...
    voi = table(np.linspace(0, 1023, 60).astype(int), 10, 10)
    voi_before_window = {"WindowCenter": 3, "WindowWidth": 2}
    path = write(
        stored, ModalityLUTSequence=Items([modality]), VOILUTSequence=Items([voi]),
        **voi_before_window,
    )  # fmt: skip
    expected = []
    for value in stored.ravel().tolist():
        square = min(max(value - 1, 0), 9) ** 2
        expected.append(voi.LUTData[min(max(square - 10, 0), 59)] / 1023)
    assert np.allclose(grey_of(path).ravel(), expected)


def test_a_table_of_few_bits_is_not_counted_round(write: Callable[..., Path]) -> None:
    voi = table(np.arange(1000) // 4, 0, 8)
    stored = np.array([[0, 255, 256, 999]], np.uint16)
    grey = grey_of(write(stored, VOILUTSequence=Items([voi])))
    assert np.allclose(grey, stored // 4 / 255)


def test_colours_and_depths_of_pydicoms_own_files() -> None:
    colours = read_dicom(SHIPPED / "SC_rgb_rle.dcm")
    assert colours.dtype == np.uint8
    # The test picture of DCMTK: bars of full and of half colours, 10 rows each.
    assert colours[5, 50].tolist() == [255, 0, 0]
    assert colours[15, 50].tolist() == [255, 128, 128]
    assert colours[95, 50].tolist() == [255, 255, 255]
    deep = read_dicom(SHIPPED / "SC_rgb_rle_16bit.dcm")
    assert deep.dtype == np.float32
    assert np.allclose(deep * 255, colours, atol=1)
    ybr = read_dicom(SHIPPED / "SC_ybr_full_422_uncompressed.dcm")
    assert np.abs(ybr.astype(int) - colours).mean() < 2
    palette = read_dicom(SHIPPED / "examples_palette.dcm")
    assert palette.shape == (350, 800, 3)
    assert palette.dtype == np.float32
    assert np.ptp(palette, axis=2).max() > 0.5


def test_one_scan_in_every_encoding_is_the_same_picture() -> None:
    plain = read_dicom(SHIPPED / "MR_small.dcm")
    dataset = pydicom.dcmread(SHIPPED / "MR_small.dcm")
    stored = np.frombuffer(dataset.PixelData, "<i2").reshape(64, 64).astype(float)
    center, width = float(dataset.WindowCenter), float(dataset.WindowWidth)
    expected = [[by_the_standard(value, center, width) for value in row] for row in stored]
    assert np.allclose(plain[:, :, 0], expected, atol=1e-6)
    for name in ("bigendian", "implicit", "expb", "RLE", "padded"):
        assert np.array_equal(read_dicom(SHIPPED / f"MR_small_{name}.dcm"), plain)


def test_every_way_to_a_picture_reads_dicom(tmp_path: Path) -> None:
    content = (SHIPPED / "CT_small.dcm").read_bytes()
    bare = tmp_path / "IM000001"
    bare.write_bytes(content)
    pixels = read_dicom(SHIPPED / "CT_small.dcm")
    for source in (SHIPPED / "CT_small.dcm", bare, content):
        assert np.array_equal(read_picture(source), pixels)


def test_several_frames_are_refused() -> None:
    with pytest.raises(ImageError, match=r"examples_ybr_color\.dcm' has 30 frames; a row is one"):
        read_dicom(SHIPPED / "examples_ybr_color.dcm")


def test_a_file_without_pixels_is_refused_by_what_it_is() -> None:
    with pytest.raises(ImageError, match=r"test-SR\.dcm' holds no pixels \(modality SR\)"):
        read_dicom(SHIPPED / "test-SR.dcm")


def test_a_truncated_file_is_refused() -> None:
    with pytest.raises(ImageError, match=r"MR_truncated\.dcm' cannot be decoded: .*8130 vs 8192"):
        read_dicom(SHIPPED / "MR_truncated.dcm")
    whole = (SHIPPED / "MR_small.dcm").read_bytes()
    for size in (0, 100, 133, 200, 1000, 1600, len(whole) - 200):
        with pytest.raises(ImageError, match=f"picture of {size} bytes "):
            read_dicom(whole[:size])


def test_what_is_no_dicom_file_is_refused_by_what_it_starts_with(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("RGB", (50, 50)).save(file, "PNG")
    path = tmp_path / "scan.dcm"
    path.write_bytes(file.getvalue())
    with pytest.raises(ImageError, match=r"scan\.dcm' is no DICOM file: it starts with b'\\x89PNG"):
        read_picture(path)
    with pytest.raises(ImageError, match=r"gone\.dcm' cannot be read: No such file"):
        read_picture(tmp_path / "gone.dcm")


def test_a_missing_plug_in_is_named_with_its_pip_line() -> None:
    if get_decoder(JPEGLosslessSV1).is_available:
        pytest.skip("a plug-in for JPEG Lossless is installed")
    with pytest.raises(
        ImageError, match=r"JPEG Lossless.* pip install pylibjpeg pylibjpeg-libjpeg"
    ):
        read_dicom(SHIPPED / "SC_rgb_jpeg_gdcm.dcm")


def test_without_pydicom_the_pip_line_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_there(module: str) -> None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr(extras, "import_module", not_there)
    with pytest.raises(MissingPackageError, match=r"pip install 'resnet-transfer\[medical\]'"):
        read_dicom(SHIPPED / "CT_small.dcm")


def test_random_damage_gives_pixels_or_an_error_that_names_nobody(
    write: Callable[..., Path],
) -> None:
    rng = np.random.default_rng(0)
    path = write(RAMP, WindowCenter=550, WindowWidth=200)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    refused = []
    for _ in range(300):
        data = whole.copy()
        data[rng.integers(132, len(data), 6)] = rng.integers(0, 256, 6)
        path.write_bytes(data.tobytes())
        try:
            assert read_dicom(path).shape[2] == 3
        except ImageError as error:
            refused.append(str(error))
    assert len(refused) > 30
    assert not [reason for reason in refused if "4711" in reason or "Doe" in reason]
