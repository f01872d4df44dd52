"""Rows as they stand on the page: classes, shapes, links that keep the view, words in the reader's zone.

`timeline.rows` says what each row is, `timeline.rowhtml` writes it down.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, tzinfo
from urllib.parse import quote

from timeline import moments, signs
from timeline.addresses import with_more
from timeline.bodies import first_line, further_lines
from timeline.drawing import bar, percent, point
from timeline.layout.axis import Axis
from timeline.markdown import flat
from timeline.reading import Reading
from timeline.rows import Row
from timeline.templatetags.threadline import HUES, hue
from tracing.lengths import SECOND_NS

SHORT_LINE = 28  # characters that a name's column shows in any case
DEEPEST = 12  # levels that are indented; deeper rows say their depth
OPEN, SHUT = "▾", "▸"
GROUPS = ("retries", "repeats")
VERDICT_TAGS = {"late": "warn", "stuck": "warn", "ended": "good", "moving": "good"}
LASTING = ("span", "chapter", "ghost", *GROUPS)
ASIDES = ("flip", "notification", "note", "ghost")


@dataclass(slots=True)
class Drawn:
    """One row on the page."""

    row: Row
    css: str
    indent: str
    level: int
    href: str
    hue: str
    left: str
    width: str
    wait: tuple[str, str]  # where it waited: left edge and width; empty where it did not
    parts: list[tuple[str, str, bool]]  # tries: left edge, width, whether it failed
    path: list[tuple[str, str]]  # stretches of the critical path
    stretch: str  # from when to when, as nanoseconds after the axis began: what zooming to the row shows
    told: str  # the right column: how long, or when
    when: str  # on hover: the whole time, in the reader's zone and UTC
    label: str  # a tag before the name
    label_css: str
    name: str
    note: str
    deep: int  # its depth, where that is no longer shown by indenting
    toggle: str = ""
    twist: str = ""
    extra_href: str = ""
    at: str = ""
    # A chapter's or group's note in the plot: beside its bar, on the side with room.
    beside: str = ""
    beside_at: tuple[str, str] = ("", "")  # the room it has: left edge and width
    beside_ends: bool = False  # it ends at the shape instead of beginning there
    usual: tuple[str, str] = ("", "")  # of a ghost: the stretch after what was usual


@dataclass(slots=True)
class Painter:
    """Everything the rows of one page share."""

    reading: Reading
    path: str
    axis: Axis
    zone: tzinfo
    now_ns: int
    hues: dict[str, str]
    origin: int | None  # from when on moments are told; None where the clock tells them
    file: int = 0  # of a file that is looked at: its flows lead to each other there
    _base: str = ""
    _folds: str = ""
    _day: date | None = None  # of the row drawn before

    def draw(self, row: Row) -> Drawn:
        """What the template shows of a row: shares of the axis instead of times, words instead of fields."""
        lasts = row.row in LASTING
        at = row.drawn
        goes_on = row.status == "open" and row.row == "span"
        ends = min(self.axis.end, max(self.now_ns, at)) if goes_on else row.drawn_end
        shape = bar(self.axis, at, ends - at) if lasts else (point(self.axis, at), "")
        label, label_css = _label(row)
        name, note = _words(row)
        drawn = Drawn(
            row=row,
            css=self._css(row),
            indent=f"d{min(row.depth, DEEPEST)}",
            level=row.depth + 1,
            href=self._record_href(row),
            hue=self.hues.get(row.service) or (hue(row.service) if row.service else ""),
            left=shape[0],
            width=shape[1],
            wait=bar(self.axis, row.waits_from, at - row.waits_from) if row.waits_from else ("", ""),
            parts=[(*bar(self.axis, start, end - start), failed) for start, end, failed in row.parts],
            path=[bar(self.axis, start, end - start) for start, end in row.path],
            stretch=f"{(row.waits_from or at) - self.axis.start},{ends - self.axis.start}",
            told=self._told(row, lasts),
            when=self._when(row),
            label=label,
            label_css=label_css,
            name=name,
            note=note or self._arrived(row),
            deep=row.depth if row.depth > DEEPEST else 0,
        )
        self._add_fold(drawn)
        time = moments.moment(row.start, self.zone) if row.start > 0 else None
        self._day = time.date() if time else self._day
        return drawn

    def _add_fold(self, drawn: Drawn) -> None:
        self._add_ways(drawn)
        if drawn.row.row in ASIDES:
            self._add_aside(drawn)
        else:
            self._add_note(drawn)

    def _add_ways(self, drawn: Drawn) -> None:
        """The links that fold and unfold."""
        row, asked = drawn.row, self.reading.asked
        self._folds = self._folds or asked.without_folds(self.path)
        if row.open is not None:
            drawn.toggle = asked.toggled(self._folds, row.id, row.open)
            drawn.twist = OPEN if row.open else SHUT
            if row.row in GROUPS:
                drawn.href = drawn.toggle
        if row.extra_open is not None:
            drawn.extra_href = asked.extra_toggled(self._folds, row.id, row.extra_open)

    def _add_note(self, drawn: Drawn) -> None:
        """What stands in the plot beside the row's shape."""
        row = drawn.row
        if row.row == "chapter":
            drawn.at = moments.short(row.start, self.zone, self.now_ns)
            if row.open is False and row.count:
                drawn.at += f" · {row.count:,} record{'' if row.count == 1 else 's'}"
            drawn.beside = row.text or ""
        elif row.usual_ns is not None:
            drawn.beside = f"usually {moments.took(row.usual_ns)}"
        elif row.row == "log":
            drawn.beside = self._line(row)
        elif row.row in GROUPS and self._has_room(row):
            drawn.beside, drawn.note = drawn.note, ""
        if drawn.beside:
            left, right = self.axis.at(row.drawn), self.axis.at(row.drawn_end)
            drawn.beside_ends = right >= 66 and left >= 34
            drawn.beside_at = _room(left if drawn.beside_ends else max(right, left + 0.4), drawn.beside_ends)

    def _add_aside(self, drawn: Drawn) -> None:
        """What was said stands in the plot, or after the name where the sheet is narrow."""
        row = drawn.row
        drawn.href = self._record_href(row) if row.record or row.row == "note" else ""
        said = _said(row)
        drawn.when = f"{drawn.when}: {said}" if said else drawn.when
        if said == row.name:
            return
        drawn.beside = drawn.note = _after_name(row, said)
        left, right = self.axis.at(row.drawn), self.axis.at(row.drawn_end)
        if row.row == "ghost":
            drawn.usual = self._overdue(row)
            drawn.told = self._remaining(row)
        # A sentence needs the wider side; a ghost's stands in its bar, before it where that is short.
        drawn.beside_ends = right - left <= 30 and left >= 40 if row.row == "ghost" else left > 50
        drawn.beside_at = _room(left, drawn.beside_ends)

    def _overdue(self, row: Row) -> tuple[str, str]:
        if row.expected_ns is None or row.expected_ns >= row.drawn_end:
            return "", ""
        return bar(self.axis, row.expected_ns, row.drawn_end - row.expected_ns)

    def _remaining(self, row: Row) -> str:
        if row.expected_ns is None or row.expected_ns <= self.now_ns:
            return "nothing yet"
        return f"in {moments.took((row.expected_ns - self.now_ns) // SECOND_NS * SECOND_NS)}"

    def _line(self, row: Row) -> str:
        """The line of a log again where the plot has room for all of it, and how many lines follow."""
        text = row.text or ""
        line = " ".join(first_line(text).split())
        more = further_lines(text)
        after = f" +{more} line{'' if more == 1 else 's'}" if more else ""
        return line + after if len(line) > SHORT_LINE or after or line != row.name else ""

    def _has_room(self, row: Row) -> bool:
        """Whether a note fits beside a bar: half of the plot."""
        return self.axis.at(row.drawn) >= 50 or self.axis.at(row.drawn_end) <= 50

    def _css(self, row: Row) -> str:
        # `note` is a box elsewhere.
        css = f"aside {row.row.replace('note', 'noted')}" if row.row in ("flip", "note") else row.row
        if row.id == self.reading.asked.record:
            css += " open"
        if row.dim:
            css += " dim"
        if row.hits:
            css += " hit"
        if row.holds_failure:
            css += " holds"
        return css + " bad" if row.status == "error" else css

    def _record_href(self, row: Row) -> str:
        if row.row in ("chapter", *GROUPS):
            return with_more(row.href, {"frozen": str(self.file)}) if self.file and row.href else row.href
        if not self._base:
            told = self.reading.asked.address(self.path, ("record",))
            self._base = f"{told}{'&' if '?' in told else '?'}record="
        return self._base + quote(row.record or row.id, safe="-._~")

    def _told(self, row: Row, lasts: bool) -> str:
        if lasts and row.duration is None:
            return f"{moments.took(max(0, self.now_ns - row.start))} so far"
        if lasts:
            return moments.took(row.duration if row.self_ns is None else row.self_ns)
        if row.start <= 0:
            return "no time"
        if self.origin is not None:
            since = row.drawn - self.origin
            return f"+{moments.took(since)}" if since >= 0 else moments.took(since)
        return self._clock(row)

    def _clock(self, row: Row) -> str:
        """With the day where it is another than the row's before; what has no chapter to say it, also where it is not today."""
        time, now = moments.moment(row.start, self.zone), moments.moment(self.now_ns, self.zone)
        if time is None or now is None:
            return "no time"
        day = time.date()
        told = (self._day is not None and day != self._day) or (row.row in ASIDES and day != now.date())
        if not told:
            return f"{time:%H:%M:%S}"
        return f"{time.day} {time:%b %H:%M:%S}" if time.year == now.year else f"{time:%Y-%m-%d %H:%M}"

    def _when(self, row: Row) -> str:
        if row.received_ns is not None:
            return f"received {self._whole(row.received_ns)}, has no time of its own"
        if not row.start:
            return "no time"
        told = self._whole(row.start)
        if row.drawn != row.start and row.row not in ("chapter", *GROUPS):
            shift = row.drawn - row.start
            told += (
                f", drawn {moments.took(abs(shift))} {'later' if shift > 0 else 'earlier'}: its clock differs"
            )
        if row.usual_ns is not None:
            told += f"; its operation usually takes {moments.took(row.usual_ns)}"
        if row.why:
            told += f"; taken for tries of one thing: {row.why}"
        if row.self_ns is not None:
            told += f"; took {moments.took(row.duration)}, of it itself {moments.took(row.self_ns)}"
        return told + (
            f"; waited {moments.took(row.drawn - row.waits_from)} before" if row.waits_from else ""
        )

    def _arrived(self, row: Row) -> str:
        return f"received {moments.short(row.received_ns, self.zone, self.now_ns)}" if row.received_ns else ""

    def _whole(self, time_ns: int) -> str:
        utc = moments.full(time_ns, UTC)
        if self.zone is UTC:
            return utc
        local = moments.full(time_ns, self.zone)
        return utc if local == utc else f"{local} = {utc}"


