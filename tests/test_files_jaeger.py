"""Jaeger's JSON as others write it: what its page downloads, its API answers, Elasticsearch keeps; and what is no good."""

from typing import Any

import orjson
import pytest

from tests.otlp_bodies import KEY, NOW_NS, REDACTION
from tests.test_files_marking import _Bytes
from tracing.files.account import Account
from tracing.files.reading import batches
from tracing.otlp.decode import Decoding
from tracing.records import Batch, Span

PROCESSES = {"p1": {"serviceName": "shop", "tags": [{"key": "host.name", "type": "string", "value": "a"}]}}
SPAN = {
    "traceID": "abc", "spanID": "1f", "operationName": "GET /", "references": [], "startTime": 1_795_000_000_000_001,
    "duration": 1_500, "tags": [], "logs": [], "processID": "p1",
}  # fmt: skip


def read(document: Any) -> tuple[Batch, Account]:
    account, whole = Account(), Batch()
    how = Decoding("json", KEY, NOW_NS, REDACTION, "import")
    for part in batches(_Bytes(orjson.dumps(document)), how, account):
        whole.spans += part.spans
        whole.logs += part.logs
    return whole, account


def one(**fields: Any) -> Span:
    whole, account = read({"data": [{"traceID": "abc", "spans": [SPAN | fields], "processes": PROCESSES}]})
    assert not account.refused, account.refusals()
    (span,) = whole.spans
    return span


def test_ids_are_padded_and_microseconds_are_nanoseconds() -> None:
    span = one()
    assert (span.trace_id.hex(), span.span_id.hex()) == ("abc".rjust(32, "0"), "1f".rjust(16, "0"))
    assert (span.start_ns, span.end_ns) == (1_795_000_000_000_001_000, 1_795_000_000_001_501_000)
    assert (span.name, span.resource.service) == ("GET /", "shop")
    assert span.resource.attributes == {"host.name": "a", "service.name": "shop"}


@pytest.mark.parametrize(
    "document",
    [
        {"data": [{"traceID": "abc", "spans": [SPAN], "processes": PROCESSES}], "total": 0, "errors": None},
        {"traceID": "abc", "spans": [SPAN], "processes": PROCESSES},
        [{"traceID": "abc", "spans": [SPAN], "processes": PROCESSES}],
        SPAN | {"process": PROCESSES["p1"]},
        [SPAN | {"process": PROCESSES["p1"]}],
        {"hits": {"hits": [{"_source": SPAN | {"process": PROCESSES["p1"]}}]}},
    ],
    ids=["answer", "trace", "array", "span", "spans", "search"],
)
def test_every_wrapping(document: Any) -> None:
    whole, account = read(document)
    assert (account.form, account.spans, account.refused.total()) == ("Jaeger JSON", 1, 0)
    assert whole.spans[0].resource.service == "shop"


@pytest.mark.parametrize(
    ("tags", "column", "kept"),
    [
        ({"span.kind": "server"}, "kind", 2),
        ({"span.kind": "strange"}, "kind", 0),
        ({"error": True}, "status", 2),
        ({"error": "true"}, "status", 2),
        ({"error": False}, "status", 0),
        ({"otel.status_code": "OK"}, "status", 1),
        ({"otel.status_code": "ERROR", "error": True}, "status", 2),
        ({"otel.status_description": "no"}, "status_message", "no"),
        ({"w3c.tracestate": "a=b"}, "trace_state", "a=b"),
    ],
)
def test_tags_that_are_fields(tags: dict[str, Any], column: str, kept: Any) -> None:
    told = [{"key": key, "value": value} for key, value in tags.items()]
    span = one(tags=told)
    assert getattr(span, column) == kept
    assert span.attributes == ({} if kept else tags)


def test_the_scope_has_two_names() -> None:
    for prefix in ("otel.scope", "otel.library"):
        told = [{"key": f"{prefix}.name", "value": "lib"}, {"key": f"{prefix}.version", "value": "1"}]
        scope = one(tags=told).scope
        assert (scope.name, scope.version) == ("lib", "1")


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        ("string", "x", "x"),
        ("string", "12", "12"),
        ("bool", True, True),
        ("bool", "false", False),
        ("int64", 12, 12),
        ("int64", "9007199254740993", 9_007_199_254_740_993),
        ("int64", "no number", "no number"),
        ("float64", 1.5, 1.5),
        ("float64", "2.5", 2.5),
        ("binary", "AP8=", {"$bytes": "AP8="}),
        (None, 12, 12),
        (None, 1.5, 1.5),
        (None, None, None),
        (None, {"a": 1}, '{"a":1}'),
        ("strange", "x", "x"),
    ],
)
def test_tags_by_their_types(kind: str | None, value: Any, kept: Any) -> None:
    told = one(tags=[{"key": "k", "value": value} | ({"type": kind} if kind else {})]).attributes["k"]
    assert (told, type(told)) == (kept, type(kept))


