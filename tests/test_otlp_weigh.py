"""Parts counted on the wire before anything is built, and large requests decoded in parts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import otlp_bodies as bodies
from tests.otlp_bodies import how
from tracing.otlp import weigh, wire
from tracing.otlp.decode import TooMany, decode_logs, decode_traces, logs_in_parts, traces_in_parts
from tracing.otlp.finishing import PART_RECORDS
from tracing.otlp.metrics import refuse_points

EMPTY_SCOPE = bodies.field(2, b"")
EMPTY_RESOURCE = bodies.field(1, b"")


@pytest.mark.parametrize(
    "body",
    [
        bodies.raw_traces([b""] * 600_000),
        EMPTY_RESOURCE * 600_000,
        bodies.field(1, EMPTY_SCOPE * 600_000),
        bodies.raw_traces([b""] * 15_000) * 40,
    ],
)
def test_records_without_end_are_refused_before_they_are_built(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weigh, "MOST_RECORDS", 20_000)
    monkeypatch.setattr(wire, "TraceRequest", None)
    monkeypatch.setattr(wire, "LogsRequest", None)
    for decode in (decode_traces, decode_logs):
        with pytest.raises(TooMany, match="20000 records"):
            decode(body, how())


def metric(content: bytes) -> bytes:
    return bodies.field(1, bodies.field(2, bodies.field(2, content)))


@pytest.mark.parametrize("kind", [5, 7, 9, 10, 11])
def test_points_without_end_are_refused_before_they_are_built(
    kind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weigh, "MOST_RECORDS", 20_000)
    monkeypatch.setattr(wire, "MetricsRequest", None)
    for body in (metric(bodies.field(kind, b"\x0a\x00" * 600_000)), metric(bodies.field(kind, b"")) * 60_000):
        with pytest.raises(TooMany, match="20000 records"):
            refuse_points(body + EMPTY_RESOURCE * 300_000, bodies.how("protobuf"))


def test_a_point_is_counted_whatever_it_holds() -> None:
    """It is never built: neither its attributes without end nor its broken text matter."""
    point = bodies.field(7, b"") * 600_000 + bodies.field(7, bodies.field(1, b"\xff"))
    (refusal,) = refuse_points(
        metric(bodies.field(5, bodies.field(1, point) * 2)), bodies.how("protobuf")
    ).refusals
    assert refusal.count == 2


@pytest.mark.parametrize(
    "body",
    [
        bodies.field(1, bodies.field(1, bodies.field(1, b"") * 600_000)),
        bodies.field(1, bodies.field(2, bodies.field(1, bodies.field(3, b"") * 600_000))),
        bodies.field(1, bodies.field(1, b"") * 600_000),
        bodies.field(9, b"") * 600_000,
    ],
)
def test_fields_without_end_are_refused_wherever_they_are(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weigh, "MOST_FIELDS", 20_000)
    for path in (weigh.RECORDS, weigh.POINTS):
        with pytest.raises(TooMany, match="20000 fields"):
            weigh.check_request(body, path)


@pytest.mark.parametrize("number", [9, 11, 13])
def test_a_span_of_parts_without_end_is_refused_alone(number: int) -> None:
    good = bodies.span().SerializeToString()
    batch = decode_traces(bodies.raw_traces([good + bodies.field(number, b"") * 100_000, good]), how())
    assert len(batch.spans) == 1
    assert [refusal.count for refusal in batch.refusals] == [1]


def test_many_parts_are_kept() -> None:
    (span,) = decode_traces(
        bodies.traces(bodies.span({f"key.{n}": "x" * 10 for n in range(20_000)})).SerializeToString(), how()
    ).spans
    assert len(span.attributes) == 20_000


def test_a_large_request_comes_in_parts_that_are_the_whole() -> None:
    count = 2 * PART_RECORDS + 5
    body = bodies.logs(*[bodies.log()] * count).SerializeToString()
    parts = list(logs_in_parts(body, how()))
    assert [len(part.logs) for part in parts] == [PART_RECORDS, PART_RECORDS, 5]
    # Ordinals of equal logs run on through all parts.
    ids = [log.log_id for part in parts for log in part.logs]
    assert len(set(ids)) == count
    assert ids == [log.log_id for log in decode_logs(body, how()).logs]


def test_heavy_records_come_in_parts_too() -> None:
    spans = [bodies.span({"v": "x" * 5_000_000}, span_id=bytes([n] * 8)) for n in range(1, 8)]
    parts = list(traces_in_parts(bodies.traces(*spans).SerializeToString(), how()))
    assert [len(part.spans) for part in parts] == [4, 3]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_counted(body: bytes) -> None:
    fields = list(weigh._fields(body, 0, len(body)))
    assert all(begins <= ends <= len(body) for _, begins, ends in fields)
