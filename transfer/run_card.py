"""The card of a run: what it learned, from what, how well, and what to distrust, in Markdown."""

import shlex
from collections.abc import Iterator, Mapping, Sequence

from transfer.plan import Plan
from transfer.samples.leaks import CLEAN
from transfer.samples.manifest import SPLITS
from transfer.scoring.intervals import Score

_MOST_CLASSES = 12
Scores = Mapping[str, Mapping[str, Score]]


def run_card(plan: Plan, scores: Scores, *, ended: str, epoch: int | None = None) -> str:
    """Return the card of a run.

    Its first line stands alone in lists of runs; nothing in it is a picture or the name of a file.

    Args:
        plan: of the run.
        scores: by split or other part of the rows, and by name.
        ended: how it ended, in words.
        epoch: whose weights were kept, 0 for the probe; None where the run kept none.
    """
    recipe = plan.settled.recipe
    how = f"{recipe.backbone}, {recipe.strategy}, {recipe.size} px, seed {recipe.seed}"
    parts = [f"{_headline(plan.headline, scores)} · {how}", _about(plan, ended, epoch)]
    if scores:
        parts.append(f"### Scores\n\n{_table_of(scores)}")
    if limits := list(dict.fromkeys(_limits(plan, scores))):
        parts.append("### What to distrust\n\n" + "\n".join(f"- {limit}" for limit in limits))
    if epoch is not None:
        parts.append(f"### Use it\n\n{_use(plan.name)}")
    return "\n\n".join(parts)


def _headline(name: str, scores: Scores) -> str:
    of_part = {part: named[name] for part, named in scores.items() if name in named}
    if not of_part:
        return "no scores"
    best = "test" if "test" in of_part else next(iter(of_part))
    others = "".join(f", {part} {of.value:.3f}" for part, of in of_part.items() if part != best)
    return f"{_words(name)} {_shown(of_part[best])} on {_words(best)}{others}"


def _about(plan: Plan, ended: str, epoch: int | None) -> str:
    recipe, manifest = plan.settled.recipe, plan.manifest
    groups = len(set(manifest.group_numbers()))
    apart = "each a group of its own" if groups == len(manifest) else f"in {groups:,} groups"
    sizes = ", ".join(f"{s} {n:,}" for s in SPLITS if (n := len(manifest.numbers(s))))
    lines = {
        "task": plan.task.name,
        "data": f"{len(manifest):,} pictures, {apart}; digest {manifest.digest()}",
        "classes": _classes(plan),
        "split": f"{sizes}; rows: {plan.audit}",
        "network": f"{recipe.backbone} at {recipe.size} px, weights: {recipe.weights}",
        "ended": ended + ("" if epoch is None else f"; kept {_kept(epoch)}"),
    }
    return _table(["", ""], [[name, _cell(text)] for name, text in lines.items()])


def _classes(plan: Plan) -> str:
    classes = plan.manifest.classes
    if plan.task.sensitive:  # a class may be the name of a person
        return str(len(classes))
    more = len(classes) - _MOST_CLASSES
    named = ", ".join(classes[:_MOST_CLASSES])
    return f"{len(classes)}: {named}{f' and {more} more' if more > 0 else ''}"


def _kept(epoch: int) -> str:
    return "the probe" if epoch == 0 else f"the weights of epoch {epoch}"


def _table_of(scores: Scores) -> str:
    names = dict.fromkeys(name for named in scores.values() for name in named)
    rows = [
        [_words(name), *(_shown(of[name]) if name in of else "" for of in scores.values())]
        for name in names
    ]
    return _table(["score", *map(_words, scores)], rows)


def _limits(plan: Plan, scores: Scores) -> Iterator[str]:
    recipe = plan.settled.recipe
    said = {
        "val selected the epoch, so that its scores flatter": "val" in scores,
        f"{plan.audit}: what belongs together is in several splits": plan.audit != CLEAN,
        "the starter weights are no substitute for those of ImageNet": recipe.weights == "starter",
        f"{len(plan.broken)} file(s) could not be read and are not in it": bool(plan.broken),
    }
    yield from (limit for limit, holds in said.items() if holds)
    for part, named in scores.items():
        for name, score in named.items():
            if score.low is None:
                yield f"{_words(name)} on {_words(part)}: {_cell(score.note)}"
    if plan.task.notice:
        yield plan.task.notice


def _use(name: str) -> str:
    return (
        f"```\ntransfer predict {shlex.quote(name)} PICTURE\n```\n\n"
        f'```python\ntransfer.load({name!r}).predict(["picture.jpg"])\n```'
    )


def _shown(score: Score) -> str:
    if score.low is None or score.high is None:
        return f"{score.value:.3f}"
    return f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}]"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """Return `text` as it shows in a cell: names of classes come from people's folders."""
    for sign in "\\|`*_<>[]":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("\n", " ")
