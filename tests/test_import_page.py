"""`/import`: a file by page; what became of it is said, and what is too large or no file of ours is refused whole."""

import gzip
import json
from typing import Any

import orjson
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.utils import override_settings

from tests.builders import Service, batch
from tests.otlp_bodies import as_json, log, logs, span, traces
from tests.tables import ask, one
from tracing.files import reading, unpacking
from tracing.files.keeping import Kept
from tracing.storing import Store

pytestmark = pytest.mark.usefixtures("clean_store")


def upload(client: Client, content: bytes, name: str = "flow.json") -> Any:
    return client.post("/import", {"file": SimpleUploadedFile(name, content)})


def requests() -> bytes:
    """An order's span and log, as JSON Lines, with a line between them that is none."""
    told = (as_json(traces(span({"order.id": "4711"}))), as_json(logs(log("said", {"order.id": "4711"}))))
    return b"\n".join((orjson.dumps(told[0]), b'{"resourceSpans":[{"sco', orjson.dumps(told[1])))


def test_a_file_is_stored_and_its_flows_linked(client: Client, conninfo: str) -> None:
    page = upload(client, requests())
    said = page.content.decode()
    assert page.status_code == 200
    assert (
        "OTLP JSON: <b>1</b> spans and <b>1</b> logs read, <b>2</b> stored, <b>0</b> already there, <b>1</b> refused"
        in said
    )
    assert "this is not JSON" in said and "line 2" in said
    assert 'href="/flow/entity/order/4711"' in said
    assert client.get("/flow/entity/order/4711", {"format": "json"}).json()["flow"]["spans"] == 1
    again = upload(client, gzip.compress(requests()), "flow.json.gz").content.decode()
    assert "<b>0</b> stored, <b>2</b> already there" in again
    assert one(conninfo, "SELECT count(*) FROM span") == 1


def test_an_import_is_no_traffic_and_nobodys_clock(client: Client, conninfo: str, store: Store) -> None:
    upload(client, requests())
    from tracing.senders import shared

    shared().flush()
    senders = ask(conninfo, "SELECT service, transport, clock_offset_ns FROM tracing_sender ORDER BY 1")
    assert ("shop", "import", None) in senders
    assert one(conninfo, "SELECT count(*) FROM tally") == 0
    trust = client.get("/flow/entity/order/4711", {"format": "json"}).json()["trust"]
    assert trust["late"] == 0
    assert one(conninfo, "SELECT sum(late) FROM request") == 0
    store.put(batch(Service("live").span("GET /", 0, 1)))
    assert one(conninfo, "SELECT count(*) FROM tally") > 0


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "Choose a file"),
        (b"\n \n", "It is empty"),
        (b"PK\x03\x04 no json", "neither OTLP JSON nor Jaeger JSON"),
        (b'{"traceEvents": []}', "Chrome"),
        (b'[{"traceId": "1", "id": "2"}]', "Zipkin"),
        (b'{"resourceMetrics": [{}]}', "metrics are not kept"),
        (gzip.compress(b"x" * 100, mtime=0)[:20], "ends in the middle of its gzip packing"),
        (b"\x1f\x8bnot gzip", "packing is broken"),
    ],
)
def test_what_is_no_file_of_ours_is_a_sentence(
    client: Client, conninfo: str, content: bytes, sentence: str
) -> None:
    page = upload(client, content)
    assert (page.status_code, sentence in page.content.decode()) == (400, True), page.content.decode()
    assert one(conninfo, "SELECT count(*) FROM span") == 0


def test_a_file_that_is_too_large_is_refused_before_it_is_read(client: Client) -> None:
    with override_settings(IMPORT_MB=1):
        assert upload(client, b"x" * (2**20 + 70_000)).status_code == 413
        page = upload(client, b"x" * (2**20 + 10))
        assert page.status_code == 413 and "larger than 1 MiB" in page.content.decode()


@pytest.mark.parametrize("length", ["9" * 5_000, "1" * 19, "-1", "many"])
def test_a_length_that_is_none_is_refused(client: Client, length: str) -> None:
    assert client.post("/import", CONTENT_LENGTH=length).status_code == 413


def test_what_was_stored_is_in_the_audit_however_the_import_ends(
    client: Client, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "TOGETHER", 1)
    name = Kept.name

    def failing(kept: Kept, *told: Any) -> None:
        if kept.stored == 2:
            raise ValueError("what nobody foresaw")
        name(kept, *told)

    monkeypatch.setattr(Kept, "name", failing)
    client.raise_request_exception = False
    assert upload(client, requests()).status_code == 500
    told = ask(conninfo, "SELECT subject, detail FROM tracing_audit WHERE action = 'file imported'")
    assert told == [("flow.json", "2 records stored, 0 already there")]


