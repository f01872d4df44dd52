"""What the address of a flow's page asks for: window, filters, folds, open record; and such addresses made.

The address is the view. What cannot be read is a `BadFilter` naming the field; `timeline.views.flow` answers the rest.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import tzinfo
from itertools import pairwise
from typing import Any
from urllib.parse import quote, urlsplit

import orjson
from django import forms
from django.http import HttpRequest, QueryDict
from django.utils.encoding import escape_uri_path

from timeline.answers import BadFilter
from timeline.forms import MomentField
from timeline.layout.ids import is_row_id
from timeline.layout.plan import WHOLE, Fold
from timeline.layout.sieve import KINDS, LEVELS, STATUSES, TRUST, Sieve
from timeline.layout.sorting import FIELDS as SORTED_BY
from tracing.records import MAX_NS

MAX_EXCEPTIONS = 200  # folded or opened rows in one address
MAX_SERVICES = 50
SNAPSHOT = re.compile(r"(\d{1,18}):(\d{1,18}):((?:\d{1,18})(?:,\d{1,18})*)?", re.ASCII)
MOST_SOUGHT = 200  # characters of what is looked for in a flow


def _one_of(*words: str) -> forms.ChoiceField:
    return forms.ChoiceField(choices=[("", ""), *((word, word) for word in words)], required=False)


def _some_of(words: Iterable[str]) -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(choices=[(word, word) for word in words], required=False)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the next page begins: after which row, as of which snapshot."""

    snapshot: str
    row_id: str

    def text(self) -> str:
        told = orjson.dumps([self.snapshot, self.row_id])
        return base64.urlsafe_b64encode(told).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Asked:
    fold: Fold
    sieve: Sieve
    limit: int
    cursor: Cursor | None
    record: str  # the row whose record is open beside the rows
    at: int | None  # the number of the first row, from 1; None where nobody jumped
    gaps: frozenset[int]  # idle stretches that are unfolded, by where they begin
    critical: bool  # the critical path is marked
    find: str  # what is looked for in the flow
    table: bool  # rows in columns instead of on an axis
    note_at: int | None  # the moment at which a note is to be written: its form is open
    sort: str  # a column of the table, `-` before it for the other way; empty for the order of the story
    query: QueryDict
    zone: tzinfo  # the reader's

    def address(self, path: str, drop: Iterable[str] = (), **change: str) -> str:
        """This view with some of its parameters changed; an empty value takes one away."""
        pairs = [
            (name, value)
            for name, values in self.query.lists()
            for value in values
            if name not in change and name not in drop and value and name != "note"
        ]
        pairs += [(name, value) for name, value in change.items() if value]
        text = "&".join(f"{quote(name, safe='')}={quote(value, safe=',:.-_~')}" for name, value in pairs)
        return f"{path}?{text}" if text else path

    def without_folds(self, path: str) -> str:
        """This view up to its folds: what `toggled` begins with, made once for all rows."""
        told = self.address(path, ("cursor", "open", "fold"))
        return told + ("&" if "?" in told else "?")

    def toggled(self, base: str, row_id: str, is_open: bool) -> str:
        """This view with one row folded or unfolded."""
        folded = self.fold.folded - {row_id}
        opened = self.fold.opened
        if is_open:
            folded |= {row_id}
        if row_id.startswith(("c-", "g-")):  # a span is open by default; naming it opens its other versions
            opened = opened - {row_id} if is_open else opened | {row_id}
        return _with_folds(base, opened, folded)

    def extra_toggled(self, base: str, row_id: str, is_open: bool) -> str:
        """This view with the other versions of a row shown, or hidden; what is inside it stays as it is.

        With `expand=all` they are shown unless the row is folded, which then closes what is inside it too.
        """
        if self.fold.expand:
            return self.toggled(base, row_id, is_open)
        opened = self.fold.opened - {row_id} if is_open else self.fold.opened | {row_id}
        return _with_folds(base, opened, self.fold.folded)


def _with_folds(base: str, opened: frozenset[str], folded: frozenset[str]) -> str:
    told = [
        f"{name}={quote(','.join(sorted(rows)), safe=',:.-_~')}"
        for name, rows in (("open", opened), ("fold", folded))
        if rows
    ]
    return base + "&".join(told) if told else base[:-1]


class FlowForm(forms.Form):
    only = _one_of("errors", "logs", "hits")
    expand = _one_of("all")
    clock = _one_of("raw")
    critical = _one_of("1")
    kind = _some_of(KINDS)
    status = _some_of(STATUSES)
    level = _one_of(*LEVELS)
    trust = _one_of(*TRUST)
    view = _one_of("table")
    sort = _one_of(*(f"{sign}{name}" for name in SORTED_BY for sign in ("", "-")))
    find = forms.CharField(max_length=MOST_SOUGHT, required=False, strip=True)
    to = MomentField(max_length=40, required=False)
    note = MomentField(max_length=40, required=False)  # at which a note is to be written
    limit = forms.IntegerField(min_value=1, max_value=WHOLE, required=False)
    record = forms.CharField(max_length=3_200, required=False)
    at = forms.IntegerField(min_value=1, max_value=10**9, required=False)


