"""Any record, written and read again without a database: it is the stored one, in its own installation and in another.

Records come from hypothesis by way of protobuf, as senders send them; `test_files` has the journeys.
"""

import os
from typing import Any

import orjson
import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import Status, TracesData

from tests import otlp_bodies
from tests.otlp_bodies import KEY, NOW_NS, REDACTION
from tracing.files import jaeger
from tracing.files.account import Account
from tracing.files.downloads import otlp_file
from tracing.files.jaegerfile import Part, jaeger_file
from tracing.files.marking import Marker
from tracing.files.reading import batches
from tracing.otlp.carried import EXACT, IDENTITY, sealed
from tracing.otlp.decode import Decoding, decode_logs, decode_traces
from tracing.otlp.forms import log_form, span_form
from tracing.otlp.restored import told_span
from tracing.records import Batch, Log, Span
from tracing.redaction import Redaction
from tracing.writing import all_records

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
KEYS = st.sampled_from(
    ["a", "password", "error", "span.kind", "event", "$bytes", "otel.status_code", "service.name", IDENTITY, EXACT, ""]
)  # fmt: skip
NUMBERS = st.integers(-(2**63), 2**63 - 1)
SCALARS = st.none() | st.booleans() | NUMBERS | st.floats() | TEXT | st.binary(max_size=6)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | TEXT, inner, max_size=3),
    max_leaves=8,
)
MAPS = st.dictionaries(KEYS | TEXT, VALUES, max_size=4)
TIMES = st.integers(0, 2**64 - 1) | st.integers(NOW_NS, NOW_NS + 10_000)
COUNTS = st.sampled_from([0, 1, 2**32 - 1])


@st.composite
def spans(draw: st.DrawFn) -> Any:
    made = otlp_bodies.span(
        draw(MAPS),
        start_time_unix_nano=draw(TIMES),
        end_time_unix_nano=draw(TIMES),
        name=draw(TEXT),
        kind=draw(st.sampled_from([0, 1, 2, 5, 77])),
        flags=draw(COUNTS),
        trace_state=draw(TEXT),
        parent_span_id=draw(st.sampled_from([b"", b"12345678", b"odd"])),
        dropped_attributes_count=draw(COUNTS),
    )
    made.status.MergeFrom(
        Status(code=draw(st.sampled_from(list(Status.StatusCode.values()))), message=draw(TEXT))
    )
    for _ in range(draw(st.integers(0, 2))):
        made.events.add(
            name=draw(TEXT), time_unix_nano=draw(TIMES), attributes=otlp_bodies.pairs(draw(MAPS)),
            dropped_attributes_count=draw(COUNTS),
        )  # fmt: skip
    for _ in range(draw(st.integers(0, 2))):
        made.links.add(
            trace_id=draw(st.sampled_from([otlp_bodies.TRACE, b"t" * 16, b"odd", b""])), span_id=b"s" * 8,
            trace_state=draw(TEXT), attributes=otlp_bodies.pairs(draw(MAPS)), flags=draw(COUNTS),
        )  # fmt: skip
    return made


@st.composite
def logs(draw: st.DrawFn) -> Any:
    return otlp_bodies.log(
        draw(VALUES),
        draw(MAPS),
        time_unix_nano=draw(st.just(0) | TIMES),
        observed_time_unix_nano=draw(st.just(0) | TIMES),
        severity_number=draw(st.sampled_from([0, 9, 17, 99])),
        severity_text=draw(TEXT),
        event_name=draw(TEXT),
        flags=draw(COUNTS),
        trace_id=draw(st.sampled_from([b"", otlp_bodies.TRACE, b"odd"])),
        span_id=draw(st.sampled_from([b"", otlp_bodies.SPAN, b"odd"])),
    )


def written(stored: Batch, form: str, key: bytes = KEY) -> bytes:
    if form == "otlp":
        return b"".join(otlp_file([stored.spans], [stored.logs], Marker(key)))
    held = [log for log in stored.logs if log.span_id]
    return b"".join(jaeger_file([(otlp_bodies.TRACE, [Part(stored.spans, held)], 0)], key))


