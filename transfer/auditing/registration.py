"""How well two pictures agree once one is laid over the other: 1 for copies, about 0 for others."""

import cv2
import numpy as np
from numpy.typing import NDArray

from transfer.auditing.sketches import SIDE_PX, Sketch, View

_BLUR_PX = 3.0  # what is coarser than this many things have in common, such as all chests
_NOISE = 2.0  # grey levels: less is not made more of
_SHIFT_PX, _EDGE_PX = 4, 2
_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 1e-3)
_SMOOTH_PX = 3  # side of the filter under which gradients are taken, odd
_MOST_SCALE, _MOST_SHEAR = 1.3, 0.1
_LEAST_OVERLAP = 0.4
_FLAT = 1e-3  # deviation of details

Grey = NDArray[np.float32]


def agreement_as_seen(first: Sketch, second: Sketch, view: View) -> float:
    """Return the correlation of details of `first` and of what `view` shows of `second`.

    It is the best over whole shifts, of up to 1 px each way where the view is whole, and 4 px where
    it is cut; in [-1, 1].
    """
    still, moving = first.astype(np.float32), _seen(second, view)
    shift = 1
    if view.side < SIDE_PX:
        moving, shift = _laid_over(moving, view.warp()), _SHIFT_PX
    template = _detail(still)[2 * shift : -2 * shift, 2 * shift : -2 * shift]
    field = _detail(moving)[shift:-shift, shift:-shift]
    if min(template.std(), field.std()) < _FLAT:  # which agrees with nothing
        return 0.0
    found = cv2.matchTemplate(field, template, cv2.TM_CCOEFF_NORMED)
    return float(np.nan_to_num(found, posinf=0, neginf=0).max())


def agreement_registered(first: Sketch, second: Sketch, view: View) -> float:
    """Return the correlation of details once `second` is laid over `first` as well as it goes.

    The affine map is refined from that of `view` by enhanced correlation (Evangelidis and Psarakis
    2008, doi:10.1109/TPAMI.2008.113). Where it does not converge, or to what no copy is, it is 0.
    """
    still, moving = first.astype(np.float32), _seen(second, view)
    try:
        _, warp = cv2.findTransformECC(
            still, moving, view.warp(), cv2.MOTION_AFFINE, _STEPS, None, _SMOOTH_PX
        )
    except cv2.error:  # no more gradient to follow
        return 0.0
    if not _is_plausible(warp):
        return 0.0
    there = _laid_over(np.ones_like(moving), warp, cv2.BORDER_CONSTANT) > 0.99  # noqa: PLR2004  # no edge
    there[:_EDGE_PX] = there[-_EDGE_PX:] = False
    there[:, :_EDGE_PX] = there[:, -_EDGE_PX:] = False
    if there.mean() < _LEAST_OVERLAP:
        return 0.0
    return _correlation(_detail(still)[there], _detail(_laid_over(moving, warp))[there])


def detail_strength(picture: Sketch) -> float:
    """Return the deviation of what is finer than a blur, in grey levels."""
    return float(_fine(picture.astype(np.float32)).std())


def _seen(second: Sketch, view: View) -> Grey:
    grey = second[:, ::-1] if view.mirrored else second
    return np.ascontiguousarray(grey, dtype=np.float32)


def _laid_over(picture: Grey, warp: NDArray[np.float32], border: int = cv2.BORDER_REFLECT) -> Grey:
    laid: Grey = cv2.warpAffine(
        picture,
        warp,
        (SIDE_PX, SIDE_PX),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=border,
    )
    return laid


def _detail(picture: Grey) -> Grey:
    """Return what is finer than a blur, in units of its own contrast nearby.

    A few strong edges would else decide alone, and coasts agree with field borders.
    """
    fine = _fine(picture)
    contrast = cv2.GaussianBlur(fine * fine, (0, 0), 2 * _BLUR_PX)
    detail: Grey = fine / np.sqrt(contrast + _NOISE**2)
    return detail


def _fine(picture: Grey) -> Grey:
    fine: Grey = picture - cv2.GaussianBlur(picture, (0, 0), _BLUR_PX)
    return fine


def _is_plausible(warp: NDArray[np.float32]) -> bool:
    scales, shears = np.diag(warp[:, :2]), (warp[0, 1], warp[1, 0])
    return bool(
        all(1 / _MOST_SCALE < scale < _MOST_SCALE for scale in scales)
        and max(map(abs, shears)) < _MOST_SHEAR
    )


def _correlation(first: Grey, second: Grey) -> float:
    first, second = first - first.mean(), second - second.mean()
    size = float(np.sqrt((first * first).sum() * (second * second).sum()))
    return float((first * second).sum()) / size if size > _FLAT else 0.0