# `from` is a word of the language, so this field cannot stand in the class body.
FlowForm.base_fields["from"] = MomentField(max_length=40, required=False)


def sent_path(request: HttpRequest) -> str:
    """The path as it was sent, percent-encoded: what Django decoded cannot be told apart from its own slashes."""
    sent = str(request.META.get("REQUEST_URI") or request.META.get("RAW_URI") or "")
    path = urlsplit(sent).path
    return path if path.startswith("/") and not path.startswith("//") else escape_uri_path(request.path)


def read_asked(query: QueryDict, zone: tzinfo) -> Asked:
    form = FlowForm(query)
    for field in form.fields.values():
        if isinstance(field, MomentField):
            field.zone = zone
    if not form.is_valid():
        name, problems = next(iter(form.errors.items()))
        raise BadFilter(name, str(problems[0]))
    told: dict[str, Any] = form.cleaned_data
    start, end = _within(told["from"]), _within(told["to"])
    if start is not None and end is not None and end < start:
        raise BadFilter("to", "The window ends before it begins.")
    if told["record"] and not is_row_id(told["record"]):
        raise BadFilter("record", "No row has this id.")
    services = frozenset(name for name in query.getlist("service") if name)
    if len(services) > MAX_SERVICES or any("\x00" in name for name in services):
        raise BadFilter("service", f"At most {MAX_SERVICES} services can be asked for, by their names.")
    return Asked(
        Fold(bool(told["expand"]), _row_ids(query, "open"), _row_ids(query, "fold"), told["clock"] == "raw"),
        _sieve(told, services, start, end),
        told["limit"] or WHOLE,
        _read_cursor(query.get("cursor", "")),
        told["record"],
        told["at"],
        _gaps(query),
        bool(told["critical"]),
        told["find"],
        bool(told["view"]),
        _within(told["note"]),
        _sort(told, query),
        query,
        zone,
    )


def _sort(told: dict[str, Any], query: QueryDict) -> str:
    """Tables sort, as a page and as CSV; what is paged by cursor keeps the order of the story."""
    form = query.get("format") or "html"
    sorts = form == "csv" or (form == "html" and told["view"])
    return str(told["sort"]) if sorts else ""


def _sieve(told: dict[str, Any], services: frozenset[str], start: int | None, end: int | None) -> Sieve:
    return Sieve(
        told["only"],
        services,
        start,
        end,
        frozenset(map(KINDS.index, told["kind"])),
        frozenset(map(STATUSES.index, told["status"])),
        told["level"],
        told["trust"],
    )


def _within(time_ns: int | None) -> int | None:
    """A moment that fits a signed 64-bit number with room to spare: no record is earlier or later."""
    return time_ns if time_ns is None else max(0, min(time_ns, MAX_NS - 1_000_000))


def _row_ids(query: QueryDict, field: str) -> frozenset[str]:
    told = frozenset(part for text in query.getlist(field) for part in text.split(",") if part)
    if len(told) > MAX_EXCEPTIONS:
        raise BadFilter(
            field, f"At most {MAX_EXCEPTIONS} rows can be named here; use expand=all to see everything."
        )
    if not all(is_row_id(part) for part in told):
        raise BadFilter(field, "This holds something that is no row's id.")
    return told


def _gaps(query: QueryDict) -> frozenset[int]:
    told = [part for text in query.getlist("gaps") for part in text.split(",") if part]
    if len(told) > MAX_EXCEPTIONS or not all(re.fullmatch(r"[0-9]{1,19}", part) for part in told):
        raise BadFilter("gaps", "Idle stretches are named by the nanosecond at which they begin.")
    return frozenset(map(int, told))


def _read_cursor(text: str) -> Cursor | None:
    if not text:
        return None
    try:
        told = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True))
        snapshot, row_id = told
    except (ValueError, TypeError, binascii.Error):
        raise _bad_cursor() from None
    sound = isinstance(snapshot, str) and isinstance(row_id, str)
    if not sound or not is_row_id(row_id) or not _is_snapshot(snapshot):
        raise _bad_cursor()
    return Cursor(snapshot, row_id)


def _is_snapshot(text: str) -> bool:
    """Whether PostgreSQL will read this as a pg_snapshot: xmin:xmax:xip, ascending and within."""
    match = SNAPSHOT.fullmatch(text)
    if not match:
        return False
    low, high = int(match[1]), int(match[2])
    running = [int(part) for part in (match[3] or "").split(",") if part]
    ascending = all(left < right for left, right in pairwise(running))
    return 0 < low <= high and ascending and all(low <= xid < high for xid in running)


def _bad_cursor() -> BadFilter:
    return BadFilter("cursor", "This cursor did not come from a page of this flow. Start without one.")
