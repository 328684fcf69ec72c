"""A run as one page of HTML that needs nothing else, in the clothes of a comparison's."""

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from transfer.comparing.page import page_head, page_table
from transfer.reporting.exhibits import Exhibit
from transfer.reporting.gathered import Report
from transfer.tracking.tracker import AUDIT_TAG, HEADLINE_TAG

NOT_AUDITED = "not audited"
_MOST_OPEN = 40  # lines of a table
_TITLES = {
    "learning_curves": "How training went",
    "confusion": "Which classes are taken for which",
    "reliability": "Is it as right as it is sure?",
    "labels": "Average precision of each label",
}


def as_page(found: Report) -> str:
    """Return the page; whatever comes from the user's files is escaped."""
    run = found.run
    about = f"{run.experiment}, {run.started:%Y-%m-%d %H:%M} UTC, {run.status.lower()}"
    parts = [
        page_head(run.name),
        f"<h1>{escape(run.name)}</h1>",
        f'<p class="muted">{escape(about)}</p>',
        f'<p class="verdict">{escape(_verdict(found))}</p>',
        *_notes(found),
        *_data(found),
        *_scores(found, "test", "looked at once, when all was decided"),
        *_scores(found, "val", "these rows also picked the epoch, which flatters"),
        *_figure(found.figures, "learning_curves"),
        *_per_class(found),
        *(line for name in _TITLES for line in _figure(found.figures, f"{found.split}_{name}")),
        *_slices(found),
        *_mistakes(found),
        *_costs(found),
        *_again(found),
        "</body></html>",
        "",
    ]
    return "\n".join(parts)


def _verdict(found: Report) -> str:
    """Return the headline with its interval, in words."""
    headline = found.run.tags.get(HEADLINE_TAG, "")
    table = found.scores.get(found.split, pd.DataFrame(columns=["score"]))
    for row in table.to_dict("records"):
        if row["score"] == headline:
            return f"{headline} {_span(row)} on {found.split}"
    return f"{headline}: no {found.split} score was kept"


def _notes(found: Report) -> Iterator[str]:
    notes = [*found.notes, found.notice]
    if found.split == "val":
        notes.insert(0, "the run was broken off: its test rows were never looked at")
    yield "<ul>"
    yield from (f"<li>{escape(note)}</li>" for note in notes if note)
    yield "</ul>"


def _data(found: Report) -> Iterator[str]:
    tags = found.run.tags
    yield "<h2>Data and split</h2>"
    audit = tags.get(AUDIT_TAG, NOT_AUDITED)
    yield (
        f"<p>{escape(found.run.data or 'unknown place')}; digest "
        f"{escape(tags.get('transfer.data_digest', 'unknown'))}; audit: {escape(audit)}</p>"
    )
    if found.counts.empty:
        return
    splits = list(found.counts.columns[1:])
    lines = [
        [str(row[found.counts.columns[0]]), *(f"{row[s]:,}" for s in splits)]
        for row in found.counts.to_dict("records")
    ]
    lines.append(["all", *(f"{int(found.counts[s].sum()):,}" for s in splits)])
    yield from _folded(["class", *map(str, splits)], lines)


def _scores(found: Report, split: str, said: str) -> Iterator[str]:
    if split not in found.scores:
        return
    yield f"<h2>Scores on {split}</h2>"
    yield f'<p class="muted">with 95 % intervals; {said}</p>'
    lines = [
        [str(row["score"]), _number(row["value"]), _ends(row), _text(row["note"])]
        for row in found.scores[split].to_dict("records")
    ]
    shut = split != found.split
    yield from _folded(["score", "value", "95 % interval", "how"], lines, "noted", shut=shut)


def _per_class(found: Report) -> Iterator[str]:
    if found.per_class.empty:
        return
    names = [str(name) for name in found.per_class.columns]
    families = [name for name in names if f"{name}_low" in names]
    yield f"<h2>Each class on {found.split}</h2>"
    lines = [
        [
            str(row["class"]),
            *(
                _span({"value": row[f], "low": row[f"{f}_low"], "high": row[f"{f}_high"]})
                for f in families
            ),
            f"{row['rows']:,}",
        ]
        for row in found.per_class.to_dict("records")
    ]
    yield from _folded(["class", *families, "rows"], lines)


