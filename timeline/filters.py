"""What narrows a flow's page: filters with their counts, the words of the trust line that are filters, find in flow.

Each is a link that keeps the view. `timeline.layout.sieve` applies them, `templates/flow/` draws them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from timeline.asked import Asked
from timeline.layout.forest import LOG, MOVE, SPAN
from timeline.layout.ids import find_node, row_id
from timeline.layout.sieve import KINDS, LEVELS, STATUSES, known, services_of
from timeline.reading import Reading
from timeline.sentences import Note, counted
from timeline.templatetags.threadline import hue

# What an address says that leaves rows out, and which page of them it shows.
NARROWING = ("only", "service", "kind", "status", "level", "trust", "from", "to", "cursor", "at")


@dataclass(frozen=True, slots=True)
class Chip:
    """A link that says whether what it leads to is what is shown; `hue` is a service's class."""

    label: str
    href: str
    pressed: bool
    count: int | None = None
    hue: str = ""


@dataclass(frozen=True, slots=True)
class Menu:
    """Choices of which one is taken at a time."""

    label: str
    chips: list[Chip]

    @property
    def pressed(self) -> list[Chip]:
        return [chip for chip in self.chips if chip.pressed]


def chips(reading: Reading, path: str) -> Iterator[Chip]:
    asked, flow = reading.asked, reading.flow
    only = asked.sieve.only
    narrowed = [name for name in NARROWING if name not in ("from", "to")]
    yield Chip("everything", asked.address(path, narrowed), not _narrowed(asked))
    failing = int(reading.failing.sum())
    if failing or only == "errors":
        yield _only(asked, path, "errors", "errors with their path", failing or None)
    if flow.logs or only == "logs":
        yield _only(asked, path, "logs", "logs", flow.logs)
    if flow.spans > 1:
        href = asked.address(path, critical="" if asked.critical else "1")
        yield Chip("critical path, self times", href, asked.critical)


def _narrowed(asked: Asked) -> bool:
    sieve = asked.sieve
    return any((sieve.only, sieve.services, sieve.kinds, sieve.status, sieve.level, sieve.trust))


def _only(asked: Asked, path: str, word: str, label: str, count: int | None) -> Chip:
    pressed = asked.sieve.only == word
    return Chip(label, asked.address(path, ("cursor", "at"), only="" if pressed else word), pressed, count)


def menus(reading: Reading, path: str, hues: dict[str, str]) -> list[Menu]:
    """Menus that have something to choose from, or something chosen."""
    sieve = reading.asked.sieve
    found = [
        _menu(reading, path, "services", "service", _of_services(reading), sieve.services, hues),
        _menu(reading, path, "kinds", "kind", _of_kinds(reading), [KINDS[one] for one in sieve.kinds]),
        _menu(
            reading, path, "status", "status", _of_status(reading), [STATUSES[one] for one in sieve.status]
        ),
        _menu(reading, path, "severity", "level", _of_levels(reading), [sieve.level] if sieve.level else []),
    ]
    return [menu for menu in found if len(menu.chips) > 1 or menu.pressed]


def _menu(
    reading: Reading,
    path: str,
    label: str,
    field: str,
    counts: dict[str, int],
    chosen: Sequence[str] | frozenset[str],
    hues: dict[str, str] | None = None,
) -> Menu:
    asked = reading.asked
    counts = counts | {word: counts.get(word, 0) for word in chosen}
    return Menu(
        label,
        [
            Chip(
                f"{word} and above" if field == "level" and word != "fatal" else word,
                asked.address(path, (field, "cursor", "at"), **({} if word in chosen else {field: word})),
                word in chosen,
                count,
                (hues.get(word) or hue(word)) if hues else "",
            )
            for word, count in counts.items()
        ],
    )


def _of_services(reading: Reading) -> dict[str, int]:
    forest = reading.story.forest
    own = forest.own
    codes, counts = np.unique(services_of(forest)[own & (forest.kinds < MOVE)], return_counts=True)
    told = zip(codes.tolist(), counts.tolist(), strict=True)
    found = {forest.tables.services[code]: count for code, count in told if code in forest.tables.services}
    for row, move in enumerate(forest.tables.moves):
        if own[forest.node_of(MOVE, row)]:
            found[move.system] = found.get(move.system, 0) + 1
    return dict(sorted(found.items()))


