"""Jaeger's JSON as others write it: what its page downloads, its API answers, Elasticsearch keeps; and what is no good."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.otlp_bodies import KEY, NOW_NS, REDACTION
from tests.test_files_marking import _Bytes
from tracing.files import jaegerjson
from tracing.files.account import Account
from tracing.files.reading import Unreadable, batches
from tracing.otlp.carried import EXACT, IDENTITY
from tracing.otlp.decode import Decoding
from tracing.records import Batch, Span

PROCESSES = {"p1": {"serviceName": "shop", "tags": [{"key": "host.name", "type": "string", "value": "a"}]}}
SPAN = {
    "traceID": "abc", "spanID": "1f", "operationName": "GET /", "references": [], "startTime": 1_795_000_000_000_001,
    "duration": 1_500, "tags": [], "logs": [], "processID": "p1",
}  # fmt: skip


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def read(document: Any) -> tuple[Batch, Account]:
    """A document is written as the standard library does: with NaN, infinities, halves of pairs, integers of any size."""
    return read_bytes(json.dumps(document).encode())


def read_bytes(content: bytes) -> tuple[Batch, Account]:
    account, whole = Account(), Batch()
    how = Decoding("json", KEY, NOW_NS, REDACTION, "import")
    for part in batches(_Bytes(content), how, account):
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
        ("int64", "-12", -12),
        ("int64", 12.0, 12),
        ("int64", 1.5, 1.5),
        ("int64", "1.5", "1.5"),
        ("int64", True, True),
        ("int64", 2**63, str(2**63)),
        ("int64", [1.5], "[1.5]"),
        ("float64", 1.5, 1.5),
        ("float64", "2.5", 2.5),
        ("binary", "AP8=", {"$bytes": "AP8="}),
        (None, 12, 12),
        (None, 1.5, 1.5),
        (None, None, None),
        (None, {"a": 1}, '{"a":1}'),
        (None, 2**63, str(2**63)),
        (None, ["\ud800", 2**70], f'["\\ud800", {2**70}]'),
        (None, deep(400), "[" * 400 + "1" + "]" * 400),
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
        ({"startTime": "1.5"}, "startTime is not a whole number"),
        ({"startTime": "inf"}, "startTime is not a whole number"),
        ({"startTime": float("inf")}, "startTime is not whole"),
        ({"startTime": "1e30"}, "startTime is out of range"),
        ({"startTime": True}, "startTime is not a number"),
        ({"duration": -1}, "duration is out of range"),
        ({"logs": [{"timestamp": "1.5"}]}, "timestamp is not a whole number"),
        ({"processID": []}, "its processID is not a string"),
        ({"processID": {}}, "its processID is not a string"),
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


def test_what_is_nested_deeper_than_it_can_be_written_costs_itself_alone() -> None:
    odd = SPAN | {"spanID": "2", "tags": [{"key": "k", "value": "DEEP"}]}
    content = json.dumps({"spans": [odd, SPAN], "processes": PROCESSES}).encode()
    whole, account = read_bytes(content.replace(b'"DEEP"', b"[" * 1_000 + b"]" * 1_000))
    # How deep that is depends on the Python.
    assert whole.spans[-1].span_id[-1] == 0x1F and len(whole.spans) + account.refused.total() == 2
    assert all("nested too deep" in reason for _, reason, _ in account.refusals())


@pytest.mark.parametrize("mark", [EXACT, IDENTITY])
def test_an_odd_mark_of_a_process_costs_its_spans_alone(mark: str) -> None:
    processes = PROCESSES | {"p2": {"serviceName": "odd", "tags": [{"key": mark, "value": "no"}]}}
    whole, account = read({"spans": [SPAN | {"processID": "p2"}, SPAN], "processes": processes})
    assert [span.resource.service for span in whole.spans] == ["shop"] and account.refused.total() == 1


def test_an_odd_resource_of_a_log_of_ours_costs_that_log_alone() -> None:
    told = [{"log": {"body": {"stringValue": "said"}}}, {"log": {}, "resource": {"resource": 5}}]
    fields = [
        {"key": jaegerjson.LOG, "type": "string", "value": json.dumps(one)} for one in (told[1], told[0])
    ]
    span = SPAN | {"logs": [{"timestamp": 5, "fields": [field]} for field in fields]}
    whole, account = read({"spans": [span], "processes": PROCESSES})
    assert [log.body for log in whole.logs] == ["said"] and account.refused.total() == 1


def test_a_time_may_be_written_as_text_or_with_an_exponent() -> None:
    for start in (1e15, "1e15", "1000000000000000"):
        assert one(startTime=start).start_ns == 10**18


@pytest.mark.parametrize("text", ["\ud800", "\udcff", "a\x00"])
def test_what_is_no_unicode_is_kept_as_it_came_wherever_it_stands(text: str) -> None:
    process = {"serviceName": "shop", "tags": [{"key": "k", "value": text}]}
    tags = [{"key": jaegerjson.SCOPE_NAME, "value": text}, {"key": text, "value": text}]
    trace = {"spans": [SPAN | {"tags": tags}, SPAN | {"spanID": "2"}], "processes": {"p1": process}}
    whole, account = read(trace)
    assert not account.refused and len(whole.spans) == 2
    assert all(span.resource.attributes["k"] != "" for span in whole.spans)


def test_processes_that_only_a_number_without_a_form_in_json_tells_apart_are_two() -> None:
    processes = {
        name: {"serviceName": "shop", "tags": [{"key": "k", "type": "float64", "value": value}]}
        for name, value in (("p1", float("inf")), ("p2", float("-inf")))
    }
    whole, _ = read({"spans": [SPAN, SPAN | {"spanID": "2", "processID": "p2"}], "processes": processes})
    found = [span.resource.attributes["k"] for span in whole.spans]
    assert found == [{"$double": "Infinity"}, {"$double": "-Infinity"}]


TEXTS = st.text(max_size=4) | st.sampled_from(
    ["1.5", "1e15", "inf", "p1", "int64", "\ud800", "CHILD_OF", "{}", "1 2"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.integers(-(2**80), 2**80) | st.floats() | TEXTS
NAMES = st.sampled_from(
    [
        "key", "value", "type", "tags", "tag", "fields", "serviceName", "refType", "traceID", "spanID", "timestamp",
        "log", "resource", "scope", "p1", IDENTITY, EXACT, jaegerjson.SCOPE_NAME, "threadline.scope.exact",
    ]
)  # fmt: skip
ANY = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | TEXTS, inner, max_size=4),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [jaegerjson.LOG, jaegerjson.NANOSECONDS, jaegerjson.SCOPE_NAME, EXACT, IDENTITY, "error"]
)
TAGS = st.lists(
    st.fixed_dictionaries(
        {"key": KEYS | TEXTS, "value": ANY | ANY.map(json.dumps)}, optional={"type": TEXTS}
    ),
    max_size=3,
)
LOGS = st.lists(st.fixed_dictionaries({"fields": TAGS}, optional={"timestamp": ANY}), max_size=2)
FIELDS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys([*SPAN, "process", "parentSpanID", "flags", "startTimeMillis", "tag"], ANY)
    | {"tags": TAGS | ANY, "logs": LOGS | ANY},
)


@given(FIELDS, ANY | st.fixed_dictionaries({"p1": st.fixed_dictionaries({"tags": TAGS | ANY})}))
def test_any_json_gives_an_account_and_costs_nothing_beside_it(fields: Any, processes: Any) -> None:
    sound = SPAN | {"spanID": "2", "process": PROCESSES["p1"]}
    whole, account = read({"spans": [SPAN | fields, sound], "processes": processes})
    assert any(span.span_id[-1] == 2 and span.resource.service == "shop" for span in whole.spans)
    assert len(whole.spans) + account.refused.total() >= 2
    assert not any("Threadline does not understand it" in reason for _, reason, _ in account.refusals())


@given(ANY)
def test_any_document_is_read_or_a_sentence(document: Any) -> None:
    try:
        read(document)
    except Unreadable as sentence:
        assert str(sentence)