def _said(row: Row) -> str:
    """What was said, in one line without marks."""
    text = row.text or ""
    return flat(text) if row.row == "note" else " ".join(text.replace("`", "").split())


def _after_name(row: Row, said: str) -> str:
    """A note's name is its first line, which is not said twice where it is read whole."""
    if row.row != "note" or len(row.name) > SHORT_LINE:
        return said
    return said.removeprefix(row.name).strip()


def _room(place: float, ends: bool) -> tuple[str, str]:
    """From there to the plot's end, or from its beginning to there."""
    return ("0", percent(place)) if ends else (percent(place), percent(max(0.0, 100.0 - place)))


def _words(row: Row) -> tuple[str, str]:
    """The name in a row, and the note after it. An exception is known by what it says."""
    if row.row == "event" and row.status == "error" and row.text:
        return row.text, ""
    if row.row == "retries":
        return row.name, f"{row.text} · {', '.join(row.marks)}"
    # A failed span's message is its tag.
    says = row.row in ("transition", "event", "repeats") or (row.row == "span" and row.status != "error")
    return row.name, (row.text or "") if says else ""


def _label(row: Row) -> tuple[str, str]:
    if row.row == "log":
        warns = row.severity.upper().startswith("WARN")
        return row.severity or "LOG", "err" if row.status == "error" else "warn" if warns else "log"
    if row.row == "transition":
        return "state", "st"
    if row.row in ASIDES:
        return _aside_label(row)
    if row.row == "retries":
        return f"↻ {row.count:,}", "err" if row.status == "error" else "re"
    if row.row == "repeats":
        return f"× {row.count:,}", "err" if row.status == "error" else "log"
    if row.row == "event":
        return ("exception", "err") if row.status == "error" else ("event", "log")
    return "", ""


def _aside_label(row: Row) -> tuple[str, str]:
    """A ghost has none: its name in italics between dashes says what it is."""
    if row.row == "flip":
        after = row.name.rpartition(" → ")[2]
        if after == "ended" and (row.text or "").startswith("Ended badly"):
            return signs.BAD_END.shape, "err"
        return signs.VERDICT.get(after, "◇"), VERDICT_TAGS.get(after, "log")
    if row.row == "notification":
        return "✉", "err" if row.status == "error" else "log"
    if row.row == "note":
        return f"✎ {row.marks[0].removeprefix('by ') if row.marks else 'note'}", "st"
    return "┄", "ghosted"


def distinct_hues(services: Iterable[str]) -> dict[str, str]:
    """The usual class of each service; the next free one where two would share it."""
    found: dict[str, str] = {}
    taken: set[int] = set()
    for name in sorted(services):
        place = int(hue(name)[1:]) - 1
        free = next((step for step in range(HUES) if (place + step) % HUES not in taken), 0)
        place = (place + free) % HUES
        taken.add(place)
        found[name] = f"s{place + 1}"
    return found
