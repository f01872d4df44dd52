"""Protobuf requests and the records they become: every field, every odd value, every odd id.

The JSON twin is `test_otlp_json`; that both give the same records is a property at the end.
"""

import base64
import math
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests import otlp_bodies as bodies
from tests.otlp_bodies import NOW_NS, SPAN, TRACE, how
from tracing.otlp.decode import Malformed, decode_logs, decode_traces
from tracing.records import MAX_NS, Batch
from tracing.records import Log as LogRecord
from tracing.records import Span as SpanRecord
from tracing.values import REDACTED, opened, plain


def decoded(*spans: Span, **told: Any) -> Batch:
    return decode_traces(bodies.traces(*spans, **told).SerializeToString(), how())


def one(span: Span, **told: Any) -> SpanRecord:
    batch = decoded(span, **told)
    assert not batch.refusals
    (record,) = batch.spans
    return record


def one_log(record: Any, **told: Any) -> LogRecord:
    batch = decode_logs(bodies.logs(record, **told).SerializeToString(), how())
    assert not batch.refusals
    (found,) = batch.logs
    return found


def test_an_event_may_call_an_attribute_as_we_do() -> None:
    event = Span.Event(
        name="odd", time_unix_nano=1, attributes=bodies.pairs({"$map": 1, "exception.type": "Jam"})
    )
    (told,) = one(bodies.span({"order.id": "4711"}, events=[event])).events
    assert dict(opened(told.attributes)) == {"$map": 1, "exception.type": "Jam"}


def invalid(raw: bytes) -> dict[str, str]:
    return {"$invalid": base64.b64encode(raw).decode()}


def test_a_span_keeps_every_field() -> None:
    sent = bodies.span(
        {"order.id": "4711", "n": 3},
        parent_span_id=b"parent!!",
        kind=3,
        trace_state="ot=th:8",
        flags=0x301,
        status=Status(code=Status.STATUS_CODE_ERROR, message="declined"),
        dropped_attributes_count=1,
        dropped_events_count=2,
        dropped_links_count=3,
        events=[
            Span.Event(
                time_unix_nano=7, name="paid", attributes=bodies.pairs({"a": 1}), dropped_attributes_count=4
            )
        ],
        links=[
            Span.Link(
                trace_id=TRACE,
                span_id=SPAN,
                trace_state="x=y",
                attributes=bodies.pairs({"b": 2}),
                dropped_attributes_count=5,
                flags=9,
            )
        ],
    )
    span = one(sent, resource={"deployment.environment.name": "staging"})
    assert (span.trace_id, span.span_id, span.parent_span_id) == (TRACE, SPAN, b"parent!!")
    assert (span.start_ns, span.end_ns, span.name, span.kind) == (NOW_NS, NOW_NS + 5, "work", 3)
    assert (span.status, span.status_message, span.trace_state, span.flags) == (
        2,
        "declined",
        "ot=th:8",
        0x301,
    )
    assert (span.dropped_attributes, span.dropped_events, span.dropped_links) == (1, 2, 3)
    assert span.attributes == {"order.id": "4711", "n": 3} == orjson.loads(span.attributes_json)
    assert [(event.time_ns, event.name, event.attributes, event.dropped) for event in span.events] == [
        (7, "paid", {"a": 1}, 4)
    ]
    assert orjson.loads(span.events_json or b"") == [
        {"time": "7", "name": "paid", "attributes": {"a": 1}, "dropped": 4}
    ]
    assert [(link.trace_id, link.span_id) for link in span.links] == [(TRACE, SPAN)]
    assert orjson.loads(span.links_json or b"") == [
        {
            "trace_id": TRACE.hex(),
            "span_id": SPAN.hex(),
            "trace_state": "x=y",
            "attributes": {"b": 2},
            "dropped": 5,
            "flags": 9,
        }
    ]
    assert (span.resource.service, span.resource.environment) == ("shop", "staging")
    assert (span.scope.name, span.scope.version) == ("tests", "1")
    assert len(span.digest) == 16 and span.exact is None and span.redacted == 0


