"""Flows as files, out and in again: OTLP JSON is equal, Jaeger JSON in what it can hold, and nothing comes twice.

The records are written by SDKs' own encodings (the demo), by hand (`oddities`) and by hypothesis; stored, downloaded as a
page downloads them, imported into an empty store of the same and of another installation.
"""

import contextlib
import io
import os
from collections.abc import Callable, Iterable
from itertools import product
from typing import Any, LiteralString

import orjson
import psycopg
import pytest
from django.conf import settings
from django.http import StreamingHttpResponse
from django.test import Client
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests import oddities, otlp_bodies
from tests.builders import Service, batch
from tests.otlp_bodies import NOW_NS, REDACTION
from tests.tables import ask, everything
from tests.test_demo import ANCHOR_NS, SEED, played
from timeline.addresses import flow_url
from tracing.demo import jobs
from tracing.demo.history import Run
from tracing.files.keeping import Importer, Kept
from tracing.otlp.decode import Decoding, decode_logs, decode_traces
from tracing.storing import Store

FORMS = ("otlp", "jaeger")


def decoding(store: Store, encoding: Any = "protobuf") -> Decoding:
    return Decoding(encoding, store.digest_key, NOW_NS, REDACTION, f"http/{encoding}")


def put(store: Store, *requests: Any) -> None:
    """Store OTLP requests as an endpoint does."""
    for request in requests:
        decode = decode_traces if "Trace" in type(request).__name__ else decode_logs
        read = decode(request.SerializeToString(), decoding(store))
        assert not read.refusals
        store.put(read)


def bring(conninfo: str, content: bytes) -> Kept:
    (kept,) = bring_all(conninfo, [content])
    return kept


def bring_all(conninfo: str, files: Iterable[bytes]) -> list[Kept]:
    importer, found = Importer(conninfo, settings.ENVIRONMENT, 400, REDACTION), []
    try:
        for content in files:
            found.append(Kept())
            importer.keep(io.BytesIO(content), found[-1])
    finally:
        importer.close()
    return found


def brought(conninfo: str, files: Iterable[bytes]) -> int:
    """How many records of these files were not there."""
    found = bring_all(conninfo, files)
    assert not any(kept.account.refused for kept in found)
    return sum(kept.stored for kept in found)


def take(client: Client, path: str, form: str) -> bytes:
    answer = client.get(path + ("&" if "?" in path else "?") + f"format={form}")
    assert answer.status_code == 200, path
    assert answer.headers["Content-Disposition"].endswith(f'.{form}.json"')
    assert isinstance(answer, StreamingHttpResponse)
    return b"".join(answer)


def is_there(client: Client, path: str) -> bool:
    return client.get(path).status_code == 200


def paths(conninfo: str) -> list[str]:
    """The addresses of all flows, requests too."""
    with psycopg.connect(conninfo) as connection:
        flows = connection.execute(
            "SELECT CASE kind WHEN 1 THEN 'entity' ELSE 'workflow' END, type, key, environment FROM flow ORDER BY 1, 2, 3, 4"
        ).fetchall()
        traces = connection.execute("SELECT DISTINCT trace_id FROM request ORDER BY 1").fetchall()
    return [
        *(flow_url(*flow) for flow in flows),
        *(flow_url("request", "trace", bytes(trace).hex()) for (trace,) in traces),
    ]


def with_senders(conninfo: str) -> dict[str, Any]:
    """Everything that is stored, with the columns of records and whoever sent them."""
    with psycopg.connect(conninfo) as connection:
        rows = {
            table: sorted(connection.execute(f"SELECT {columns} FROM {table}".encode()).fetchall(), key=repr)
            for table, columns in (
                ("resource", "resource_id, attributes, dropped, schema_url, service, environment"),
                ("scope", "scope_id, name, version, attributes, dropped, schema_url"),
                ("span", "to_jsonb(span) - '{xid,received_ns,rule_version}'::text[]"),
                ("log", "to_jsonb(log) - '{xid,received_ns,rule_version}'::text[]"),
            )
        }
    return everything(conninfo) | {f"all of {name}": found for name, found in rows.items()}