def read(content: bytes, key: bytes, redaction: Redaction = REDACTION) -> Batch:
    account = Account()
    how = Decoding("json", key, NOW_NS, redaction, "import")
    whole = Batch()
    for part in batches(_Bytes(content), how, account):
        whole.spans += part.spans
        whole.logs += part.logs
    assert not account.refused, account.refusals()
    return whole


class _Bytes:
    """A file in small pieces."""

    def __init__(self, content: bytes) -> None:
        self._left = content

    def read(self, size: int, /) -> bytes:
        piece, self._left = self._left[:1_000], self._left[1_000:]
        return piece


def forms(records: Batch) -> list[bytes]:
    """Everything of the records but what belongs to an installation."""
    return sorted(
        orjson.dumps(_form(one), option=orjson.OPT_SORT_KEYS)
        for one in all_records(records.spans, records.logs)
    )


def _form(one: Span | Log) -> dict[str, Any]:
    form = span_form(one) if isinstance(one, Span) else log_form(one)
    form["exact"] = {name: value for name, value in form["exact"].items() if name != "identity"}
    form["facts"] = one.facts if isinstance(one, Span) else 0
    form["sender"] = (
        one.resource.attributes_json.decode(),
        one.scope.name,
        one.scope.attributes_json.decode(),
    )
    return form


def identities(records: Batch) -> list[tuple[bytes, ...]]:
    return sorted(
        (
            one.digest,
            one.log_id if isinstance(one, Log) else b"",
            one.resource.resource_id,
            one.scope.scope_id,
        )
        for one in all_records(records.spans, records.logs)
    )


@pytest.mark.parametrize("form", ["otlp", "jaeger"])
@settings(max_examples=60)
@given(st.lists(spans(), min_size=1, max_size=3), st.lists(logs(), max_size=3), MAPS)
def test_any_record_comes_back_as_it_is_stored(
    form: str, sent: list[Any], said: list[Any], resource: dict[str, Any]
) -> None:
    how = Decoding("protobuf", KEY, NOW_NS, REDACTION, "http")
    stored = decode_traces(otlp_bodies.traces(*sent, resource=resource).SerializeToString(), how)
    stored.logs = decode_logs(otlp_bodies.logs(*said, resource=resource).SerializeToString(), how).logs
    assert not stored.refusals
    content = written(stored, form)
    assert orjson.loads(content)
    if form == "jaeger":
        there = {span.span_id for span in stored.spans}
        stored.logs = [log for log in stored.logs if log.span_id in there]
    assert forms(read(content, KEY)) == forms(stored)
    assert identities(read(content, KEY)) == identities(stored)
    elsewhere = os.urandom(32)
    assert forms(read(content, elsewhere)) == forms(stored)
    assert identities(read(content, elsewhere)) == identities(read(content, elsewhere))
    assert len(set(identities(read(content, elsewhere)))) == len(set(identities(stored)))


@settings(max_examples=60)
@given(st.lists(spans(), min_size=1, max_size=3), st.lists(logs(), max_size=3), MAPS, MAPS)
def test_any_record_is_one_in_whichever_form_it_travels(
    sent: list[Any], said: list[Any], resource: dict[str, Any], scope: dict[str, Any]
) -> None:
    traces, told = otlp_bodies.traces(*sent, resource=resource), otlp_bodies.logs(*said, resource=resource)
    for holder in (traces.resource_spans[0].scope_spans[0], told.resource_logs[0].scope_logs[0]):
        holder.scope.attributes.extend(otlp_bodies.pairs(scope))
        holder.schema_url = "https://scope"
    how = Decoding("protobuf", KEY, NOW_NS, REDACTION, "http")
    stored = decode_traces(traces.SerializeToString(), how)
    stored.logs = decode_logs(told.SerializeToString(), how).logs
    there = {span.span_id for span in stored.spans}
    stored.logs = [log for log in stored.logs if log.span_id in there]
    elsewhere, further = os.urandom(32), os.urandom(32)
    by_otlp, by_jaeger = (read(written(stored, form), elsewhere) for form in ("otlp", "jaeger"))
    assert identities(by_jaeger) == identities(by_otlp)
    for form in ("otlp", "jaeger"):
        content = written(by_jaeger, form, elsewhere)
        assert content == written(by_otlp, form, elsewhere)
        assert identities(read(content, elsewhere)) == identities(by_otlp)
        assert identities(read(content, KEY)) == identities(stored)
        at_third = read(content, further)
        assert identities(at_third) == identities(read(written(stored, form), further))
        assert identities(read(written(at_third, form, further), KEY)) == identities(stored)


