"""The preview picture of a flow, a problem or a comparison: what it says, and where each part stands (pure).

A `Card` holds names, states and times and nothing else, so what is drawn is what it holds. `timeline.card` fills it,
`timeline.drawncard` makes a picture of the shapes; how wide a text is drawn is asked of whoever draws it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

WIDTH, HEIGHT = 1200, 630
MARGIN = 60
INNER = WIDTH - 2 * MARGIN
TONES = 6  # of states
STATES = 34.0  # height of their row
NEAR_END = 70  # percent
BETWEEN = 20  # a sentence and its time
BAR = 0.8  # of its stretch, where there are others beside it

Measure = Callable[[str, int, bool], float]  # text, size, bold -> width


class Bin(NamedTuple):
    """One bar of a strip: left edge and width in percent, height from 0 to 1."""

    left: float
    width: float
    height: float
    failed: bool


class Gap(NamedTuple):
    """A folded stretch in which nothing happened: left edge and width in percent, and how long it was."""

    left: float
    width: float
    said: str


class State(NamedTuple):
    """A stretch in one state: left edge and width in percent, and which of `TONES` it has."""

    left: float
    width: float
    name: str
    tone: int


class Awaited(NamedTuple):
    """What should have come: left edge and width in percent, and its name."""

    left: float
    width: float
    name: str


@dataclass(frozen=True, slots=True)
class Strip:
    """The whole of it as a row of bars on one axis; `label` heads it where there are two."""

    begin: str
    end: str
    bins: tuple[Bin, ...] = ()
    gaps: tuple[Gap, ...] = ()
    states: tuple[State, ...] = ()
    awaited: Awaited | None = None
    now: float | None = None


class Mark(NamedTuple):
    """A verdict: shape, word and tone (`stuck`, `bad`, `ok`, `open`, `off`)."""

    sign: str
    word: str
    tone: str


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing with its title, verdict and strip."""

    title: str
    mark: Mark
    state: str
    strip: Strip


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence under the verdict: what it is about, the names in it, and when."""

    text: str
    rest: str = ""
    sign: str = ""
    tone: str = "ink"


@dataclass(frozen=True, slots=True)
class Card:
    """All that a picture and its tags say. `subjects` are one, or two that are compared."""

    place: str  # environment, or what it is
    subjects: tuple[Subject, ...]
    lines: tuple[Line, ...]
    facts: str
    as_of: str

    @property
    def title(self) -> str:
        return " and ".join(subject.title for subject in self.subjects)


class Text(NamedTuple):
    """A text on its baseline; `anchor` is l, m or r."""

    x: float
    y: float
    text: str
    size: int
    bold: bool
    tone: str
    anchor: str = "l"


class Box(NamedTuple):
    x: float
    y: float
    width: float
    height: float
    tone: str
    radius: float = 0


class Path(NamedTuple):
    points: tuple[tuple[float, float], ...]
    tone: str
    width: float
    dashed: bool = False


Shape = Text | Box | Path


def laid_out(card: Card, measure: Measure) -> list[Shape]:
    """All shapes of the card, those behind first."""
    shapes = [*_brand(card, measure)]
    if len(card.subjects) > 1:
        room = (HEIGHT - 200) / len(card.subjects)
        for place, subject in enumerate(card.subjects):
            shapes += _compared(subject, 112 + place * room, room, measure)
    else:
        shapes += _alone(card, card.subjects[0], measure)
    shapes += _foot(card, measure)
    return shapes


def fitted(text: str, size: int, bold: bool, room: float, measure: Measure) -> str:
    """The text, shortened with `…` until it fits."""
    if measure(text, size, bold) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        kept = measure(text[:middle].rstrip() + "…", size, bold) <= room
        low, high = (middle, high) if kept else (low, middle - 1)
    return text[:low].rstrip() + "…"


def _sized(text: str, sizes: tuple[int, ...], room: float, measure: Measure) -> tuple[str, int]:
    """The text in the largest of these sizes in which it fits, shortened in the smallest."""
    size = next((size for size in sizes if measure(text, size, True) <= room), sizes[-1])
    return fitted(text, size, True, room, measure), size


def _brand(card: Card, measure: Measure) -> Iterator[Shape]:
    # The mark of the pages' head, 18 units wide.
    yield Path(tuple((MARGIN + x * 2, 40 + y * 2) for x, y in _thread()), "thread", 4.6)
    yield Text(MARGIN + 46, 70, "Threadline", 30, True, "ink")
    # The time is worth more than the whole of a long name.
    room = INNER - 260 - measure(f" · {card.as_of}", 28, False)
    place = fitted(card.place, 28, False, room, measure)
    yield Text(WIDTH - MARGIN, 70, f"{place} · {card.as_of}", 28, False, "soft", "r")


def _thread() -> Iterator[tuple[float, float]]:
    """`M2 4h6a3 3 0 0 1 0 6H6a3 3 0 0 0 0 6h10`, its arcs as a few straight steps."""
    # Sine and cosine of a half circle in ten steps, so that every machine draws the same.
    sines = (0.0, 0.309, 0.588, 0.809, 0.951, 1.0, 0.951, 0.809, 0.588, 0.309, 0.0)
    cosines = (1.0, 0.951, 0.809, 0.588, 0.309, 0.0, -0.309, -0.588, -0.809, -0.951, -1.0)
    yield 2, 4
    yield from ((8 + 3 * sine, 7 - 3 * cosine) for sine, cosine in zip(sines, cosines, strict=True))
    yield from ((6 - 3 * sine, 13 - 3 * cosine) for sine, cosine in zip(sines, cosines, strict=True))
    yield 16, 16


def _alone(card: Card, subject: Subject, measure: Measure) -> Iterator[Shape]:
    title, size = _sized(subject.title, (80, 68, 58, 48), INNER, measure)
    yield Text(MARGIN, 152 + size * 0.2, title, size, True, "ink")
    yield from _verdict(subject, MARGIN, 196, 44, INNER, measure)
    y = 322.0
    for line in card.lines:
        yield from _line(line, y, measure)
        y += 52
    top = max(y - 22, 330)
    yield from _strip(subject.strip, top, 538 - top, measure)


def _verdict(
    subject: Subject, x: float, top: float, size: int, room: float, measure: Measure
) -> Iterator[Shape]:
    """The verdict in its colour, and the state beside it."""
    mark = subject.mark
    word = fitted(f"{mark.sign} {mark.word}".strip(), size, True, room * 0.72, measure)
    width = measure(word, size, True) + size
    yield Box(x, top, width, size * 1.5, f"{mark.tone}-soft", size * 0.75)
    yield Text(x + size / 2, top + size * 1.1, word, size, True, mark.tone)
    left = room - width - size * 0.6
    if subject.state and left > size * 2:
        yield Text(
            x + width + size * 0.5, top + size * 1.1, fitted(subject.state, size, False, left, measure), size, False, "ink"
        )  # fmt: skip


def _line(line: Line, y: float, measure: Measure) -> Iterator[Shape]:
    x = float(MARGIN)
    if line.sign:
        yield Text(x, y, line.sign, 34, True, line.tone)
        x += measure(line.sign, 34, True) + 14
    room = WIDTH - MARGIN - x
    if not line.text:
        yield Text(x, y, fitted(line.rest, 32, False, room, measure), 32, False, "soft")
        return
    size = next((size for size in (38, 34) if _both(line, size, measure) <= room), 31)
    rest = fitted(line.rest, size - 6, False, room * 0.5, measure)
    after = measure(rest, size - 6, False) + BETWEEN if rest else 0
    text = fitted(line.text, size, True, room - after, measure)
    yield Text(x, y, text, size, True, line.tone)
    if rest:
        yield Text(x + measure(text, size, True) + BETWEEN, y, rest, size - 6, False, "soft")


def _both(line: Line, size: int, measure: Measure) -> float:
    return measure(line.text, size, True) + BETWEEN + measure(line.rest, size - 6, False)


def _compared(subject: Subject, top: float, room: float, measure: Measure) -> Iterator[Shape]:
    title, size = _sized(subject.title, (50, 44, 38), INNER * 0.5, measure)
    yield Text(MARGIN, top + 42, title, size, True, "ink")
    x = MARGIN + measure(title, size, True) + 26
    yield from _verdict(subject, x, top, 34, WIDTH - MARGIN - x, measure)
    yield from _strip(subject.strip, top + 66, room - 92, measure)


def _strip(strip: Strip, top: float, height: float, measure: Measure) -> Iterator[Shape]:
    """Bars, folded stretches, what is awaited above them, states under them, and from when to when."""
    floor, label = top + height, 24
    states = STATES if strip.states else 0.0
    bars = floor - label - 8 - states
    yield Box(MARGIN, top, INNER, bars - top + states, "sheet", 8)
    yield from _gaps(strip.gaps, top, bars, measure)
    head = top + (30 if strip.gaps else 12)
    if strip.awaited and bars - head > 80:
        yield from _awaited(strip.awaited, head, measure)
        head += 36
    share = BAR if len(strip.bins) > 1 else 1.0
    for one in strip.bins:
        yield _bar(one, strip.gaps, head, bars, share)
    for state in strip.states:
        yield from _state(state, bars + 2, measure)
    if not strip.bins:
        yield Path(((MARGIN, bars - 3), (MARGIN + INNER, bars - 3)), "line-strong", 2)
    if strip.now is not None:
        yield Path(((_at(strip.now), top), (_at(strip.now), bars + states)), "thread", 3)
    yield from _ends(strip, floor, label, measure)


def _ends(strip: Strip, y: float, size: int, measure: Measure) -> Iterator[Shape]:
    """From when to when, and where now is; the end gives way where now is close to it."""
    half = INNER * 0.45
    begin = fitted(strip.begin, size, False, half, measure)
    yield Text(MARGIN, y, begin, size, False, "soft")
    if strip.now is not None:
        x = max(_at(strip.now), MARGIN + measure(begin, size, False) + 70)
        yield Text(x, y, "now", size, True, "thread", "r")
    if strip.now is None or strip.now < NEAR_END:
        yield Text(WIDTH - MARGIN, y, fitted(strip.end, size, False, half, measure), size, False, "soft", "r")


def _at(percent: float) -> float:
    return MARGIN + INNER * min(max(percent, 0.0), 100.0) / 100


def _bar(one: Bin, gaps: Sequence[Gap], top: float, floor: float, share: float) -> Shape:
    """A bar over a share of its stretch without what is folded of it."""
    start, end = one.left, one.left + one.width
    for gap in gaps:
        if gap.left <= start < gap.left + gap.width:
            start = gap.left + gap.width
        if start < gap.left < end:
            end = gap.left
    height = max(6.0, (floor - top) * one.height)
    left, right = _at(start), _at(max(start, end))
    return Box(
        left, floor - height, max(5.0, (right - left) * share), height, "bad" if one.failed else "bar", 2
    )


def _gaps(gaps: Sequence[Gap], top: float, floor: float, measure: Measure) -> Iterator[Shape]:
    """A zigzag for each, and how long it was where that does not run into the one before."""
    taken = 0.0
    for gap in gaps:
        left, right = _at(gap.left), _at(gap.left + gap.width)
        yield Box(left, top, right - left, floor - top, "sunk")
        middle, step = (top + 30 + floor) / 2, (right - left) / 6
        zigzag = ((left + at * step, middle + (8 if at % 2 else -8)) for at in range(1, 6))
        yield Path(((left, middle), *zigzag, (right, middle)), "faint", 3)
        half = measure(gap.said, 22, False) / 2
        x = min(max((left + right) / 2, MARGIN + half), WIDTH - MARGIN - half)
        if x - half >= taken:
            yield Text(x, top + 24, gap.said, 22, False, "soft", "m")
            taken = x + half + 12


def _awaited(told: Awaited, top: float, measure: Measure) -> Iterator[Shape]:
    """What should have come, dashed."""
    right = max(_at(told.left + told.width), _at(told.left) + 12)
    x = min(_at(told.left), right - 12)
    yield Path(((x, top), (right, top), (right, top + 28), (x, top + 28), (x, top)), "stuck", 3, True)
    name = fitted(told.name, 22, False, right - x - 20, measure)
    if name == told.name or right - x > 160:
        yield Text(x + 10, top + 22, name, 22, False, "stuck")


def _state(state: State, top: float, measure: Measure) -> Iterator[Shape]:
    right = max(_at(state.left + state.width), MARGIN + 8)
    left = min(_at(state.left), right - 8)
    yield Box(left, top, right - left - 2, 30, f"tone{state.tone % TONES}", 3)
    if right - left > 44:
        name = fitted(state.name, 22, False, right - left - 16, measure)
        if name != "…":
            yield Text(left + 8, top + 23, name, 22, False, "ink")


def _foot(card: Card, measure: Measure) -> Iterator[Shape]:
    yield Text(MARGIN, 594, fitted(card.facts, 28, False, INNER, measure), 28, False, "soft")