def test_elasticsearch_keeps_tags_as_fields_and_milliseconds() -> None:
    span = SPAN | {
        "tag": {"http@method": "GET", "retries": 2},
        "process": {"serviceName": "s", "tag": {"a@b": "c"}},
    }
    del span["startTime"]
    whole, _ = read(span | {"startTimeMillis": 1_795_000_000_000})
    assert whole.spans[0].attributes == {"http.method": "GET", "retries": 2}
    assert whole.spans[0].resource.attributes == {"a.b": "c", "service.name": "s"}
    assert whole.spans[0].start_ns == 1_795_000_000_000_000_000


def reference(kind: str, span: str, trace: str = "abc") -> dict[str, str]:
    return {"refType": kind, "traceID": trace, "spanID": span}


@pytest.mark.parametrize(
    ("references", "parent", "links"),
    [
        ([reference("CHILD_OF", "1")], 1, []),
        ([reference("FOLLOWS_FROM", "1"), reference("CHILD_OF", "2")], 2, [("abc", 1)]),
        ([reference("FOLLOWS_FROM", "1")], 1, []),
        ([reference("CHILD_OF", "1", "def")], 0, [("def", 1)]),
        ([reference("CHILD_OF", "1"), reference("CHILD_OF", "2")], 1, [("abc", 2)]),
        ([], 0, []),
        (None, 0, []),
    ],
)
def test_references_are_a_parent_and_links(
    references: Any, parent: int, links: list[tuple[str, int]]
) -> None:
    span = one(references=references)
    assert int.from_bytes(span.parent_span_id, "big") == parent
    found = [(link.trace_id.hex().lstrip("0"), int.from_bytes(link.span_id, "big")) for link in span.links]
    assert found == links


def test_the_old_field_of_a_parent() -> None:
    assert one(parentSpanID="7").parent_span_id == bytes(7) + b"\x07"


def test_logs_of_a_span_are_its_events() -> None:
    fields = [
        {"key": "event", "type": "string", "value": "exception"},
        {"key": "n", "type": "int64", "value": 3},
    ]
    span = one(
        logs=[{"timestamp": 1_795_000_000_000_500, "fields": fields}, {"timestamp": 5, "fields": fields[1:]}]
    )
    told = [(event.time_ns, event.name, event.attributes) for event in span.events]
    assert told == [(1_795_000_000_000_500_000, "exception", {"n": 3}), (5_000, "", {"n": 3})]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"startTime": "soon"}, "startTime is not a number"),
        ({"duration": -1}, "duration is out of range"),
        ({"tags": {}}, "tags is not a list"),
        ({"tags": [{"value": 1}]}, "one of its tags has no key"),
        ({"references": 5}, "references is not a list"),
        ({"logs": [5]}, "one of its logs is not an object"),
        ({"spanID": "not hex"}, "no valid span id"),
        ({"traceID": ""}, "no valid trace id"),
        ({"process": 5}, "its process is not an object"),
    ],
)
def test_a_span_that_cannot_be_read_costs_itself_alone(fields: dict[str, Any], reason: str) -> None:
    trace = {"traceID": "abc", "spans": [SPAN | fields, 5, SPAN | {"spanID": "2"}], "processes": PROCESSES}
    whole, account = read({"data": [trace]})
    assert [span.span_id[-1] for span in whole.spans] == [2]
    assert account.refused.total() == 2
    assert any(reason in told for _, told, _ in account.refusals()), account.refusals()


def test_a_log_field_of_ours_that_is_broken_stays_an_event() -> None:
    for text in ("", "no json", "[]", '{"log": 5}', '{"resource": 1, "log": {}}'):
        fields = [{"key": "threadline.log", "type": "string", "value": text}]
        span = one(logs=[{"timestamp": 5, "fields": fields}])
        assert [event.attributes for event in span.events] == [{"threadline.log": text}]
