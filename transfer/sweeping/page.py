"""A sweep as one page of HTML that needs nothing else, in the clothes of a comparison's."""

import base64
import math
from collections.abc import Iterator, Mapping
from html import escape

from transfer.comparing.page import page_head, page_table
from transfer.sweeping.figures import draw_front, draw_history, draw_importance
from transfer.sweeping.reading import ranked
from transfer.sweeping.result import Conclusion, Sweep, Trial, in_words


def as_page(found: Sweep) -> str:
    """Return the page; whatever comes from the user's files is escaped."""
    title = f"Which settings suit: {found.task}"
    wanted = ", ".join(one.name for one in found.objectives)
    about = f"study {found.study}: {in_states(found)}, by {wanted} on val"
    parts = [
        page_head(title),
        f"<h1>{escape(title)}</h1>",
        f'<p class="muted">{escape(about)}</p>',
        f'<p class="verdict">{escape(_verdict(found))}</p>',
        "<ul>",
        *(f"<li>{escape(note)}</li>" for note in (*found.notes, found.notice) if note),
        "</ul>",
        *(_chosen(found, found.conclusion) if found.conclusion is not None else ()),
        *_figures(found),
        "<h2>The trials</h2>",
        *page_table(*trials_table(found), "noted"),
        *_again(found),
        "</body></html>",
        "",
    ]
    return "\n".join(parts)


def in_states(found: Sweep) -> str:
    """Return how many trials came to what, in words."""
    states = [one.state for one in found.trials]
    counts = {state: states.count(state) for state in dict.fromkeys(states)}
    return ", ".join(f"{count} {state}" for state, count in counts.items()) or "no trial"


def trials_table(found: Sweep) -> tuple[list[str], list[list[str]]]:
    """Return the head and the lines of a table of all trials, the best first."""
    best = ranked(found.trials, found.objectives)
    rest = [one for one in found.trials if one not in best]
    rest.sort(key=lambda one: (one.state != "complete", one.state != "stopped", one.number))
    names = [one.name for one in found.objectives]
    chosen = found.conclusion.number if found.conclusion is not None else None
    lines = [_line(one, found, is_chosen=one.number == chosen) for one in (*best, *rest)]
    return ["trial", *names, *found.space, "state"], lines


def _line(one: Trial, found: Sweep, *, is_chosen: bool) -> list[str]:
    values = [f"{value:.4g}" for value in one.values]
    values += [""] * (len(found.objectives) - len(values))
    settings = [in_words(one.settings.get(name, "")) for name in found.space]
    said = one.about.removeprefix(f"{one.state} ")
    state = "; ".join(filter(None, ["chosen" if is_chosen else one.state, said]))
    return [str(one.number), *values, *settings, state]


def _verdict(found: Sweep) -> str:
    """Return what was chosen and what it reaches, or why nothing was."""
    if (made := found.conclusion) is None:
        if found.others:
            return f"{found.others} still at work; the last of them chooses"
        return found.ended or "nothing was chosen"
    chosen, name = found.trial(made.number), found.objectives[0].name
    words = f"trial {made.number}: {chosen.words()}; {name} {chosen.first:.4g} on val chose it"
    score = found.shown[0] if name not in made.val and found.shown else name
    reached = [f"{_span(made.val, score)} on val"] if made.val else []
    reached += [f"{_span(made.test, score)} on test, looked at once"] if made.test else []
    return f"{words}. Fitted again, {score} is {' and '.join(reached)}."


def _chosen(found: Sweep, made: Conclusion) -> Iterator[str]:
    yield f"<h2>The chosen settings: trial {made.number}</h2>"
    said = "fitted again as a run of their own, and looked at on test once; with 95 % intervals"
    yield f'<p class="muted">{escape(made.run)}: {said}</p>'
    names = [name for name in made.val if not name.endswith(("_low", "_high"))]
    order = dict.fromkeys([*(name for name in found.shown if name in made.val), *names])
    lines = [[name, _span(made.val, name), _span(made.test, name)] for name in order]
    yield from page_table(["score", "val", "test"], lines)
    if made.repeats:
        yield "<h2>The best, on other seeds</h2>"
        seeds = len(made.repeats[0].values)
        head = ["trial", f"mean of {seeds}", *(f"seed {n + 1}" for n in range(seeds))]
        lines = [
            [str(one.number), *(f"{value:.4f}" for value in (one.mean, *one.values))]
            for one in made.repeats
        ]
        yield from page_table(head, lines)


def _figures(found: Sweep) -> Iterator[str]:
    done = any(one.state in {"complete", "stopped"} for one in found.trials)
    for title, draw, has in (
        ("How the best grew", draw_history, done),
        ("Which setting mattered", draw_importance, bool(found.importance)),
        ("Whom nobody beats", draw_front, bool(found.front)),
    ):
        if has:
            picture = base64.b64encode(draw(found)).decode()
            yield f"<h2>{title}</h2>"
            source = f'src="data:image/png;base64,{picture}"'
            yield f'<div class="scroll"><img class="drawn" alt="{title}" {source}></div>'


def _again(found: Sweep) -> Iterator[str]:
    if found.chosen_again:
        yield "<h2>How to make the chosen run again</h2>"
        yield f"<pre>{escape(found.chosen_again)}</pre>"
    yield "<h2>How to make the sweep again</h2>"
    yield (
        '<p class="muted">one process repeats it exactly; several that share a study do not. '
        "space.toml is</p>"
    )
    yield f"<pre>{escape(found.space_file)}</pre><pre>{escape(found.again)}</pre>"
    if found.run_id or found.name:
        yield f'<p class="muted">run {escape(found.name)}; study in {escape(found.storage)}</p>'


def _span(scores: Mapping[str, float], name: str) -> str:
    """Return a score with its interval, or ""."""
    value = scores.get(name, math.nan)
    if math.isnan(value):
        return ""
    ends = (scores.get(f"{name}_low"), scores.get(f"{name}_high"))
    span = "" if None in ends else f" [{ends[0]:.3f}, {ends[1]:.3f}]"
    return f"{value:.3f}{span}"