@pytest.mark.parametrize("hidden_here", ["", "customer"])
@pytest.mark.parametrize("hidden_there", ["", "customer"])
def test_what_an_installation_hides_beside_the_usual_makes_no_second_record(
    hidden_here: str, hidden_there: str
) -> None:
    told = {"customer": "c-1", "password": "p", "list": [1, {"customer": "c-2"}]}
    span = otlp_bodies.span(told)
    span.links.add(trace_id=b"t" * 16, span_id=b"s" * 8, flags=1, attributes=otlp_bodies.pairs(told))
    here, there = Redaction([hidden_here]), Redaction([hidden_there])
    how = Decoding("protobuf", KEY, NOW_NS, here, "http")
    stored = decode_traces(otlp_bodies.traces(span, resource=told).SerializeToString(), how)
    elsewhere = os.urandom(32)
    by_otlp, by_jaeger = (read(written(stored, form), elsewhere, there) for form in ("otlp", "jaeger"))
    assert identities(by_otlp) == identities(by_jaeger)
    for form in ("otlp", "jaeger"):
        assert identities(read(written(stored, form), KEY, here)) == identities(stored)
        content = written(by_jaeger, form, elsewhere)
        assert identities(read(content, elsewhere, there)) == identities(by_otlp)
        # What is hidden there only is not in the file that goes home: that is another record.
        if hidden_here or not hidden_there:
            assert identities(read(content, KEY, here)) == identities(stored)


@settings(max_examples=60)
@given(st.lists(spans(), min_size=1, max_size=3), st.lists(logs(), max_size=3))
def test_the_official_messages_take_what_is_written(sent: list[Any], said: list[Any]) -> None:
    how = Decoding("protobuf", KEY, NOW_NS, REDACTION, "http")
    stored = decode_traces(otlp_bodies.traces(*sent).SerializeToString(), how)
    stored.logs = decode_logs(otlp_bodies.logs(*said).SerializeToString(), how).logs
    told = orjson.loads(written(stored, "otlp"))
    # protobuf's own JSON has base64 for bytes, also for ids; OTLP's has hex. Everything else must be as it says.
    json_format.ParseDict({"resourceSpans": told["resourceSpans"]}, TracesData())
    json_format.ParseDict({"resourceLogs": told["resourceLogs"]}, LogsData())


def span_with(**marks: str) -> bytes:
    attributes = [
        {"key": f"threadline.{name}", "value": {"stringValue": text}} for name, text in marks.items()
    ]
    one = {
        "traceId": otlp_bodies.TRACE.hex(),
        "spanId": otlp_bodies.SPAN.hex(),
        "name": "x",
        "attributes": attributes,
    }
    return orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [one]}]}]})


def test_a_sender_cannot_say_who_a_record_is() -> None:
    """At the endpoints both names are attributes like any other: kept, and of no effect."""
    identity = f"{'0' * 32}.{'0' * 32}"
    how = Decoding("json", KEY, NOW_NS, REDACTION, "http/json")
    (span,) = decode_traces(span_with(identity=identity, exact='{"name":"y"}'), how).spans
    assert span.attributes == {IDENTITY: identity, EXACT: '{"name":"y"}'}
    assert (span.name, span.digest == bytes(16)) == ("x", False)


def test_an_identity_that_was_made_up_makes_another_record() -> None:
    (plain,) = read(span_with(), KEY).spans
    forged = bytes(range(16))
    told = told_span(KEY, plain, span_form(plain))
    for seal in ("0" * 32, sealed(b"x" * 32, forged, told).partition(".")[2]):
        (span,) = read(span_with(identity=f"{forged.hex()}.{seal}"), KEY).spans
        assert span.digest not in (forged, plain.digest)
        assert span.attributes == {}
    # Also the seal of another record.
    own = sealed(KEY, forged, b"of another one..")
    assert read(span_with(identity=own), KEY).spans[0].digest != forged
    assert read(span_with(identity=sealed(KEY, forged, told)), KEY).spans[0].digest == forged


