"""Bands that are computed from others, such as NDVI (Rouse et al. 1974, NASA SP-351)."""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_Operator = Callable[..., NDArray[np.float32]]
_OPERATORS: dict[type[ast.AST], _Operator] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.USub: operator.neg, ast.UAdd: operator.pos,
}  # fmt: skip


class Index(NamedTuple):
    """A formula over bands.

    Attributes:
        formula: the right side, checked: nothing but + - * /, numbers and bands.
        bands: names in it, sorted.
    """

    formula: ast.expr
    bands: tuple[str, ...]

    def over(self, bands: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return the index (H, W), from [-1, 1] brought to [0, 1]; 0.5 where it divides by 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.asarray(_value(self.formula, bands), np.float32)
        # 0 / 0 is ground that reflects nothing at all: neither plants nor bare.
        return np.clip(np.where(np.isfinite(value), value, 0) / 2 + 0.5, 0, 1).astype(np.float32)


@cache
def parse_indices(written: tuple[str, ...]) -> Mapping[str, Index]:
    """Return indices by name, as written: "ndvi=(B8A-B4)/(B8A+B4)".

    Raises:
        ValueError: one is no formula of that kind, or two have one name.
    """
    indices: dict[str, Index] = {}
    for text in written:
        name, equals, formula = (part.strip() for part in text.partition("="))
        if not equals or not name or name in indices:
            raise ValueError(
                f"an index is written once, as name=formula, such as ndvi=(nir-red)/(nir+red); "
                f"got {text!r}"
            )
        try:
            tree = ast.parse(formula, mode="eval").body
        except SyntaxError as error:
            raise ValueError(f"the formula of {name!r} cannot be read: {formula!r}") from error
        _check(tree, name)
        found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        if not found:
            raise ValueError(f"the formula of {name!r} names no band: {formula!r}")
        indices[name] = Index(tree, tuple(sorted(found)))
    if both := [name for name in indices if any(name in index.bands for index in indices.values())]:
        raise ValueError(f"an index is made of bands, not of indices: {', '.join(both)}")
    return indices


def bands_to_read(bands: Sequence[str], indices: Mapping[str, Index]) -> tuple[str, ...]:
    """Return the bands of the file that `bands` and the indices among them need, each once."""
    needed = [indices[name].bands if name in indices else (name,) for name in bands]
    return tuple(dict.fromkeys(name for names in needed for name in names))


def _check(node: ast.expr, name: str) -> None:
    match node:
        case ast.Name() | ast.Constant(value=int() | float()):
            return
        case ast.BinOp() if type(node.op) in _OPERATORS:
            _check(node.left, name)
            _check(node.right, name)
        case ast.UnaryOp() if type(node.op) in _OPERATORS:
            _check(node.operand, name)
        case _:
            raise ValueError(
                f"the formula of {name!r} holds {ast.unparse(node)!r}; it may hold bands, numbers, "
                "+ - * / and brackets"
            )


def _value(
    node: ast.expr, bands: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.float32] | np.float32:
    match node:
        case ast.Name():
            return bands[node.id]
        case ast.BinOp():
            left, right = _value(node.left, bands), _value(node.right, bands)
            return _OPERATORS[type(node.op)](left, right)
        case ast.UnaryOp():
            return _OPERATORS[type(node.op)](_value(node.operand, bands))
        case _:
            return np.float32(ast.literal_eval(node))
