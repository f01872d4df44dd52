"""`/import` with *Only look at it*: the file's flows as pages, and not a row of them stored."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.test.utils import override_settings

from tests.builders import batch
from tests.tables import one
from tests.test_flow_page import order_4711
from tests.test_import_page import requests
from tracing import clock, senders
from tracing.clock import now_ns
from tracing.files import looking
from tracing.lengths import DAY_NS
from tracing.shares import Snapshot
from tracing.snapshots import keeping
from tracing.storing import Store

pytestmark = pytest.mark.usefixtures("clean_store")
FLOW = "/flow/entity/order/4711"
TABLES = ("span", "log", "flow", "request", "member", "resource", "told_exception", "tracing_sender", "tally")


def look(client: Client, content: bytes, name: str = "flow.json") -> Any:
    return client.post("/import", {"file": SimpleUploadedFile(name, content), "into": "look"})


def looked_at(client: Client, content: bytes) -> str:
    """The address of the page that shows the file."""
    page = look(client, content)
    assert page.status_code == 200, page.content
    found = re.search(r'href="(/import/look\?frozen=\d+)"', page.content.decode())
    assert found
    return found[1]


def rows(conninfo: str) -> list[int]:
    return [one(conninfo, f"SELECT count(*) FROM {table}") for table in TABLES]


def test_nothing_is_stored_and_its_flows_are_pages(client: Client, conninfo: str) -> None:
    senders.shared().flush()  # of what another test sent
    before = rows(conninfo)
    answer = look(client, requests()).content.decode()
    assert "<b>1</b> spans and <b>1</b> logs read, none of them stored, <b>1</b> refused" in answer
    assert "this is not JSON" in answer
    address = looked_at(client, requests())
    assert rows(conninfo) == before
    page = client.get(address).content.decode()
    assert "2 records, laid out" in page and "1 flow" in page and "1 request" in page
    [frozen] = parse_qs(urlsplit(address).query)["frozen"]
    assert f'href="{FLOW}?frozen={frozen}"' in page
    flow = client.get(f"{FLOW}?frozen={frozen}").content.decode()
    assert "From a file" in flow and "flow.json" in flow and address in flow and "Live page" not in flow
    told = client.get(f"{FLOW}?frozen={frozen}&format=json").json()["flow"]
    assert (told["spans"], told["logs"]) == (1, 1)
    assert client.get(FLOW).status_code == 404
    # The same for programs.
    told = client.get(f"{address}&format=json").json()
    assert told["file"] == "flow.json" and [flow["key"] for flow in told["flows"]] == ["4711"]
    assert told["flows"][0]["url"].endswith(f"?frozen={frozen}") and len(told["requests"]) == 1
    assert f"{FLOW}?frozen={frozen}" in client.get(f"{address}&format=txt").content.decode()


def test_what_is_downloaded_is_looked_at_as_it_was(client: Client, store: Store, conninfo: str) -> None:
    store.put(batch(*order_4711()))
    live = client.get(f"{FLOW}?format=json&expand=all").json()
    file = b"".join(client.get(f"{FLOW}?format=otlp"))
    before = rows(conninfo)
    address = looked_at(client, file)
    assert rows(conninfo) == before
    there = client.get(f"{FLOW}?{urlsplit(address).query}&format=json&expand=all").json()
    assert [row["name"] for row in there["rows"]] == [row["name"] for row in live["rows"]]
    # What shares its chapters is looked at there too.
    page = client.get(f"{FLOW}?{urlsplit(address).query}").content.decode()
    beside = re.findall(r'href="(/flow/[^"]+)" hx-boost="false">(?:parcel|payment|shipment) ', page)
    beside += re.findall(r'href="(/flow/request/[^"]+)"', page)
    assert len(beside) > 2 and all(urlsplit(address).query in one for one in beside)
    assert b"".join(client.get(f"{FLOW}?{urlsplit(address).query}&format=otlp")) == file


def test_it_is_over_by_itself_or_let_go(client: Client, worker: psycopg.Connection) -> None:
    first, second = looked_at(client, requests()), looked_at(client, requests())
    number = int(parse_qs(urlsplit(first).query)["frozen"][0])
    assert "flow.json" in client.get("/settings/shares").content.decode()
    assert client.post(f"/settings/copies/{number}/delete").status_code == 302
    assert client.get(first).status_code == 404 and client.get(second).status_code == 200
    with clock.held(now_ns() + DAY_NS + 1):
        keeping.drop_over(worker)
    assert client.get(second).status_code == 404
    assert Snapshot.objects.count() == 0


def test_forgetting_a_flow_takes_the_files_that_hold_it(client: Client, store: Store) -> None:
    store.put(batch(*order_4711()))
    address = looked_at(client, b"".join(client.get(f"{FLOW}?format=otlp")))
    call_command("forget", "order", "4711", "--yes", "--wait")
    assert client.get(address).status_code == 404


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (b"hello", 400, "neither OTLP JSON nor Jaeger JSON"),
        (b'{"resourceSpans":[]}', 400, "None of its records can be shown"),
        (b"", 400, "Choose a file"),
    ],
)
def test_what_cannot_be_shown_is_said(client: Client, content: bytes, status: int, said: str) -> None:
    page = look(client, content)
    assert page.status_code == status and said in page.content.decode()
    assert Snapshot.objects.count() == 0


def test_what_is_too_much_is_said(client: Client, monkeypatch: pytest.MonkeyPatch, conninfo: str) -> None:
    monkeypatch.setattr(looking, "MOST_RECORDS", 1)
    page = look(client, requests())
    assert page.status_code == 413 and "2 records are more than" in page.content.decode()
    monkeypatch.undo()
    with override_settings(SNAPSHOT_BYTES=100):
        page = look(client, requests())
    assert page.status_code == 409 and "There is no room" in page.content.decode()
    assert Snapshot.objects.count() == 0 and one(conninfo, "SELECT count(*) FROM span") == 0


@pytest.mark.parametrize("query", ["", "?frozen=99", "?frozen=x"])
def test_an_address_of_no_file(client: Client, query: str) -> None:
    assert client.get(f"/import/look{query}").status_code in (400, 404)


def test_a_copy_that_is_no_file_is_none(client: Client, store: Store) -> None:
    store.put(batch(*order_4711()))
    client.post("/pin", {"of": FLOW, "until": "30", "reason": "x", "name": "Ann"})
    assert client.get(f"/import/look?frozen={Snapshot.objects.get().pk}").status_code == 404
