"""An audit in lines: what was understood, and a line for each kind of finding."""

from collections.abc import Iterator, Mapping

from transfer.auditing.found import Audit, Understood
from transfer.samples.leaks import amounts

_SHOWN = 8
_UNEVEN = 10.0  # times as many rows: from here on rare classes need help (training.balance)


def understood_lines(about: Understood) -> Iterator[tuple[str, str]]:
    """Yield (name, what was understood) before anything is judged."""
    apart = "each alone" if about.groups == about.rows else f"in {about.groups:,} groups"
    yield "rows", f"{about.rows:,} pictures {apart}, {about.target.replace('_', ' ')}"
    yield "classes", f"{len(about.classes):,}: {_counts(about.classes)}"
    given = {name or "no split": count for name, count in about.splits.items() if count}
    yield "splits", _counts(given) if set(about.splits) != {""} else "none given; a run draws them"
    yield "files", _counts(about.formats)
    small, middle, large = (
        f"{width} x {height}" for width, height in (about.smallest, about.median, about.largest)
    )
    yield "sizes", f"{small} px" if small == large else f"{small} to {large} px, median {middle}"
    if about.left_out:
        yield "left out", f"{len(about.left_out)} file(s) that cannot be read"
    for note in about.notes:
        yield "note", note


def finding_lines(found: Audit) -> Iterator[tuple[str, str, str]]:
    """Yield (what was looked for, "ok", "look" or "leak", what was found), the gravest first."""
    yield (
        "given splits",
        *_state("leak", len(found.leaks), f"{amounts(found.leaks)} in several splits"),
    )
    extra = sum(len(rows) - 1 for rows in found.equals)
    equal = f"{extra:,} row(s) repeat another's pixels; a run keeps them together"
    yield "equal pictures", *_state("look", extra, equal)
    yield "near-duplicates", *_near(found)
    odd = len(found.contradictions)
    yield "labels of copies", *_state("look", *_contradictions(found, odd))
    if found.shortcut is not None:
        short = found.shortcut
        best = ", ".join(f"{name} {score:.2f}" for name, score in [*short.of_facts.items()][:3])
        says = f"{short.risk}: facts alone reach {short.score:.2f}, chance {short.chance:.2f}"
        state = "ok" if short.risk == "low" else "look"
        yield "shortcuts", state, f"{says} (balanced accuracy; alone: {best})" if best else says
    ratio = found.understood.imbalance
    uneven = f"the most frequent class has {ratio:.1f} times the rows of the rarest"
    yield "imbalance", "look" if ratio >= _UNEVEN else "ok", uneven
    if found.doubts is not None:
        share = len(found.doubts) / found.understood.rows
        doubtful = (
            f"{len(found.doubts):,} row(s) ({share:.1%}) that a probe takes for others; it reaches "
            f"{found.probe_score:.2f} itself"
        )
        yield "likely label errors", *_state("look", len(found.doubts), doubtful)
    for note in found.notes:
        yield "not looked for", "ok", note


def _near(found: Audit) -> tuple[str, str]:
    rows = {member.number for pair in found.copies for member in (pair.first, pair.second)}
    if not rows:
        return "ok", "none"
    share = len(rows) / found.understood.rows
    says = f"{len(found.copies):,} pair(s) of {len(rows):,} rows ({share:.1%})"
    if found.divided:
        sure = sum(pair.is_sure for pair in found.divided)
        across = f"{len(found.divided):,} pair(s) across given splits, {sure:,} of them for sure"
        return "leak" if sure else "look", f"{says}, {across}"
    if set(found.understood.splits) == {""}:
        says += "; --groups-out keeps them together"
    return "look", says


def _contradictions(found: Audit, odd: int) -> tuple[int, str]:
    near = sum(pair.contradict for pair in found.copies)
    return odd + near, f"{odd} picture(s) and {near} near-duplicate pair(s) have two labels"


def _state(state: str, count: int, says: str) -> tuple[str, str]:
    return (state, says) if count else ("ok", "none")


def _counts(counts: Mapping[str, int]) -> str:
    shown = ", ".join(f"{name or 'none'} {count:,}" for name, count in [*counts.items()][:_SHOWN])
    return f"{shown}, and {len(counts) - _SHOWN} more" if len(counts) > _SHOWN else shown