def _of_spans(reading: Reading, column: str, words: Sequence[str]) -> dict[str, int]:
    forest = reading.story.forest
    own = forest.own[forest.bases[SPAN] : forest.bases[SPAN] + len(forest.spans)]
    values = known(forest.spans[column][own], words)
    return {
        word: int(n) for word, n in zip(words, np.bincount(values, minlength=len(words)), strict=True) if n
    }


def _of_kinds(reading: Reading) -> dict[str, int]:
    return _of_spans(reading, "kind", KINDS)


def _of_status(reading: Reading) -> dict[str, int]:
    return _of_spans(reading, "status", STATUSES)


def _of_levels(reading: Reading) -> dict[str, int]:
    """How many logs there are of each level and above; levels that add nothing to the next one are left out."""
    forest = reading.story.forest
    own = forest.own[forest.bases[LOG] : forest.bases[LOG] + len(forest.tables.logs)]
    severities = forest.tables.logs["severity"][own]
    found, above = {}, 0
    for word, least in reversed(LEVELS.items()):
        count = int((severities >= least).sum())
        if count > above:
            found[word] = above = count
    return dict(reversed(found.items()))


def notes(reading: Reading, path: str, told: Sequence[Note]) -> list[Chip]:
    """The words of the trust line; those with rows behind them lead to these rows, and back."""
    asked = reading.asked
    return [
        Chip(note.text, _kept(asked, path, note), bool(note.filter) and asked.sieve.trust == note.filter)
        for note in told
    ]


def _kept(asked: Asked, path: str, note: Note) -> str:
    if not note.filter:
        return ""
    chosen = "" if asked.sieve.trust == note.filter else note.filter
    return asked.address(path, ("cursor", "at"), trust=chosen)


def search(reading: Reading, path: str) -> dict[str, Any]:
    """The find box: what it keeps of the address, what it found, and the ways to the next and the one before."""
    asked = reading.asked
    left_out = ("find", "cursor", "at", "record")
    kept = [
        (name, value)
        for name, values in asked.query.lists()
        for value in values
        if name not in left_out and not (name == "only" and value == "hits")
    ]
    found: dict[str, Any] = {"text": asked.find, "kept": kept, "path": path}
    return found | _places(reading, path) if asked.find else found


def _places(reading: Reading, path: str) -> dict[str, Any]:
    asked, forest = reading.asked, reading.story.forest
    nodes = reading.hits
    open_node = find_node(forest, asked.record) if asked.record else None
    place = -1 if open_node is None else int(forest.order.places[open_node])
    at = int(np.searchsorted(forest.order.places[nodes], place))
    on_hit = at < len(nodes) and int(nodes[at]) == open_node

    def leading(number: int) -> str:
        if not 0 <= number < len(nodes):
            return ""
        return asked.address(path, ("cursor", "at"), record=row_id(forest, int(nodes[number])))

    said = counted(len(nodes), "match", "matches") if len(nodes) else "nothing matches"
    if on_hit:
        said = f"{at + 1:,} of {said}"
    return {
        "said": said + _unread(reading),
        "found": len(nodes),
        "previous": leading(at - 1),
        "next": leading(at + 1 if on_hit else at),
        "only": asked.address(path, ("cursor", "at"), only="" if asked.sieve.only == "hits" else "hits"),
        "is_only": asked.sieve.only == "hits",
        "plain": asked.address(path, _left_with_search(asked)),
    }


def _left_with_search(asked: Asked) -> tuple[str, ...]:
    """What leaves the address with the search."""
    return ("find", "cursor", "at", "only") if asked.sieve.only == "hits" else ("find", "cursor", "at")


def _unread(reading: Reading) -> str:
    """A flow of too many records is read chapter by chapter, and so it is looked through."""
    unread = sum(1 for chapter in reading.story.forest.chapters if not chapter.was_read and chapter.count)
    return f"; {counted(unread, 'folded chapter', 'folded chapters')} not looked into" if unread else ""