VALUES: list[tuple[Any, Any]] = [
    ("text", "text"),
    ("", ""),
    (None, None),
    (True, True),
    (False, False),
    (0, 0),
    (-1, -1),
    (2**63 - 1, 2**63 - 1),
    (-(2**63), -(2**63)),
    (1.5, 1.5),
    (0.0, 0.0),
    (-0.0, {"$double": "-0.0"}),
    (1e22, {"$double": "1e+22"}),
    (math.nan, {"$double": "NaN"}),
    (math.inf, {"$double": "Infinity"}),
    (-math.inf, {"$double": "-Infinity"}),
    (b"", {"$bytes": ""}),
    (b"\0\xff", {"$bytes": "AP8="}),
    ([], []),
    ({}, {}),
    ([1, "a", None, [b"x"]], [1, "a", None, [{"$bytes": "eA=="}]]),
    ({"a": {"b": [1]}}, {"a": {"b": [1]}}),
    ({"$a": 1}, {"$map": [["$a", 1]]}),
    ("a\0b", {"$text": "YQBi"}),
    ("long " * 50, "long " * 50),
    ("日本 🚀", "日本 🚀"),
]


@pytest.mark.parametrize(("sent", "kept"), VALUES)
def test_values_are_told_apart_and_kept(sent: Any, kept: Any) -> None:
    span = one(bodies.span({"v": sent}))
    assert repr(span.attributes["v"]) == repr(kept)
    assert orjson.loads(span.attributes_json) == {"v": kept}
    assert repr(one_log(bodies.log(body=sent)).body) == repr(kept)


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (bodies.field(1, b"\xff\xfe"), invalid(b"\xff\xfe")),
        (bodies.field(1, b"a\xed\xa0\x80"), invalid(b"a\xed\xa0\x80")),
        (bodies.nested_arrays(51), invalid(bodies.nested_arrays(51))),
        (bodies.nested_maps(34), invalid(bodies.nested_maps(34))),
        (bodies.nested_arrays(5000), invalid(bodies.nested_arrays(5000))),
        (b"\xff\xff", invalid(b"\xff\xff")),
        (bodies.field(99, b"of the future"), None),
    ],
)
def test_a_bad_value_costs_only_itself(content: bytes, kept: Any) -> None:
    good = bodies.span({"order.id": "1"}, span_id=b"good one").SerializeToString()
    bad = bodies.span({"order.id": "2"}).SerializeToString() + bodies.raw_attribute(b"v", content)
    batch = decode_traces(bodies.raw_traces([good, bad]), how())
    assert not batch.refusals
    assert [span.attributes for span in batch.spans] == [{"order.id": "1"}, {"order.id": "2", "v": kept}]


def test_values_as_deep_as_protobuf_allows_are_kept() -> None:
    deep: Any = one_deep(bodies.nested_arrays(47))
    for _ in range(47):
        (deep,) = deep
    assert deep == "deep"
    assert one_deep(bodies.nested_maps(33))["k"]["k"]["k"]


def one_deep(content: bytes) -> Any:
    raw = bodies.span().SerializeToString() + bodies.raw_attribute(b"v", content)
    (span,) = decode_traces(bodies.raw_traces([raw]), how()).spans
    return span.attributes["v"]


def test_an_array_holding_bad_text_keeps_the_rest() -> None:
    content = bodies.field(
        5, bodies.field(1, bodies.field(1, b"\xff")) + bodies.field(1, bodies.field(1, b"b"))
    )
    assert one_deep(content) == [invalid(b"\xff"), "b"]


def test_the_last_of_equal_keys_wins() -> None:
    sent = bodies.span()
    sent.attributes.extend([*bodies.pairs({"a": 1}), *bodies.pairs({"a": "two"})])
    assert one(sent).attributes == {"a": "two"}