def secrets() -> list[Any]:
    """Redacted values everywhere, versions that differ in nothing else, equal logs, odd texts, logs without a time."""
    spans = [
        otlp_bodies.span({"order.id": "1", "password": word, "nested": {"token": word, "kept": [1, None]}})
        for word in ("first", "second")
    ]
    spans[0].events.add(name="e", time_unix_nano=NOW_NS + 1, attributes=otlp_bodies.pairs({"secret": "x"}))
    spans[0].links.add(
        trace_id=b"t" * 16, span_id=b"s" * 8, trace_state="a=b", attributes=otlp_bodies.pairs({"cvv": 1})
    )
    logs = [
        otlp_bodies.log(
            "said twice", {"order.id": "1"}, trace_id=otlp_bodies.TRACE, span_id=otlp_bodies.SPAN
        ),
        otlp_bodies.log(
            "said twice", {"order.id": "1"}, trace_id=otlp_bodies.TRACE, span_id=otlp_bodies.SPAN
        ),
        otlp_bodies.log({"password": "x", "order.id": "1"}, {"order.id": "1", "api_key": "k"}),
        otlp_bodies.log("no time", {"order.id": "1"}, time_unix_nano=0),
        otlp_bodies.log("no time", {"order.id": "1"}, time_unix_nano=0),
        otlp_bodies.log("seen", {"order.id": "1"}, time_unix_nano=0, observed_time_unix_nano=NOW_NS),
    ]
    told = otlp_bodies.traces(*spans, resource={"auth.token": "of the resource"})
    told.resource_spans[0].scope_spans[0].scope.attributes.extend(otlp_bodies.pairs({"api_key": "z"}))
    told.resource_spans[0].scope_spans[0].schema_url = "https://x/1\0"
    told.resource_spans[0].resource.dropped_attributes_count = 2**32 - 1
    return [told, otlp_bodies.logs(*logs, resource={"auth.token": "of the resource"})]


def odd_values() -> list[Any]:
    values: dict[str, Any] = {
        "order.id": "2", "bytes": b"\x00\xff", "none": None, "nan": float("nan"), "inf": float("-inf"), "minus": -0.0,
        "large": 1e22, "most": 2**63 - 1, "least": -(2**63), "nul": "a\0b", "empty": "", "list": [], "map": {},
        "deep": {"a": [{"b": b"x"}, 1.5, True]}, "error": True, "span.kind": "server", "otel.status_code": "ERROR",
        "event": "no name", "threadline.identity": "sent so", "threadline.exact": "{}", "threadline.ns": "1 2",
        "$bytes": "no tag", "message": "m", "service.name": "of the span",
    }  # fmt: skip
    span = otlp_bodies.span(
        values, start_time_unix_nano=2**64 - 1, end_time_unix_nano=5, kind=77, flags=2**32 - 1
    )
    span.kind = 77  # type: ignore[assignment]
    span.status.MergeFrom(Status(code=Status.STATUS_CODE_ERROR, message="m\0"))
    span.trace_state = "a=b,c=d"
    span.parent_span_id, span.name = b"odd", "name\0"
    span.dropped_links_count = 2**32 - 1
    span.events.add(name="event\0", time_unix_nano=2**64 - 1, dropped_attributes_count=3)
    span.events.add(name="", attributes=otlp_bodies.pairs(values))
    span.links.add(trace_id=b"short", span_id=b"s", flags=3, dropped_attributes_count=9)
    log = otlp_bodies.log(
        values, values, trace_id=b"odd", span_id=b"12345678", severity_number=99, severity_text="s\0",
        event_name="order.seen", flags=7, time_unix_nano=2**64 - 1,
    )  # fmt: skip
    request = otlp_bodies.traces(span)
    request.resource_spans[0].schema_url = "https://resource"
    request.resource_spans[0].scope_spans[0].scope.name = "x\0"
    return [request, otlp_bodies.logs(log, otlp_bodies.log(None, {"order.id": "2"}))]


def fill_by_hand(store: Store) -> None:
    store.put(batch(*oddities.pool()))


