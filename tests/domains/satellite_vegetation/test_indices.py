import numpy as np
import pytest

from tasks.satellite_vegetation.indices import bands_to_read, parse_indices

RNG = np.random.default_rng(0)
BANDS = {name: RNG.uniform(0.01, 1, (3, 4)).astype(np.float32) for name in ("nir", "red", "blue")}


def test_a_formula_is_computed_and_brought_to_0_to_1() -> None:
    (ndvi,) = parse_indices(("ndvi=(nir-red)/(nir+red)",)).values()
    nir, red = (BANDS[name].astype(float) for name in ("nir", "red"))
    expected = ((nir - red) / (nir + red) + 1) / 2
    assert np.allclose(ndvi.over(BANDS), expected, atol=1e-6)
    assert ndvi.over(BANDS).dtype == np.float32
    assert ndvi.bands == ("nir", "red")


def test_numbers_signs_and_brackets_count() -> None:
    (evi,) = parse_indices(
        ("evi = 2.5 * (nir - red) / (nir + 6*red - 7.5*blue + 1) * -1",)
    ).values()
    nir, red, blue = (BANDS[name].astype(float) for name in ("nir", "red", "blue"))
    value = 2.5 * (nir - red) / (nir + 6 * red - 7.5 * blue + 1) * -1
    assert np.allclose(evi.over(BANDS), np.clip(value / 2 + 0.5, 0, 1), atol=1e-4)


def test_ground_that_reflects_nothing_is_in_the_middle() -> None:
    (ndvi,) = parse_indices(("ndvi=(nir-red)/(nir+red)",)).values()
    dark = np.zeros((2, 2), np.float32)
    assert (ndvi.over({"nir": dark, "red": dark}) == 0.5).all()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("ndvi", "is written once, as name=formula"),
        ("=nir", "is written once, as name=formula"),
        ("ndvi=(nir", "cannot be read"),
        ("ndvi=1+2", "names no band"),
        ("ndvi=nir**2", r"holds 'nir \*\* 2'; it may hold bands"),
        ("ndvi=abs(nir)", r"holds 'abs\(nir\)'"),
        ("ndvi=nir.real", "holds 'nir.real'"),
        ("ndvi=ndvi+nir", "made of bands, not of indices: ndvi"),
    ],
)
def test_what_is_no_formula_is_refused(written: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_indices((written,))


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="is written once"):
        parse_indices(("a=nir", "a=red"))


def test_each_band_is_read_once() -> None:
    indices = parse_indices(("ndvi=(nir-red)/(nir+red)",))
    assert bands_to_read(("red", "ndvi", "green"), indices) == ("red", "nir", "green")