@pytest.mark.parametrize(
    ("fields", "column", "kept", "exact"),
    [
        ({"name": "a\0b"}, "name", "a�b", {"name": "YQBi"}),
        ({"trace_state": "\0"}, "trace_state", "�", {"trace_state": "AA=="}),
        ({"status": Status(message="x\0")}, "status_message", "x�", {"status_message": "eAA="}),
        ({"start_time_unix_nano": 2**64 - 1}, "start_ns", MAX_NS, {"start": str(2**64 - 1)}),
        ({"end_time_unix_nano": 2**63}, "end_ns", MAX_NS, {"end": str(2**63)}),
        ({"start_time_unix_nano": 0}, "start_ns", 0, None),
        ({"end_time_unix_nano": 1}, "end_ns", 1, None),
        ({"kind": 99}, "kind", 99, None),
        ({"parent_span_id": bytes(8)}, "parent_span_id", b"", {"parent_span_id": "00" * 8}),
        ({"parent_span_id": b"abc"}, "parent_span_id", b"", {"parent_span_id": "616263"}),
        ({"flags": 2**32 - 1}, "flags", 2**32 - 1, None),
        ({"name": "n" * 100_000}, "name", "n" * 100_000, None),
    ],
)
def test_what_a_column_cannot_hold_is_kept_exactly(
    fields: dict[str, Any], column: str, kept: Any, exact: dict[str, str] | None
) -> None:
    span = one(bodies.span(**fields))
    assert getattr(span, column) == kept
    assert span.exact == exact


def test_a_name_that_is_no_text_costs_only_itself() -> None:
    raw = bodies.span().SerializeToString() + bodies.field(5, b"caf\xe9")
    (span,) = decode_traces(bodies.raw_traces([raw]), how()).spans
    assert span.name.startswith("caf") and span.exact == {"name": base64.b64encode(b"caf\xe9").decode()}


@pytest.mark.parametrize(
    "fields",
    [
        {"trace_id": b""},
        {"trace_id": bytes(16)},
        {"trace_id": b"short"},
        {"trace_id": b"x" * 17},
        {"span_id": b""},
        {"span_id": bytes(8)},
        {"span_id": b"x" * 16},
    ],
)
def test_a_span_without_ids_is_refused_alone(fields: dict[str, Any]) -> None:
    batch = decoded(bodies.span(**fields), bodies.span(**fields), bodies.span())
    assert len(batch.spans) == 1
    (refusal,) = batch.refusals
    assert (refusal.count, refusal.service) == (2, "shop")
    assert "id" in refusal.reason


@pytest.mark.parametrize(
    ("fields", "time_ns", "source"),
    [
        ({}, NOW_NS, 0),
        ({"time_unix_nano": 0, "observed_time_unix_nano": 9}, 9, 1),
        ({"time_unix_nano": 0}, 0, 2),
        ({"time_unix_nano": 2**64 - 1}, MAX_NS, 0),
    ],
)
def test_the_time_of_a_log(fields: dict[str, Any], time_ns: int, source: int) -> None:
    log = one_log(bodies.log(**fields))
    assert (log.time_ns, log.time_source) == (time_ns, source)


@pytest.mark.parametrize(
    ("fields", "ids"),
    [
        ({"trace_id": TRACE, "span_id": SPAN}, (TRACE, SPAN)),
        ({"trace_id": TRACE}, (TRACE, b"")),
        ({"trace_id": bytes(16), "span_id": bytes(8)}, (b"", b"")),
        ({"trace_id": b"short", "span_id": SPAN}, (b"", b"")),
        ({"trace_id": TRACE, "span_id": b"odd"}, (TRACE, b"")),
    ],
)
def test_a_log_with_bad_ids_is_kept_unattached(fields: dict[str, Any], ids: tuple[bytes, bytes]) -> None:
    log = one_log(bodies.log(**fields))
    assert (log.trace_id, log.span_id) == ids


def test_a_log_keeps_every_field() -> None:
    log = one_log(
        bodies.log(
            {"order": {"id": "4711"}},
            {"a": 1},
            observed_time_unix_nano=NOW_NS + 1,
            severity_number=17,
            severity_text="ERROR",
            event_name="order.paid",
            flags=1,
            dropped_attributes_count=2,
        )
    )
    assert (log.observed_ns, log.severity, log.severity_text) == (NOW_NS + 1, 17, "ERROR")
    assert (log.event_name, log.flags, log.dropped_attributes) == ("order.paid", 1, 2)
    assert log.body == {"order": {"id": "4711"}} == orjson.loads(log.body_json)
    assert log.attributes == {"a": 1}


