"""All records of a flow with everything they carry, a part at a time: what a download is written from.

Which records those are is what its page shows unfolded (`queries.story`), whatever the address filters or folds; the
skeleton says it in numbers, and the records are read by their keys as the file is written. `tracing.files` writes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import orjson
import psycopg
from django.conf import settings
from django.db import connection

from timeline.layout.forest import EVENT, LOG, MOVE, SPAN, log_id
from timeline.layout.plan import Fold
from timeline.layout.tables import LOG as LOG_ROW
from timeline.layout.tables import SPAN as SPAN_ROW
from timeline.layout.tables import Table
from timeline.queries.bound import fetched
from timeline.queries.bykey import look_up
from timeline.queries.skeleton import current_snapshot, read_logs, read_spans
from timeline.queries.story import read_story
from timeline.quiet import collector_held
from timeline.summaries import FlowSummary
from tracing import arrays
from tracing.database import conninfo
from tracing.files.jaegerfile import Part
from tracing.otlp.identity import canonical
from tracing.records import DAY_NS, Event, Link, Log, Resource, Scope, Span

PART = 1_000  # records read at a time
LARGEST = 20_000  # records of one moment that are kept together

SPAN_COLUMNS = (
    "span.trace_id, span.span_id, parent_span_id, start_ns, end_ns, name, kind, status, status_message, trace_state,"
    " flags, resource_id, scope_id, attributes, events, links, dropped_attributes, dropped_events, dropped_links,"
    " span.digest, redacted, exact"
)
# OFFSET 0 keeps this a look-up for each log, whatever the planner knows of today's partition.
LOGS = """
    SELECT told.* FROM unnest(%(logs)b::bytea[]) AS row (log_id)
    CROSS JOIN LATERAL (
        SELECT log.log_id, trace_id, span_id, time_ns, time_source, observed_ns, severity, severity_text, event_name,
               body, attributes, flags, dropped_attributes, resource_id, scope_id, digest, redacted, exact
        FROM log WHERE log.log_id = row.log_id AND day = ANY(%(days)s) OFFSET 0
    ) AS told"""
RESOURCES = """
    SELECT resource_id, attributes, dropped, schema_url, service, environment FROM resource
    WHERE resource_id = ANY(%(ids)b::bytea[])"""
SCOPES = """
    SELECT scope_id, name, version, attributes, dropped, schema_url FROM scope
    WHERE scope_id = ANY(%(ids)b::bytea[])"""


@dataclass(slots=True)
class Selection:
    """Which records belong, in order of time."""

    traces: list[bytes]
    spans: Table
    logs: Table


def select(flow: FlowSummary) -> Selection:
    """Every record of the flow that its page shows with `expand=all`, as of now."""
    snapshot = current_snapshot()
    if flow.kind == "request":
        traces = [flow.identity]
        spans, _ = read_spans(traces, flow.days, snapshot, expected=flow.spans)
        return _ordered(traces, spans, read_logs(traces, flow.days, snapshot))
    with collector_held():
        forest = read_story(flow, snapshot, Fold(expand=True, raw_clocks=True)).forest
    shown, bases = forest.shown, forest.bases
    tables = forest.tables
    return _ordered(
        tables.traces,
        tables.spans[shown[bases[SPAN] : bases[EVENT]]],
        tables.logs[shown[bases[LOG] : bases[MOVE]]],
    )


def select_record(trace_id: bytes, span_id: bytes) -> Selection:
    """All records under one span's ids, and all its logs."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT start_ns, substr(digest, 1, 8) FROM span WHERE trace_id = %s AND span_id = %s",
            [trace_id, span_id],
        )
        found = cursor.fetchall()
        cursor.execute(
            "SELECT time_ns, log_id FROM log WHERE trace_id = %s AND span_id = %s",
            [trace_id, span_id],
        )
        said = cursor.fetchall()
    spans, logs = np.zeros(len(found), SPAN_ROW), np.zeros(len(said), LOG_ROW)
    spans["span_id"] = logs["span_id"] = int.from_bytes(span_id, "big")
    for row, (start, digest) in zip(spans, found, strict=True):
        row["start"], row["digest"] = start, int.from_bytes(digest, "big")
    for row, (time, one) in zip(logs, said, strict=True):
        row["time"] = time
        row["high"], row["low"] = (int.from_bytes(one[at : at + 8], "big") for at in (0, 8))
    return _ordered([trace_id], spans, logs)