def test_a_packed_file_is_read_up_to_a_bound(client: Client) -> None:
    line = orjson.dumps(as_json(traces(span({"order.id": "4711"})))) + b"\n"
    with override_settings(IMPORT_MB=1):
        said = upload(client, gzip.compress(line + b" " * 2**20 * 21)).content.decode()
    assert "only the beginning was read" in said and "<b>1</b> stored" in said


def test_a_form_of_another_page_is_refused(conninfo: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert upload(strict, requests()).status_code == 403
    assert one(conninfo, "SELECT count(*) FROM span") == 0


def test_the_page_is_linked_where_one_looks_for_it(client: Client) -> None:
    for path in ("/", "/flows", "/settings/"):
        assert 'href="/import"' in client.get(path).content.decode(), path
    assert client.get("/import").status_code == 200
    assert client.put("/import").status_code == 405


@pytest.mark.parametrize(
    ("content", "into", "status", "told"),
    [
        *[
            (content, into, 400, "cannot be read. It holds no spans and no logs.")
            for content in (b"[]", b'{"data":[]}', b'{"data":[],"total":0,"errors":null}', b"[]\n[]")
            for into in ("", "look")
        ],
        (b'{"resourceSpans":[]}', "", 200, "OTLP JSON: <b>0</b> spans and <b>0</b> logs read"),
        (b'{"resourceSpans":[]}', "look", 400, "None of its records can be shown."),
    ],
)
def test_what_holds_nothing_is_said(
    client: Client, content: bytes, into: str, status: int, told: str
) -> None:
    """Such as Jaeger's answer to a search that found nothing."""
    page = client.post("/import", {"file": SimpleUploadedFile("empty.json", content), "into": into})
    assert page.status_code == status and told in page.content.decode()


@pytest.mark.parametrize("line", [b"{}", b"1", b"x"])
@pytest.mark.parametrize("records", [0, 1])
def test_millions_of_lines_of_something_else_are_not_read(
    client: Client, monkeypatch: pytest.MonkeyPatch, line: bytes, records: int
) -> None:
    monkeypatch.setattr(reading, "MOST_FOREIGN", 100)
    one = orjson.dumps(as_json(traces(span({"order.id": "4711"}))))
    page = upload(client, gzip.compress(b"\n".join([*[one] * records, *[line] * 200, one])))
    told = page.content.decode()
    assert f"lines {101 + records} short ones hold neither spans nor logs; the rest was not read" in told
    assert (f"<b>{records}</b> spans" in told) == bool(records)
    # Long ones, such as metrics, and as many as there are records are no sign of anything.
    metrics = b'{"resourceMetrics":[' + b" " * 300 + b"]}"
    other = upload(client, gzip.compress(b"\n".join([one, *[metrics] * 300, one])))
    assert "<b>2</b> spans" in other.content.decode() and "not read" not in other.content.decode()
    mixed = upload(client, gzip.compress(b"\n".join([one, line] * 150)))
    assert "<b>150</b> spans" in mixed.content.decode() and "not read" not in mixed.content.decode()


def test_millions_of_empty_lines_are_not_read(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MOST_EMPTY", 1_000)
    one = orjson.dumps(as_json(traces(span({"order.id": "4711"}))))
    page = upload(client, gzip.compress(one + b"\n" * 3_000_000 + one))
    assert (
        "<b>1</b> spans" in page.content.decode()
        and "More than 1,000 of its lines are empty" in page.content.decode()
    )


def test_a_document_of_many_lines_is_one(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_FOREIGN", 100)
    spans = [span({"order.id": str(n)}) for n in range(50)]
    text = json.dumps(as_json(traces(*spans)), indent=2).encode()
    assert text.count(b"\n") > 500
    assert "<b>50</b> spans" in upload(client, text).content.decode()
    monkeypatch.setattr(reading, "MOST_WHOLE", 100)
    refused = upload(client, text)
    assert (
        refused.status_code == 400 and "one JSON document of more than 100 lines" in refused.content.decode()
    )


def test_many_small_gzip_members_are_read_at_once(client: Client) -> None:
    body = orjson.dumps(as_json(traces(span({"order.id": "4711"}))))
    packed = b"".join(gzip.compress(body[at : at + 1]) for at in range(len(body)))
    empty = gzip.compress(b"") * 20_000
    page = upload(client, empty + packed + empty)
    assert page.status_code == 200 and "<b>1</b> spans" in page.content.decode()