def fill_with_secrets(store: Store) -> None:
    put(store, *secrets())


def fill_with_odd_values(store: Store) -> None:
    put(store, *odd_values())


def fill_with_invalid_text(store: Store) -> None:
    """Bytes that are no UTF-8, and escapes that JSON alone can say."""
    raw = otlp_bodies.field(5, b"na\xffme") + otlp_bodies.field(3, b"state\xfe")
    raw += otlp_bodies.raw_attribute(b"text", otlp_bodies.field(1, b"\xff\xfe"))
    raw += otlp_bodies.raw_attribute(b"order.id", otlp_bodies.field(1, b"3"))
    raw += otlp_bodies.raw_attribute(b"k\xffey", otlp_bodies.field(1, b"v"))
    raw += otlp_bodies.raw_attribute(b"deep", otlp_bodies.nested_arrays(60))
    raw = otlp_bodies.field(1, otlp_bodies.TRACE) + otlp_bodies.field(2, otlp_bodies.SPAN) + raw
    store.put(decode_traces(otlp_bodies.raw_traces([raw]), decoding(store)))
    lone = rb'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"a\ud800"},"severityText":"\udc00",'
    lone += rb'"attributes":[{"key":"order.id","value":{"stringValue":"3"}},{"key":"\ud801","value":{"intValue":"x"}}]}]}]}]}'
    store.put(decode_logs(lone, decoding(store, "json")))


def linked() -> list[Any]:
    """Links of every kind, on roots and on others: to another trace, the own one and nowhere, one and several."""
    own, other = otlp_bodies.TRACE, b"t" * 16
    told: list[list[dict[str, Any]]] = [
        [{"trace_id": other, "span_id": b"sender..", "flags": 768}],
        [{"trace_id": other, "span_id": b"sender..", "trace_state": "vendor=1,other=2"}],
        [
            {
                "trace_id": other,
                "span_id": b"sender..",
                "attributes": otlp_bodies.pairs({"why": ["retry", 2], "cvv": 1}),
            }
        ],
        [{"trace_id": other, "span_id": b"sender..", "dropped_attributes_count": 3}],
        [{"trace_id": own, "span_id": b"parent.."}, {"trace_id": own, "span_id": b"another."}],
        [{"trace_id": other, "span_id": b"sender%02d" % n, "flags": n} for n in (3, 1, 2, 2)],
        [{"trace_id": own, "span_id": b"parent..", "flags": 1}, {"trace_id": b"short", "span_id": b""}],
    ]
    spans = []
    for number, (links, parent) in enumerate(product(told, (b"", b"parent.."))):
        spans.append(otlp_bodies.span({"order.id": "4"}, span_id=b"link%04d" % number, parent_span_id=parent))
        for link in links:
            spans[-1].links.add(**link)
    return [otlp_bodies.traces(*spans, resource={"process.command_args": ["python", "-m", "shop"]})]


def fill_with_links(store: Store) -> None:
    put(store, *linked())


def fill_with_demo(store: Store) -> None:
    """A small shop's history, as the SDKs' own exporters write it."""
    spans, logs = played(Run(ANCHOR_NS, SEED, orders=1))
    for body in spans:
        store.put(decode_traces(body, decoding(store)))
    for body in logs:
        store.put(decode_logs(body, decoding(store)))


@pytest.fixture(autouse=True)
def short_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "INVOICED", 12)
    monkeypatch.setattr(jobs, "REINDEXED", 60)


FILLS = [fill_by_hand, fill_with_secrets, fill_with_odd_values, fill_with_invalid_text, fill_with_links]
FILLED = pytest.mark.parametrize("fill", [*FILLS, fill_with_demo])
# Half a minute of every flow of the demo: in every run once, the other ways when asked for (`-m slow`).
FILLED_SLOWLY = pytest.mark.parametrize(
    "fill", [*FILLS, pytest.param(fill_with_demo, marks=pytest.mark.slow)]
)


