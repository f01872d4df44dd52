"""Which records of a forest a filter keeps: those that match, and the path above them so that it still reads (pure).

`timeline.asked` reads a sieve from the address, `plan` applies it; a search for text asks the database first and comes
here as the nodes it hit.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from timeline.layout.forest import ASIDE, CHAPTER, EVENT, LOG, MOVE, SPAN, Forest, Mask
from timeline.layout.tables import Table

Flags = NDArray[np.uint8]
MATCH, PATH = 1, 2
# The first severity number of each of OTLP's six levels; 0 is none told.
LEVELS = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "error": 17, "fatal": 21}
# OTLP's kinds and statuses of spans, by number.
KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUSES = ("unset", "ok", "error")


@dataclass(frozen=True, slots=True)
class Sieve:
    """What a page was asked to show. Empty fields ask nothing. Times are Unix nanoseconds, both ends included."""

    only: str = ""  # "errors", "logs" or "hits"
    services: frozenset[str] = frozenset()
    start: int | None = None
    end: int | None = None
    kinds: frozenset[int] = frozenset()  # OTLP span kinds
    status: frozenset[int] = frozenset()  # OTLP span statuses
    level: str = ""  # logs of this level and above
    trust: str = ""  # records that a word of the trust line counts: one of `TRUST`

    def __bool__(self) -> bool:
        return self != EVERYTHING


EVERYTHING = Sieve()


def keep(forest: Forest, sieve: Sieve, hits: Mask | None = None) -> Flags | None:
    """One flag a node: MATCH, PATH for what stands above a match, 0 for the rest; None when everything is kept.

    `hits` are the nodes a search in the flow found, where there was one: "only hits" keeps those.
    """
    if not sieve:
        return None
    matches = _matches(forest, sieve)
    if sieve.only == "hits":
        matches &= hits if hits is not None else False
    flags = np.zeros(len(forest), np.uint8)
    flags[forest.any_inside(matches)] = PATH
    flags[matches] = MATCH
    return flags


def _matches(forest: Forest, sieve: Sieve) -> Mask:
    matches = forest.own
    if replace(sieve, start=None, end=None) == EVERYTHING:
        matches |= (
            forest.kinds == ASIDE
        )  # a window of time looks at everything; other filters ask for records
    for asked in (*_of_window(forest, sieve), *_asked(forest, sieve)):
        matches &= asked
    return matches


def _of_window(forest: Forest, sieve: Sieve) -> Iterator[Mask]:
    if sieve.start is not None:
        yield forest.drawn_ends >= sieve.start
    if sieve.end is not None:
        yield forest.drawn <= sieve.end


def _asked(forest: Forest, sieve: Sieve) -> Iterator[Mask]:
    """What each other field that asks something keeps."""
    if sieve.only in ONLY:
        yield ONLY[sieve.only](forest)
    if sieve.trust:
        yield TRUST[sieve.trust](forest)
    if sieve.services:
        yield _of_services(forest, sieve.services)
    if sieve.level:
        yield _of_logs(forest, forest.tables.logs["severity"] >= LEVELS[sieve.level])
    for column, wanted in (("kind", sieve.kinds), ("status", sieve.status)):
        if wanted:
            words = KINDS if column == "kind" else STATUSES
            yield _of_spans(forest, np.isin(known(forest.spans[column], words), list(wanted)))


def known(values: NDArray[np.int32], words: Sequence[str]) -> NDArray[np.int32]:
    """Numbers that OTLP has a word for; others are the first one's, which says nothing."""
    return np.where((values < 0) | (values >= len(words)), 0, values)


def services_of(forest: Forest) -> NDArray[np.int32]:
    """The hash of each record's service; 0 for chapters and groups, and for transitions."""
    found = np.zeros(len(forest), np.int32)
    spans, events, logs = (forest.bases[kind] for kind in (SPAN, EVENT, LOG))
    of_spans: Table = forest.spans["service"]
    found[spans:events] = of_spans
    found[events:logs] = of_spans[forest.tables.events["span"]]
    found[logs : forest.bases[MOVE]] = forest.tables.logs["service"]
    return found


def _of_services(forest: Forest, names: frozenset[str]) -> Mask:
    wanted = [code for code, name in forest.tables.services.items() if name in names]
    matches = np.isin(services_of(forest), wanted)
    first = forest.bases[MOVE]
    for row, move in enumerate(forest.tables.moves):
        matches[first + row] = move.system in names
    return np.asarray(matches)


def _of_spans(forest: Forest, matches: Mask) -> Mask:
    found = np.zeros(len(forest), np.bool_)
    found[forest.bases[SPAN] : forest.bases[EVENT]] = matches
    return found


def _of_logs(forest: Forest, matches: Mask) -> Mask:
    found = np.zeros(len(forest), np.bool_)
    found[forest.bases[LOG] : forest.bases[MOVE]] = matches
    return found


def _counted(forest: Forest, column: str) -> Mask:
    """Spans and logs of which something was counted."""
    return _of_spans(forest, forest.spans[column] > 0) | _of_logs(forest, forest.tables.logs[column] > 0)


def _versions(forest: Forest) -> Mask:
    """Spans told more than once with different contents: each of their records."""
    kin = forest.kin
    several = kin.ranks > 0
    several[list(kin.versions)] = True
    return _of_spans(forest, several)


def _moved(forest: Forest) -> Mask:
    """Everything told by a clock that differs."""
    return np.asarray(np.isin(services_of(forest), list(forest.shifts)) & (forest.kinds != CHAPTER))


ONLY: Mapping[str, Callable[[Forest], Mask]] = {
    "errors": lambda forest: forest.failed,
    "logs": lambda forest: np.asarray(forest.kinds == LOG),
}
# By the words of `sentences.Trust`.
TRUST: Mapping[str, Callable[[Forest], Mask]] = {
    "orphans": lambda forest: _of_spans(forest, forest.kin.orphans),
    "cycles": lambda forest: _of_spans(forest, forest.kin.cut),
    "dropped": lambda forest: _counted(forest, "dropped"),
    "redacted": lambda forest: _counted(forest, "redacted"),
    "unattached": lambda forest: forest.loose,
    "versions": _versions,
    "skew": _moved,
}