def _ordered(traces: list[bytes], spans: Table, logs: Table) -> Selection:
    return Selection(
        traces,
        spans[np.lexsort((spans["span_id"], spans["start"]))],
        logs[np.lexsort((logs["span_id"], logs["tie"], logs["time"]))],
    )


class Records:
    """Reads the records of a selection; remembers resources and scopes."""

    def __init__(self) -> None:
        self._resources: dict[bytes, Resource] = {}
        self._scopes: dict[bytes, Scope] = {}

    def spans(self, chosen: Selection) -> Iterator[list[Span]]:
        """All spans, those of one moment in one part."""
        yield from map(partial(self.spans_of, chosen), _parts(chosen.spans, "start"))

    def logs(self, chosen: Selection) -> Iterator[list[Log]]:
        yield from map(self.logs_of, _parts(chosen.logs, "time"))

    def traces(self, chosen: Selection) -> Iterator[tuple[bytes, Iterator[Part], int]]:
        """Each trace that has spans: its id, its spans with their logs, and how many logs have none of them."""
        for place in _places(chosen):
            spans = chosen.spans[chosen.spans["trace"] == place]
            logs = chosen.logs[chosen.logs["trace"] == place]
            held = np.isin(logs["span_id"], spans["span_id"])
            yield chosen.traces[place], self._trace(chosen, spans, logs[held]), int((~held).sum())

    def _trace(self, chosen: Selection, spans: Table, logs: Table) -> Iterator[Part]:
        for rows in _parts(spans, "start"):
            mine = np.isin(logs["span_id"], rows["span_id"])
            # Of several versions of a span the first has the logs.
            found, logs = logs[mine], logs[~mine]
            told = [log for part in _parts(found, "time") for log in self.logs_of(part)]
            yield Part(self.spans_of(chosen, rows), told)

    def spans_of(self, chosen: Selection, rows: Table) -> list[Span]:
        """The spans of these rows, in their order; those that are gone are left out."""
        told = sorted(look_up(SPAN_COLUMNS, rows, chosen.traces), key=lambda row: int(row[0]))
        # After the place the columns: 11 is the resource, 12 the scope.
        self._know([row[12] for row in told], [row[13] for row in told])
        return [self._span(*row[1:]) for row in told]

    def logs_of(self, rows: Table) -> list[Log]:
        ids = [log_id(row) for row in rows]
        days = np.unique(rows["time"] // DAY_NS).tolist()
        told = fetched(LOGS, {"logs": arrays.array("b", ids), "days": days}) if ids else []
        self._know([row[13] for row in told], [row[14] for row in told])
        place = {one: nth for nth, one in enumerate(ids)}
        return [self._log(*row) for row in sorted(told, key=lambda row: place[bytes(row[0])])]

    def _know(self, resources: list[Any], scopes: list[Any]) -> None:
        wanted = sorted({*map(bytes, resources)} - self._resources.keys())
        if wanted:
            for row in fetched(RESOURCES, {"ids": arrays.array("b", wanted)}):
                self._resources[bytes(row[0])] = _resource(*row)
        wanted = sorted({*map(bytes, scopes)} - self._scopes.keys())
        if wanted:
            for row in fetched(SCOPES, {"ids": arrays.array("b", wanted)}):
                self._scopes[bytes(row[0])] = _scope(*row)

    def _span(
        self, trace_id: bytes, span_id: bytes, parent: bytes, start_ns: int, end_ns: int, name: str, kind: int,
        status: int, message: str, state: str, flags: int, resource_id: bytes, scope_id: bytes, attributes: str,
        events: str | None, links: str | None, dropped_attributes: int, dropped_events: int, dropped_links: int,
        digest: bytes, redacted: int, exact: str | None,
    ) -> Span:  # fmt: skip
        told, written = _sorted(attributes)
        event_rows, event_json = _sorted(events)
        link_rows, link_json = _sorted(links)
        return Span(
            bytes(trace_id), bytes(span_id), bytes(parent), start_ns, end_ns, name, kind, status, message, state, flags,
            self._resources[bytes(resource_id)], self._scopes[bytes(scope_id)], told, written or b"{}",
            [Event(int(one["time"]), one["name"], one["attributes"], one["dropped"]) for one in event_rows], event_json,
            [Link(bytes.fromhex(one["trace_id"]), bytes.fromhex(one["span_id"])) for one in link_rows], link_json,
            dropped_attributes, dropped_events, dropped_links, bytes(digest), redacted, _sorted(exact)[0] or None,
        )  # fmt: skip

    def _log(
        self, log_id: bytes, trace_id: bytes, span_id: bytes, time_ns: int, time_source: int, observed_ns: int,
        severity: int, severity_text: str, event_name: str, body: str, attributes: str, flags: int,
        dropped_attributes: int, resource_id: bytes, scope_id: bytes, digest: bytes, redacted: int, exact: str | None,
    ) -> Log:  # fmt: skip
        told, written = _sorted(attributes)
        said, said_json = _sorted(body)
        return Log(
            bytes(log_id), bytes(trace_id), bytes(span_id), time_ns, time_source, observed_ns, severity, severity_text,
            event_name, said, said_json or b"null", told, written or b"{}", flags, dropped_attributes,
            self._resources[bytes(resource_id)], self._scopes[bytes(scope_id)], bytes(digest), redacted,
            _sorted(exact)[0] or None,
        )  # fmt: skip


def _places(chosen: Selection) -> list[int]:
    """The places of the traces, by when they begin; those that begin together by their ids."""
    begins: dict[int, int] = {}
    for place, start in zip(chosen.spans["trace"].tolist(), chosen.spans["start"].tolist(), strict=True):
        begins.setdefault(place, start)
    return sorted(begins, key=lambda place: (begins[place], chosen.traces[place]))


def digest_key() -> bytes:
    """The installation's key for the digests of records; read beside the stage where the page stands on one."""
    with psycopg.connect(conninfo(settings.DATABASES["default"]), autocommit=True) as session:
        ((key,),) = session.execute("SELECT digest_key FROM installation").fetchall()
    return bytes(key)


def _parts(rows: Table, time: str) -> Iterator[Table]:
    """Rows of about a part's number; what is of one moment stays together, within reason."""
    begin = 0
    while begin < len(rows):
        end = min(begin + PART, len(rows))
        last = rows[time][end - 1]
        end = min(int(np.searchsorted(rows[time], last, "right")), begin + LARGEST)
        yield rows[begin:end]
        begin = end


def _sorted(text: str | None) -> tuple[Any, bytes | None]:
    """A jsonb value with its keys sorted, as digests are taken, and the same written; empty where there is none."""
    if text is None:
        return {}, None
    written = canonical(orjson.loads(text))
    return orjson.loads(written), written


def _resource(
    resource_id: bytes,
    attributes: str,
    dropped: int,
    schema_url: str,
    service: str,
    environment: str | None,
) -> Resource:
    told, written = _sorted(attributes)
    return Resource(bytes(resource_id), told, written or b"{}", dropped, schema_url, service, environment)


def _scope(scope_id: bytes, name: str, version: str, attributes: str, dropped: int, schema_url: str) -> Scope:
    return Scope(bytes(scope_id), name, version, _sorted(attributes)[1] or b"{}", dropped, schema_url)