def emptied(conninfo: str, key: bytes | None = None) -> None:
    """The same installation without its records, or another one."""
    from tests.conftest import empty_tables

    with psycopg.connect(conninfo) as connection:
        own = connection.execute("SELECT digest_key FROM installation").fetchone()
    empty_tables()
    assert own
    with psycopg.connect(conninfo) as connection:
        connection.execute("UPDATE installation SET digest_key = %s", (key or own[0],))


@FILLED
def test_otlp_json_into_an_empty_store_and_out_again_is_equal(
    client: Client, store: Store, conninfo: str, fill: Callable[[Store], None]
) -> None:
    fill(store)
    before, addresses = with_senders(conninfo), paths(conninfo)
    files = {path: take(client, path, "otlp") for path in addresses}
    assert addresses
    # Of the demo, which takes a quarter of a minute each time, into its own installation only.
    for key in (None, os.urandom(32)) if fill is not fill_with_demo else (None,):
        emptied(conninfo, key)
        for kept in bring_all(conninfo, files.values()):
            assert (kept.account.refused, kept.account.notes) == ({}, [])
        if key is None:
            assert with_senders(conninfo) == before
        assert paths(conninfo) == addresses
        assert {path: take(client, path, "otlp") for path in addresses} == files


# What Jaeger's form has no place for, as a question for the records that are not in it.
JAEGER_LOSES: LiteralString = """
    SELECT log_id FROM log WHERE NOT EXISTS (
        SELECT FROM span WHERE span.trace_id = log.trace_id AND span.span_id = log.span_id)"""


@FILLED_SLOWLY
def test_jaeger_json_into_an_empty_store_and_out_again_is_equal(
    client: Client, store: Store, conninfo: str, fill: Callable[[Store], None]
) -> None:
    fill(store)
    lost = {bytes(row[0]).hex() for row in ask(conninfo, JAEGER_LOSES)}
    before, addresses = with_senders(conninfo), paths(conninfo)
    files = {path: take(client, path, "jaeger") for path in addresses}
    for key in (None, os.urandom(32)):
        emptied(conninfo, key)
        for kept in bring_all(conninfo, files.values()):
            assert (kept.account.refused, kept.account.notes) == ({}, [])
        if key is None:
            after = with_senders(conninfo)
            assert after["all of span"] == before["all of span"]
            held = [row for row in before["all of log"] if row[0]["log_id"].removeprefix("\\x") not in lost]
            assert after["all of log"] == held
            for table in ("all of resource", "all of scope"):
                assert set(map(repr, after[table])) <= set(map(repr, before[table]))
        again = [path for path in paths(conninfo) if path.startswith("/flow/request")]
        for path in again:
            there = orjson.loads(take(client, path, "jaeger"))
            told = orjson.loads(files[path])
            for one in (*there["data"], *told["data"]):
                one["warnings"] = None  # they count what was lost
            assert there == told


@FILLED_SLOWLY
@pytest.mark.parametrize("form", FORMS)
def test_a_file_back_into_its_own_store_adds_nothing(
    client: Client, store: Store, conninfo: str, fill: Callable[[Store], None], form: str
) -> None:
    fill(store)
    before = with_senders(conninfo)
    for kept in bring_all(conninfo, (take(client, path, form) for path in paths(conninfo))):
        assert (kept.stored, kept.account.refused) == (0, {})
        assert kept.again == kept.account.records
    assert with_senders(conninfo) == before


@FILLED
def test_a_flow_carried_to_another_store_and_back_in_any_form_adds_nothing(
    client: Client, store: Store, conninfo: str, fill: Callable[[Store], None]
) -> None:
    own = store.digest_key
    fill(store)
    before, addresses = with_senders(conninfo), paths(conninfo)
    if fill is fill_with_demo:
        # All of them take minutes; these have links, retries, queues and logs.
        addresses = [path for path in addresses if path.startswith("/flow/entity/order/")]
    by_jaeger, by_otlp = ([take(client, path, form) for path in addresses] for form in ("jaeger", "otlp"))
    emptied(conninfo, os.urandom(32))
    brought(conninfo, by_jaeger)
    back = [take(client, path, form) for path in addresses for form in FORMS if is_there(client, path)]
    assert brought(conninfo, by_otlp) == len(ask(conninfo, JAEGER_LOSES))
    assert [take(client, path, "otlp") for path in addresses] == by_otlp
    assert brought(conninfo, by_jaeger) == brought(conninfo, back) == 0
    back += [take(client, path, form) for path in addresses for form in FORMS]
    emptied(conninfo, own)
    # One that was there before would not note again whom it has noted.
    with contextlib.closing(Store(conninfo, settings.ENVIRONMENT)) as again:
        fill(again)
    assert brought(conninfo, back) == 0
    assert with_senders(conninfo) == before