def test_secrets_are_replaced_everywhere_and_counted() -> None:
    secret = {"password": "hush", "nested": {"token": "hush"}, "list": [{"cvv": "hush"}]}
    span = one(
        bodies.span(
            secret,
            events=[Span.Event(name="e", attributes=bodies.pairs(secret))],
            links=[Span.Link(trace_id=TRACE, span_id=SPAN, attributes=bodies.pairs(secret))],
        ),
        resource={"api.token": "hush"},
    )
    assert span.redacted == 9
    assert span.attributes == {
        "password": REDACTED,
        "nested": {"token": REDACTED},
        "list": [{"cvv": REDACTED}],
    }
    assert span.events[0].attributes == span.attributes
    written = (span.attributes_json, span.events_json, span.links_json, span.resource.attributes_json)
    assert not any(b"hush" in (text or b"") for text in written)
    log = one_log(bodies.log({"card_number": "hush", "order.id": "1"}, {"cookie": "hush"}))
    assert log.redacted == 2 and b"hush" not in log.body_json + log.attributes_json
    assert log.body == {"card_number": REDACTED, "order.id": "1"}


def test_the_digest_tells_secrets_apart_and_forgets_the_sender_of_a_span() -> None:
    first, second = one(bodies.span({"password": "a"})), one(bodies.span({"password": "b"}))
    assert first.attributes == second.attributes and first.digest != second.digest
    assert one(bodies.span({"password": "a"}), service="other").digest == first.digest
    same, other = one_log(bodies.log()), one_log(bodies.log(), service="other")
    assert same.digest != other.digest


def test_the_digest_follows_every_field() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"trace_id": b"y" * 16},
        {"span_id": b"y" * 8},
        {"parent_span_id": b"y" * 8},
        {"start_time_unix_nano": 2**63},
        {"start_time_unix_nano": 2**63 + 1},
        {"end_time_unix_nano": 2},
        {"name": "x"},
        {"name": "", "trace_state": "work"},
        {"name": "wor", "trace_state": "k"},
        {"kind": 2},
        {"flags": 2},
        {"status": Status(code=Status.STATUS_CODE_OK)},
        {"status": Status(message="m")},
        {"dropped_attributes_count": 1},
        {"dropped_events_count": 1},
        {"dropped_links_count": 1},
        {"events": [Span.Event()]},
        {"events": [Span.Event(), Span.Event()]},
        {"events": [Span.Event(time_unix_nano=1)]},
        {"links": [Span.Link()]},
        {"links": [Span.Link(flags=1)]},
    ]
    digests = {one(bodies.span(**change)).digest for change in changes}
    digests |= {one(bodies.span({"a": value})).digest for value in (1, 1.0, "1", True, [1], None, b"1")}
    assert len(digests) == len(changes) + 7


def test_equal_logs_of_one_request_are_different_records() -> None:
    request = bodies.logs(*[bodies.log("again") for _ in range(3)]).SerializeToString()
    first, second = decode_logs(request, how()).logs, decode_logs(request, how(received_ns=5)).logs
    assert len({log.log_id for log in first}) == 3
    assert [log.log_id for log in first] == [log.log_id for log in second]


def test_a_log_with_an_id_of_its_own_is_that_record() -> None:
    uid = {"log.record.uid": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}
    first, second = one_log(bodies.log("one", uid)), one_log(bodies.log("two", uid))
    assert first.log_id == second.log_id and first.digest != second.digest


@pytest.mark.parametrize(
    ("attributes", "service", "environment"),
    [
        ({}, "shop", None),
        ({"service.name": ""}, "unknown_service", None),
        ({"service.name": 7}, "7", None),
        ({"service.name": "a\0b"}, "a�b", None),
        ({"service.name": "s" * 400}, "s" * 255, None),
        ({"deployment.environment": "old"}, "shop", "old"),
        ({"deployment.environment.name": "new", "deployment.environment": "old"}, "shop", "new"),
        ({"deployment.environment.name": ""}, "shop", None),
    ],
)
def test_who_sent_it(attributes: dict[str, Any], service: str, environment: str | None) -> None:
    resource = one(bodies.span(), resource=attributes).resource
    assert (resource.service, resource.environment) == (service, environment)