def _figure(figures: Mapping[str, bytes], name: str) -> Iterator[str]:
    if name not in figures:
        return
    title = _TITLES.get(name) or _TITLES[name.partition("_")[2]]
    yield f"<h2>{title}</h2>"
    source = base64.b64encode(figures[name]).decode()
    yield (
        f'<div class="scroll"><img class="drawn" src="data:image/png;base64,{source}" '
        f'alt="{escape(name.replace("_", " "))}"></div>'
    )


def _slices(found: Report) -> Iterator[str]:
    if not found.slices:
        return
    yield f"<h2>Slices of {found.split}</h2>"
    yield '<p class="muted">by the free columns of the data: the share said wholly right</p>'
    lines = [
        [
            one.column,
            one.value,
            f"{one.rows:,}",
            _number(one.right.value),
            _ends(one.right._asdict()),
            one.right.note,
        ]
        for one in found.slices
    ]
    head = ["column", "value", "rows", "right", "95 % interval", "how"]
    yield from page_table(head, lines, "noted")


def _mistakes(found: Report) -> Iterator[str]:
    if not found.exhibits:
        return
    yield f"<h2>The surest mistakes on {found.split}</h2>"
    yield (
        '<p class="muted">as the network sees them; where it looked (Grad-CAM); and the training '
        "rows whose features point the most alike</p>"
    )
    for one in found.exhibits:
        yield from _mistake(one)


def _mistake(one: Exhibit) -> Iterator[str]:
    yield '<div class="mistake">'
    yield _picture(
        one.picture,
        f'<b>{escape(one.label)}</b><br>said <span class="wrong">{escape(one.guess)}</span><br>'
        f"off by {one.off:.2f}",
    )
    if one.seen:
        yield _picture(one.seen, "where it looked")
    for near in one.neighbours:
        kind = "right" if near.label == one.label else "wrong"
        yield _picture(
            near.picture,
            f'train <span class="{kind}">{escape(near.label)}</span><br>{near.cosine:.2f} alike',
        )
    yield "</div>"


def _picture(address: str, caption: str) -> str:
    return (
        f'<figure><img src="{escape(address)}" alt=""><figcaption>{caption}</figcaption></figure>'
    )


def _costs(found: Report) -> Iterator[str]:
    headline = found.run.tags.get(HEADLINE_TAG, "score")
    yield "<h2>What the depth cost</h2>"
    if len(found.costs) > 1:
        yield '<p class="muted">beside the other runs on the same test rows, compared on val</p>'
    head = [
        "run",
        "backbone",
        "strategy",
        "px",
        "parameters",
        "GMACs",
        "images/s in training",
        f"val {headline}",
    ]
    lines = [
        [
            f"{one.name} (this run)" if one.own else one.name,
            one.backbone,
            one.strategy,
            one.size,
            "" if one.cost is None else f"{one.cost.parameters / 1e6:.2f} M",
            "" if one.cost is None else f"{one.cost.macs / 1e9:.2f}",
            "" if math.isnan(one.images_per_second) else f"{one.images_per_second:,.0f}",
            _number(one.val),
        ]
        for one in found.costs
    ]
    yield from page_table(head, lines)


def _again(found: Report) -> Iterator[str]:
    tags = found.run.tags
    yield "<h2>Make it again</h2>"
    yield f'<pre class="scroll">{escape(found.command)}</pre>'
    ran = [tags.get("transfer.compute", ""), tags.get("machine.processor", "")]
    versions = [
        f"{name.removeprefix('version.')} {value}"
        for name, value in sorted(tags.items())
        if name.startswith("version.")
    ]
    yield f'<p class="muted">{escape("; ".join(filter(None, [*ran, ", ".join(versions)])))}</p>'


def _folded(
    head: Sequence[str], lines: Sequence[Sequence[str]], kind: str = "", *, shut: bool = False
) -> Iterator[str]:
    """Yield a table; of many lines, or where it matters less, it is shut until somebody looks."""
    if len(lines) <= _MOST_OPEN and not shut:
        yield from page_table(head, lines, kind)
        return
    yield f"<details><summary>{len(lines):,} lines</summary>"
    yield from page_table(head, lines, kind)
    yield "</details>"


def _span(row: Mapping[Any, Any]) -> str:
    return f"{_number(row['value'])} {_ends(row)}".strip()


def _ends(row: Mapping[Any, Any]) -> str:
    low, high = row["low"], row["high"]
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return ""
    return f"[{low:.3f}, {high:.3f}]"


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