def test_a_seal_holds_for_what_its_record_says_alone() -> None:
    (plain,) = read(span_with(), KEY).spans
    own = sealed(KEY, bytes(range(16)), told_span(KEY, plain, span_form(plain)))
    for exact in ('{"name":"y"}', '{"exact":{"end":"18446744073709551615"}}', '{"some_attributes":{"a":1}}'):
        (span,) = read(span_with(identity=own, exact=exact), KEY).spans
        assert span.digest != bytes(range(16))


def test_carried_columns_make_a_record_what_is_received_so() -> None:
    """Whatever form a span had: it is one with the same that comes from its sender."""
    (plain,) = read(span_with(), KEY).spans
    (span,) = read(
        span_with().replace(b'"x"', b'"other"', 1).replace(b"[]", marks_of(b'{"name":"x"}')), KEY
    ).spans
    assert (span.name, span.digest) == ("x", plain.digest)


@pytest.mark.parametrize(
    "exact",
    [
        b'{"exact":{"name":"eA=="},"name":"y"}', b'{"exact":{"start":"0"},"start_ns":5}', b'{"exact":{"more":""}}',
        b'{"exact":{"parent_span_id":""},"parent_span_id":"0101010101010101"}', b'{"start_ns":-1}',
    ],
)  # fmt: skip
def test_columns_that_nothing_sent_gives_have_no_part_in_what_is(exact: bytes) -> None:
    """They show something else than what their digest would be of."""
    (plain,) = read(span_with(), KEY).spans
    (span,) = read(span_with().replace(b"[]", marks_of(exact)), KEY).spans
    assert span.digest != plain.digest


def test_a_log_of_another_time_has_no_part_in_one_without() -> None:
    attributes = [{"key": EXACT, "value": {"stringValue": '{"time_ns":5,"time_source":1}'}}]
    log = {"observedTimeUnixNano": "9", "body": {"stringValue": "said"}}
    found = [
        read(orjson.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [one]}]}]}), KEY).logs[0]
        for one in (log, log | {"attributes": attributes})
    ]
    assert [one.time_ns for one in found] == [9, 5]
    assert found[0].log_id != found[1].log_id


def marks_of(exact: bytes) -> bytes:
    return orjson.dumps([{"key": EXACT, "value": {"stringValue": exact.decode()}}])


@pytest.mark.parametrize(
    "exact",
    [
        "no json", "[]", '{"name": 1}', '{"name": "a\\u0000b"}', '{"start_ns": 9223372036854775808}', '{"kind": true}',
        '{"attributes": []}', '{"attributes": {"a": {"$strange": 1}}}', '{"some_attributes": {"$a": 1}}',
        '{"events": [{"time": "x", "name": "a"}]}', '{"events": [{"time": "1", "name": "a", "more": 1}]}',
        '{"some_events": {"0": {}}}', '{"links": [{"trace_id": "zz", "span_id": ""}]}', '{"parent_span_id": "00"}',
        '{"exact": {"a": 1}}', '{"exact": {"start": "soon"}}', '{"exact": {"end": "18446744073709551616"}}',
        '{"events": [{"time": "18446744073709551616", "name": "a"}]}', '{"exact": {"identity": "of my own"}}',
        '{"attributes": {"a": 1e400}}',
    ],
)  # fmt: skip
def test_columns_that_make_no_sense_cost_their_record_alone(exact: str) -> None:
    account = Account()
    how = Decoding("json", KEY, NOW_NS, REDACTION, "import")
    content = span_with(exact=exact) + b"\n" + span_with()
    found = list(batches(_Bytes(content), how, account))
    assert (sum(len(part.spans) for part in found), account.refused.total()) == (1, 1)


def test_secrets_in_carried_columns_are_replaced() -> None:
    exact = '{"attributes":{"password":"p"},"events":[{"time":"1","name":"e","dropped":0,"attributes":{"token":"t"}}]}'
    (span,) = read(span_with(exact=exact), KEY).spans
    assert span.attributes == {"password": {"$redacted": True}}
    assert span.events[0].attributes == {"token": {"$redacted": True}}


def test_marks_are_found_in_a_holder() -> None:
    assert jaeger.marks_in({"attributes": [{"key": EXACT, "value": {"stringValue": "{}"}}]}) == {EXACT: "{}"}