@pytest.mark.parametrize(
    "body", [b"\xff\xff", b"not protobuf", bodies.traces(bodies.span()).SerializeToString()[:-3]]
)
def test_what_is_no_request_at_all(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode_traces(body, how())
    with pytest.raises(Malformed):
        decode_logs(body, how())


def test_an_empty_request_holds_nothing() -> None:
    assert decode_traces(b"", how()).spans == [] == decode_logs(b"", how()).logs


def test_a_full_memory_changes_nothing() -> None:
    spans = [bodies.span({f"key.{n}": f"value {n}", "password": str(n)}) for n in range(12_000)]
    first, second = decoded(*spans), decoded(*spans)
    assert [span.attributes for span in first.spans] == [span.attributes for span in second.spans]
    assert first.spans[-1].attributes == {"key.11999": "value 11999", "password": REDACTED}
    assert all(span.redacted == 1 for span in second.spans)


texts = st.text(max_size=5) | st.sampled_from(["password", "$x", "a\0", "order.id"])
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=8)
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)
attribute_maps = st.dictionaries(texts, values, max_size=4)
times = st.integers(0, 2**64 - 1)
span_events = st.builds(
    lambda time, name, told: Span.Event(time_unix_nano=time, name=name, attributes=bodies.pairs(told)),
    times, texts, attribute_maps,
)  # fmt: skip
span_links = st.builds(
    lambda trace, told: Span.Link(trace_id=trace, span_id=SPAN, attributes=bodies.pairs(told)),
    st.binary(max_size=16), attribute_maps,
)  # fmt: skip
spans = st.builds(
    bodies.span,
    attribute_maps,
    trace_id=st.sampled_from([TRACE, b"", b"x" * 16]),
    parent_span_id=st.sampled_from([b"", SPAN, bytes(8)]),
    name=texts,
    kind=st.integers(0, 9),
    start_time_unix_nano=times,
    end_time_unix_nano=times,
    flags=st.integers(0, 2**32 - 1),
    events=st.lists(span_events, max_size=2),
    links=st.lists(span_links, max_size=2),
)
log_records = st.builds(
    bodies.log,
    values,
    attribute_maps,
    trace_id=st.sampled_from([TRACE, b"", b"odd"]),
    time_unix_nano=times,
    observed_time_unix_nano=times,
    severity_number=st.integers(0, 30),
    event_name=texts,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(spans, max_size=3), attribute_maps)
def test_both_encodings_of_spans_are_the_same_records(sent: list[Span], resource: dict[str, Any]) -> None:
    request = bodies.traces(*sent, resource=resource)
    from_protobuf = decode_traces(request.SerializeToString(), how())
    from_json = decode_traces(orjson.dumps(bodies.as_json(request)), how("json"))
    assert repr(from_protobuf.spans) == repr(from_json.spans)
    assert from_protobuf.refusals == from_json.refusals


@settings(max_examples=150, deadline=None)
@given(st.lists(log_records, max_size=3), attribute_maps)
def test_both_encodings_of_logs_are_the_same_records(sent: list[Any], resource: dict[str, Any]) -> None:
    request = bodies.logs(*sent, resource=resource)
    from_protobuf = decode_logs(request.SerializeToString(), how())
    from_json = decode_logs(orjson.dumps(bodies.as_json(request)), how("json"))
    assert repr(from_protobuf.logs) == repr(from_json.logs)


@settings(max_examples=100, deadline=None)
@given(values)
def test_any_value_can_be_shown_and_stored(sent: Any) -> None:
    kept = one(bodies.span({"v": sent})).attributes["v"]
    written = orjson.dumps(kept)
    assert b"\\u0000" not in written
    orjson.dumps(plain(kept), option=orjson.OPT_NON_STR_KEYS)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["protobuf", "json"]))
def test_any_bytes_are_read_or_malformed(body: bytes, encoding: str) -> None:
    for decode in (decode_traces, decode_logs):
        try:
            decode(body, how(encoding))
        except Malformed as error:
            assert str(error)
