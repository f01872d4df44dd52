"""Records built by hand for tests: short to write, complete enough for the real store.

    shop = Service("shop")
    place = shop.span("POST /orders", 0, 900, trace=T1, attributes={"order.id": "4711"})
    store.put(batch(place, shop.log("card declined", 300, span=place, severity=17)))

Times are milliseconds after `BASE_NS`. Ids follow from names, so equal calls build equal records.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import orjson

from tracing.facts import facts_of
from tracing.records import Batch, Event, Link, Log, Resource, Scope, Span

MS = 1_000_000
BASE_NS = 1_795_000_000_000_000_000  # 2026-11-18 12:26:40 UTC


def trace_id(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=16, person=b"trace").digest()


def span_id(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=8, person=b"span").digest()


T1, T2, T3 = trace_id("1"), trace_id("2"), trace_id("3")
SCOPE = Scope(bytes(16), "tests.builders", "1", b"{}", 0, "")


def event(name: str, ms: float, **attributes: Any) -> Event:
    return Event(
        BASE_NS + round(ms * MS), name, {key.replace("__", "."): value for key, value in attributes.items()}
    )


class Service:
    """One sender of spans and logs."""

    def __init__(self, name: str, environment: str | None = None, **attributes: Any) -> None:
        told: dict[str, Any] = {"service.name": name, **attributes}
        if environment is not None:
            told["deployment.environment.name"] = environment
        text = orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
        self.resource = Resource(_digest(text), told, text, 0, "", name, environment)

    def span(
        self,
        name: str,
        start_ms: float,
        took_ms: float,
        *,
        trace: bytes = T1,
        id: str = "",
        parent: Span | bytes | None = None,
        kind: int = 1,
        status: int = 0,
        message: str = "",
        attributes: Mapping[str, Any] | None = None,
        events: Sequence[Event] = (),
        links: Sequence[Span] = (),
        start_ns: int | None = None,
        end_ns: int | None = None,
        dropped: int = 0,
        redacted: int = 0,
    ) -> Span:
        start = BASE_NS + round(start_ms * MS) if start_ns is None else start_ns
        end = start + round(took_ms * MS) if end_ns is None else end_ns
        told = dict(attributes or {})
        above = parent.span_id if isinstance(parent, Span) else parent or b""
        events_json = [
            {"time": str(one.time_ns), "name": one.name, "attributes": one.attributes, "dropped": one.dropped}
            for one in events
        ]
        links_json = [
            {"trace_id": one.trace_id.hex(), "span_id": one.span_id.hex(), "trace_state": "", "attributes": {},
             "dropped": 0, "flags": 0}
            for one in links
        ]  # fmt: skip
        own_id = span_id(id or f"{name} {start} {trace.hex()}")
        digest = _digest(repr((trace, own_id, above, start, end, name, status, told, events_json)).encode())
        made = Span(
            trace, own_id, above, start, end, name, kind, status, message, "", 0x101, self.resource, SCOPE,
            told, orjson.dumps(told), list(events), orjson.dumps(events_json) if events else None,
            [Link(one.trace_id, one.span_id) for one in links], orjson.dumps(links_json) if links else None,
            dropped, 0, 0, digest, redacted,
        )  # fmt: skip
        made.facts = facts_of(made)
        return made

    def log(
        self,
        body: Any,
        ms: float,
        *,
        span: Span | None = None,
        trace: bytes | None = None,
        span_named: bytes = b"",
        severity: int = 9,
        event_name: str = "",
        attributes: Mapping[str, Any] | None = None,
        time_ns: int | None = None,
    ) -> Log:
        time = BASE_NS + round(ms * MS) if time_ns is None else time_ns
        told = dict(attributes or {})
        in_trace = span.trace_id if span else trace or b""
        in_span = span.span_id if span else span_named
        digest = _digest(
            repr(
                (self.resource.resource_id, in_trace, in_span, time, body, severity, event_name, told)
            ).encode()
        )
        return Log(
            digest, in_trace, in_span, time, 0 if time else 2, time, severity, "", event_name, body,
            orjson.dumps(body), told, orjson.dumps(told), 0, 0, self.resource, SCOPE, digest,
        )  # fmt: skip


def batch(*records: Span | Log, received_ns: int | None = None) -> Batch:
    spans = [record for record in records if isinstance(record, Span)]
    logs = [record for record in records if isinstance(record, Log)]
    latest = max([span.end_ns for span in spans] + [log.time_ns for log in logs], default=BASE_NS)
    return Batch(spans, logs, received_ns=min(latest, 2**62) if received_ns is None else received_ns)


def _digest(text: bytes) -> bytes:
    return blake2b(text, digest_size=16).digest()
