"""What a judge promises: scores that can be resampled, named, remarked on and drawn."""

import warnings
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from transfer.promises.promise import KEPT, Finding, Promise, broken, kept_unless, moot
from transfer.promises.subject import Subject
from transfer.samples.predictions import Predictions
from transfer.samples.target import CODES, encode_labels
from transfer.scoring.metrics import SCORECARDS

_NONE = moot("it is judged by its kind of target alone")
_FEATURES = 8
_CLOSE = 1e-9


def scores_of_one_class(subject: Subject) -> Finding:
    """Rows of one class alone are scored, as a small val split may hold."""
    if subject.judging.domain is None:
        return _NONE
    labels = subject.seen.manifest.rows["label"].to_numpy()
    found = _decided(subject, np.flatnonzero(labels == labels[0]))
    scores = subject.judging.domain.scores(found, np.ones((2, len(found))))
    odd = [name for name, values in scores.items() if values.shape != (2,)]
    if odd:
        return broken(f"two weightings gave {odd[0]} of shape {scores[odd[0]].shape}")
    endless = [name for name, values in scores.items() if np.isinf(values).any()]
    return kept_unless(f"{', '.join(endless)} is infinite" if endless else "")


def weights_are_rows(subject: Subject) -> Finding:
    """Rows are scored as they are, beside other weightings, at double weight and left out."""
    if subject.judging.domain is None:
        return _NONE
    score, found = subject.judging.domain.scores, _decided(subject)
    kept = found.groups != found.groups[0]
    weights = np.stack([np.ones(len(found)), np.full(len(found), 2.0), kept.astype(np.float64)])
    plain, together = score(found, weights[:1]), score(found, weights)
    fewer = {name: values[2:] for name, values in together.items()}
    if found.embeddings is None:  # else pictures are compared, and who is left out was met before
        fewer = score(_part(found, np.flatnonzero(kept)), np.ones((1, int(kept.sum()))))
    for said, one, other in (
        ("beside other weightings", plain, {name: s[:1] for name, s in together.items()}),
        ("where every row counts twice", plain, {name: s[1:2] for name, s in together.items()}),
        ("without a group than at weight 0", fewer, {name: s[2:] for name, s in together.items()}),
    ):
        if differ := _differing(one, other):
            return broken(f"{', '.join(differ)}: another value {said}")
    return KEPT


def headline_is_scored(subject: Subject) -> Finding:
    """Names of the headline, of remarks and of what is shown are looked for among the scores."""
    judging, task = subject.judging, subject.task
    found = _decided(subject)
    scores = judging.points(found)
    headline = judging.headline or task.headline or SCORECARDS[judging.kind].headline
    named = [headline]
    if judging.domain is not None:
        named += [*judging.domain.remarks(found), *judging.domain.rests_on(found)]
    unknown = [name for name in dict.fromkeys(named) if name not in scores]
    if unknown:
        return broken(f"no score is called {', '.join(unknown)}; there are {', '.join(scores)}")
    # Some of what is shown may not be among these data, as pairs of classes that others have.
    if judging.shown and not {*judging.shown} & {*scores}:
        return broken(f"none of what is shown is a score: {', '.join(judging.shown)}")
    low = judging.lower_is_better(headline)
    return kept_unless(f"of the headline {headline!r} less is better" if low else "")


def figures_are_drawn(subject: Subject) -> Finding:
    """The figures of some rows are asked for, and what comes is looked at."""
    if subject.judging.domain is None:
        return _NONE
    figures = subject.judging.figures(_decided(subject))
    if not figures:
        return moot("it draws no figures of these rows")
    odd = [name for name, drawn in figures.items() if not hasattr(drawn, "savefig")]
    return kept_unless(f"{', '.join(odd)} is no Figure" if odd else "")


def _decided(subject: Subject, numbers: NDArray[np.int64] | None = None) -> Predictions:
    """Return made-up answers about rows, with all that is decided on them."""
    manifest = subject.seen.manifest
    if numbers is None:
        numbers = np.arange(len(manifest))
    rng = np.random.default_rng(0)
    raw = rng.random((len(manifest), len(manifest.classes))).astype(np.float32)
    several = CODES[manifest.target].several
    probabilities = raw if several else raw / raw.sum(axis=1, keepdims=True)
    embeddings = rng.normal(size=(len(manifest), _FEATURES)).astype(np.float32)
    by_embeddings = SCORECARDS[manifest.target].by_embeddings
    said = Predictions(
        classes=manifest.classes,
        keys=manifest.rows["key"].to_numpy(dtype=np.str_)[numbers],
        groups=manifest.group_numbers()[numbers],
        targets=encode_labels(
            manifest.target, manifest.rows["label"].iloc[numbers].tolist(), manifest.classes
        ),
        probabilities=probabilities[numbers],
        kind=manifest.target,
        embeddings=embeddings[numbers] if by_embeddings else None,
        facts=manifest.facts(numbers),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return subject.judging.decided({"val": said})["val"]


def _part(found: Predictions, numbers: NDArray[np.int64]) -> Predictions:
    return replace(
        found,
        keys=found.keys[numbers],
        groups=found.groups[numbers],
        targets=found.targets[numbers],
        probabilities=found.probabilities[numbers],
        embeddings=None if found.embeddings is None else found.embeddings[numbers],
        facts=None if found.facts is None else found.facts.iloc[numbers].reset_index(drop=True),
    )


def _differing(
    one: dict[str, NDArray[np.float64]], other: dict[str, NDArray[np.float64]]
) -> list[str]:
    return [
        name
        for name in sorted({*one, *other})
        if name not in one
        or name not in other
        or not np.allclose(one[name], other[name], rtol=_CLOSE, atol=_CLOSE, equal_nan=True)
    ]


PROMISES = (
    Promise(
        "scores-of-one-class",
        "Rows of one class alone have scores as well: numbers, or nan where one is undefined.",
        "Divide with transfer.scoring.weighting.ratio, which gives nan where the weights are 0, "
        "and return (R,) for R weightings.",
        scores_of_one_class,
        ("reads-twice-alike",),
    ),
    Promise(
        "weights-are-rows",
        "A weighted score is what rows counted so often would give; all weights of 1 change "
        "nothing.",
        "Let every sum over rows run through the weights (R, N), as in weights @ right / "
        "weights.sum(axis=1).",
        weights_are_rows,
        ("reads-twice-alike",),
    ),
    Promise(
        "headline-is-scored",
        "The headline is one of its scores, of which more is better; remarks are about scores.",
        "Name a key of Judge.scores or of the kind of target in headline, shown, remarks and "
        "rests_on.",
        headline_is_scored,
        ("reads-twice-alike",),
    ),
    Promise(
        "figures-are-drawn",
        "Its figures can be drawn of any rows.",
        "Return matplotlib figures from Judge.figures, begun with transfer.drawing.new_figure, and "
        "leave out what too few rows would show.",
        figures_are_drawn,
        ("reads-twice-alike",),
    ),
)
