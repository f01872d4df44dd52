"""Rows packed by hand arrive in PostgreSQL as what they were, every column of them."""

from dataclasses import replace
from typing import Any, LiteralString

import orjson
import psycopg
import pytest
from psycopg import sql

from tests.builders import BASE_NS, SCOPE, T1, Service, event
from tracing import copying
from tracing.facts import LINKS
from tracing.records import MAX_NS, Link, Log, Span

SHOP = Service("shöp ✓")


def copied(
    worker: psycopg.Connection, table: LiteralString, columns: LiteralString, rows: list[bytes]
) -> list[dict[str, Any]]:
    """Rows sent through COPY into a table like the real one, by column."""
    stage = sql.Identifier("copied")
    worker.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(stage))
    worker.execute(sql.SQL("CREATE TEMP TABLE {} (LIKE {})").format(stage, sql.Identifier(table)))
    with worker.cursor() as cursor:
        target = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(stage, sql.SQL(columns))
        with cursor.copy(target) as copy:
            copy.write(copying.HEADER + b"".join(rows) + copying.TRAILER)
    cursor = worker.execute(sql.SQL("SELECT * FROM {}").format(stage))
    names = [column.name for column in cursor.description or ()]
    found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    # Every column of the table is written.
    assert set(names) == {name.strip() for name in columns.split(",")}
    return found


def full_span() -> Span:
    span = SHOP.span(
        "näme", 5, 10, parent=b"\x00parent\xff", kind=1_000, status=2, message="it’s broken", dropped=7, redacted=1,
        attributes={"a": [1, {"b": None}], "ü": "x"}, events=[event("e", 6, x=1), event("f", 7)],
        links=[SHOP.span("other", 0, 1)],
    )  # fmt: skip
    return replace(span, flags=2**32 - 1, trace_state="a=b", exact={"end": "18446744073709551615"},
                   dropped_events=2**32 - 1, dropped_links=3)  # fmt: skip


def test_a_span_with_everything(worker: psycopg.Connection) -> None:
    span = full_span()
    (row,) = copied(worker, "span", copying.SPAN_COLUMNS, [copying.span_row(span, 4, BASE_NS, 2**40)])
    assert row == {
        "day": span.day, "trace_id": T1, "span_id": span.span_id, "start_ns": span.start_ns, "digest": span.digest,
        "parent_span_id": b"\x00parent\xff", "end_ns": span.end_ns, "kind": 1_000, "status": 2, "flags": 2**32 - 1,
        "dropped_attributes": 7, "dropped_events": 2**32 - 1, "dropped_links": 3, "redacted": 1, "rule_version": 4,
        "received_ns": BASE_NS, "xid": str(2**40), "resource_id": SHOP.resource.resource_id, "scope_id": SCOPE.scope_id,
        "name": "näme", "service": "shöp ✓", "status_message": "it’s broken", "trace_state": "a=b",
        "attributes": span.attributes, "events": orjson.loads(span.events_json or b""),
        "links": orjson.loads(span.links_json or b""), "event_times": [one.time_ns for one in span.events],
        "exact": {"end": "18446744073709551615"}, "facts": LINKS,
    }  # fmt: skip


def test_a_span_with_nothing(worker: psycopg.Connection) -> None:
    span = SHOP.span("", 0, 0, start_ns=0, end_ns=0)
    rows = [copying.span_row(one, 1, 0, 3) for one in (span, replace(span, start_ns=MAX_NS, end_ns=MAX_NS))]
    first, last = copied(worker, "span", copying.SPAN_COLUMNS, rows)
    nothing = {
        name: first[name]
        for name in ("events", "links", "event_times", "exact", "name", "parent_span_id", "day")
    }
    assert nothing == {
        "events": None,
        "links": None,
        "event_times": None,
        "exact": None,
        "name": "",
        "parent_span_id": b"",
        "day": 0,
    }
    assert (last["start_ns"], last["end_ns"], last["day"]) == (MAX_NS, MAX_NS, 106_751)


@pytest.mark.parametrize("body", ["text", "", None, 0, [1, None], {"a": {"$bytes": "AA=="}}, True])
def test_a_log(worker: psycopg.Connection, body: Any) -> None:
    log: Log = replace(
        SHOP.log(body, 5, trace=T1, span_named=b"12345678", severity=2**31 - 1, event_name="ev", attributes={"k": "v"}),
        severity_text="SCHLIMM", time_source=1, flags=257, dropped_attributes=2**32 - 1, redacted=2,
        exact={"time": "1"}, observed_ns=BASE_NS + 9,
    )  # fmt: skip
    (row,) = copied(worker, "log", copying.LOG_COLUMNS, [copying.log_row(log, 4, BASE_NS, 9)])
    assert row == {
        "day": log.day, "log_id": log.log_id, "time_ns": log.time_ns, "digest": log.digest, "trace_id": T1,
        "span_id": b"12345678", "time_source": 1, "observed_ns": BASE_NS + 9, "severity": 2**31 - 1, "flags": 257,
        "dropped_attributes": 2**32 - 1, "redacted": 2, "rule_version": 4, "received_ns": BASE_NS, "xid": "9",
        "resource_id": SHOP.resource.resource_id, "scope_id": SCOPE.scope_id, "service": "shöp ✓",
        "severity_text": "SCHLIMM", "event_name": "ev", "body": body, "attributes": {"k": "v"}, "exact": {"time": "1"},
    }  # fmt: skip


def test_links_that_lead_somewhere(worker: psycopg.Connection) -> None:
    span = full_span()
    span.links += [Link(b"", b""), Link(T1, b"short")]
    (row,) = copied(worker, "link", copying.LINK_COLUMNS, copying.link_rows(span))
    target = SHOP.span("other", 0, 1)
    assert row == {
        "day": span.day, "target_trace_id": T1, "target_span_id": target.span_id, "trace_id": T1, "span_id": span.span_id,
    }  # fmt: skip