def test_a_file_holds_the_flow_whatever_the_address_filters(client: Client, store: Store) -> None:
    fill_by_hand(store)
    whole = take(client, "/flow/entity/order/4711", "otlp")
    for query in ("only=errors", "service=nobody", "limit=1", "from=1&to=2", "view=table", "find=nothing"):
        assert take(client, f"/flow/entity/order/4711?{query}", "otlp") == whole
    rows = client.get("/flow/entity/order/4711", {"format": "json", "expand": "all"}).json()["rows"]
    told = orjson.loads(whole)
    spans = [one for r in told["resourceSpans"] for s in r["scopeSpans"] for one in s["spans"]]
    logs = [one for r in told["resourceLogs"] for s in r["scopeLogs"] for one in s["logRecords"]]
    assert (len(spans), len(logs)) == tuple(
        sum(1 for row in rows if row["row"] == kind) for kind in ("span", "log")
    )


def test_a_record_is_a_file_too(client: Client, store: Store, conninfo: str) -> None:
    fill_with_secrets(store)
    address = f"/record/{otlp_bodies.TRACE.hex()}/{otlp_bodies.SPAN.hex()}"
    for form in FORMS:
        content = take(client, address, form)
        assert content.count(b'"operationName":"work"' if form == "jaeger" else b'"name":"work"') == 2
        assert bring(conninfo, content).stored == 0
    assert client.get(address.replace("0", "9"), {"format": "otlp"}).status_code == 404


def test_a_record_of_many_versions_and_logs_is_whole(client: Client, store: Store) -> None:
    versions, logs = 1_200, 10_500
    shop = Service("shop")
    one = [shop.span("GET /", 0, took, id="one") for took in range(1, versions + 1)]
    store.put(batch(*one, *(shop.log("said", at, span=one[0]) for at in range(logs))))
    content = take(client, f"/record/{one[0].trace_id.hex()}/{one[0].span_id.hex()}", "otlp")
    assert content.count(b'"endTimeUnixNano"') == versions
    told = orjson.loads(content)
    times = [
        int(log["timeUnixNano"])
        for resource in told["resourceLogs"]
        for scope in resource["scopeLogs"]
        for log in scope["logRecords"]
    ]
    assert len(times) == logs and times == sorted(times)


def test_an_address_of_a_trace_keeps_the_form(client: Client, store: Store) -> None:
    answer = client.get(f"/trace/{otlp_bodies.TRACE.hex()}?format=jaeger")
    assert answer.headers["Location"].endswith("?format=jaeger")
    assert client.get("/flow/entity/order/none?format=otlp").status_code == 404


def test_the_page_offers_what_it_can_be_taken_away_as(client: Client, store: Store) -> None:
    fill_by_hand(store)
    page = client.get("/flow/entity/order/4711?only=errors").content.decode()
    for form in FORMS:
        assert f'href="/flow/entity/order/4711?format={form}"' in page
    assert "only=errors&amp;format=csv" in page


def test_where_a_foreign_record_came_from_is_not_shown(client: Client, store: Store, conninfo: str) -> None:
    fill_with_secrets(store)
    content = take(client, f"/flow/request/trace/{otlp_bodies.TRACE.hex()}", "otlp")
    emptied(conninfo, os.urandom(32))
    bring(conninfo, content)
    page = client.get(f"/record/{otlp_bodies.TRACE.hex()}/{otlp_bodies.SPAN.hex()}").content.decode()
    assert "[redacted]" in page and "identity, bytes" not in page
