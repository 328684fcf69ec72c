"""The cards of all installed tasks, found without importing any task."""

import difflib
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

from transfer.catalogue.card import Card, read_cards
from transfer.errors import BrokenPromiseError, DataNotFoundError
from transfer.plugin.discovery import installed_tasks

CARDS = "cards.toml"
"""Of a task, beside the module that holds it."""


class Catalogue(NamedTuple):
    """All cards, and what is wrong with the files that could not be read."""

    cards: Sequence[Card]
    broken: Sequence[str]

    def card(self, name: str) -> Card:
        """Return the card called `name`.

        Raises:
            DataNotFoundError: there is none.
            BrokenPromiseError: two tasks have one of that name.
        """
        found = [card for card in self.cards if card.name == name]
        if not found:
            raise DataNotFoundError(self._not_found(name))
        if len(found) > 1:
            tasks = " and ".join(card.task for card in found)
            raise BrokenPromiseError(
                f"data set {name!r} is claimed by the tasks {tasks}; uninstall one of them"
            )
        return found[0]

    def _not_found(self, name: str) -> str:
        known = sorted(card.name for card in self.cards)
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        unread = "".join(f"\n  not read: {each}" for each in self.broken)
        return f"no data set named {name!r}. {hint}Known: {', '.join(known) or 'none'}{unread}"


def read_catalogue() -> Catalogue:
    """Return the cards of all installed tasks, by task and in their order.

    A task brings cards in a file `cards.toml` beside its module. What is wrong with one of them
    keeps nobody from the others.
    """
    cards: list[Card] = []
    broken = []
    for entry in installed_tasks():
        try:
            file = _file_of(entry)
            cards += read_cards(file, entry.name) if file and file.is_file() else []
        except BrokenPromiseError as error:
            broken.append(str(error))
    return Catalogue(cards, broken)


def _file_of(entry: EntryPoint) -> Traversable | None:
    """Return where the cards of a task lie; None for one that is a module outside any package.

    Raises:
        BrokenPromiseError: the package cannot be imported.
    """
    package, _, _ = entry.module.rpartition(".")
    if not package:
        return None
    try:
        # Of the package, only what its __init__ says is run: no task, and so no pandas.
        return files(package) / CARDS
    except ImportError as error:
        raise BrokenPromiseError(
            f"the cards of task {entry.name!r} ({entry.value}) cannot be looked for: {error}"
        ) from error
