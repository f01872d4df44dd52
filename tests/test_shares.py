"""Links and copies as pages: made, opened, revoked, over; and a copy that outlives the records it was taken of."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode, urlsplit

import psycopg
import pytest
from django.conf import settings
from django.test import Client

from tests.builders import T1, Service, batch, trace_id
from tests.judged import judge, order_id, problem
from tests.test_flow_page import order_4711
from timeline import cardshelf, drawncard, freshness, sharing
from timeline.freshness import Moments
from timeline.layout.card import Card
from timeline.views import shared, shares
from tracing import retention
from tracing.clock import now_ns
from tracing.lengths import DAY_NS
from tracing.records import Span
from tracing.shares import Share, Snapshot
from tracing.snapshots import belonging, keeping, staging
from tracing.storing import Store

FLOW = "/flow/entity/order/4711"
CHARGE = order_4711()[1].span_id.hex()
GONE = "There is nothing at this address"


@pytest.fixture(autouse=True)
def order(store: Store) -> None:
    store.put(batch(*order_4711()))
    judge()
    problem([order_id()])


def share(client: Client, of: str = FLOW, **said: str) -> str:
    """The path of a new link."""
    told = {
        "of": of,
        "audience": "anyone",
        "shows": "frozen",
        "detail": "values",
        "until": "30",
        "name": "Ann",
    }
    made = client.post("/share", told | said, follow=True)
    assert made.status_code == 200, made.content[:2000]
    found = re.search(rb'id="address" value="([^"]+)"', made.content)
    assert found
    return urlsplit(found[1].decode()).path


def told(client: Client, path: str) -> dict[str, Any]:
    response = client.get(path, {"format": "json", "expand": "all"})
    assert response.status_code == 200, response.content
    answer: dict[str, Any] = json.loads(response.content)
    return answer


def drop_days(worker: psycopg.Connection, at: Callable[[int], None]) -> None:
    at(now_ns() + 500 * DAY_NS)
    worker.execute("UPDATE day SET last_received_ns = 0")
    assert retention.drop_old(worker, 14, 1_000)


@pytest.mark.parametrize("shows", ["frozen", "live"])
def test_a_link_shows_the_view_that_was_shared(client: Client, shows: str) -> None:
    path = share(client, f"{FLOW}?only=errors", shows=shows)
    page = client.get(path).content.decode()
    assert "order 4711" in page and "Ann" in page and ("Frozen" in page) == (shows == "frozen")
    # With its day: on a copy today is always the day it was taken.
    assert bool(re.search(r"<b>Frozen</b> <time[^>]*>\d{4}-\d\d-\d\d ", page)) == (shows == "frozen")
    assert "charge card" in page and "validate" not in page
    rows = told(client, f"{path}?part=1")["rows"]
    assert rows == told(client, FLOW)["rows"]


@pytest.mark.parametrize("shows", ["frozen", "live"])
def test_a_shared_record_is_that_record_and_nothing_of_its_trace(client: Client, shows: str) -> None:
    path = share(client, f"/record/{T1.hex()}/{CHARGE}", shows=shows)
    page = client.get(path).content.decode()
    assert "CardDeclined" in page and "issuer said no" in page
    told = json.loads(client.get(f"{path}?format=json").content)
    assert (told["span_id"], told["name"]) == (CHARGE, "charge card")
    [snapshot] = Snapshot.objects.all() if shows == "frozen" else [None]
    assert snapshot is None or snapshot.records == 1
    hidden = client.get(share(client, f"/record/{T1.hex()}/{CHARGE}", shows=shows, detail="names")).content
    assert b"charge card" in hidden and b"issuer said no" not in hidden
    card = client.get(f"{path}/card.png")
    assert card.status_code == 200 and card.content.startswith(b"\x89PNG")
    assert 'content="charge card: error · took' in page and "issuer said no" not in page.partition("<body")[0]


@pytest.mark.parametrize("shows", ["frozen", "live"])
def test_a_log_is_shared_alone_too(client: Client, shows: str) -> None:
    rows = told(client, FLOW)["rows"]
    [log] = [row["id"].removeprefix("l-") for row in rows if row["name"] == "still waiting"]
    page = client.get(share(client, f"/record/log/{log}", shows=shows)).content.decode()
    assert "still waiting" in page and "charge card" not in page
    tags = " ".join(re.findall(r'<meta [^>]*content="([^"]*)"', page))
    assert "still waiting" not in tags and "a log of wms: WARN" in tags


def test_a_record_that_is_open_in_a_flow_is_shared_with_it(client: Client) -> None:
    path = share(client, f"{FLOW}?record=s-{T1.hex()}-{CHARGE}")
    page = client.get(path).content.decode()
    assert 'class="rec"' in page and "CardDeclined" in page
    # Closed, it stays closed.
    [close] = re.findall(r'class="shut" href="([^"]+)"', page)
    assert 'class="rec"' not in client.get(close.replace("&amp;", "&")).content.decode()


def test_a_frozen_link_opens_with_every_row_when_its_days_are_gone(
    client: Client, worker: psycopg.Connection, at: Callable[[int], None]
) -> None:
    path = share(client, until="")
    rows = told(client, path)["rows"]
    assert len(rows) > 15
    drop_days(worker, at)
    for stage_id in [row[0] for row in worker.execute("SELECT stage_id FROM stage.staged").fetchall()]:
        staging.clear(worker, stage_id)
    assert told(client, path)["rows"] == rows
    # Of the live one its summary is left, and it names what was kept.
    assert told(client, FLOW)["flow"]["retained"] == "summary"


def test_a_pin_is_a_copy_that_the_page_offers(client: Client) -> None:
    pinned = client.post("/pin", {"of": FLOW, "until": "90", "name": "Ann", "reason": "incident 7"})
    assert pinned.status_code == 302
    assert pinned["location"].startswith(f"{FLOW}?frozen=")
    frozen = client.get(pinned["location"]).content.decode()
    assert "Frozen" in frozen and "incident 7" in frozen and 'name="do"' not in frozen
    page = client.get(FLOW).content.decode()
    assert pinned["location"] in page
    assert client.post(pinned["location"], {"do": "note", "text": "x", "name": "Ann"}).status_code == 400


def test_a_copy_stands_in_for_a_flow_that_is_gone_altogether(
    client: Client, worker: psycopg.Connection
) -> None:
    where = client.post("/pin", {"of": FLOW, "name": "Ann"})["location"]
    worker.execute("DELETE FROM flow")
    response = client.get(FLOW)
    assert (response.status_code, response["location"]) == (302, where)
    assert "charge card" in client.get(where).content.decode()


@pytest.mark.parametrize("shows", ["frozen", "live"])
def test_without_values(client: Client, shows: str) -> None:
    path = share(client, shows=shows, detail="names")
    for query in (
        "",
        "?format=json&expand=all",
        "?format=txt",
        f"?record=s-{T1.hex()}-{CHARGE}",
    ):
        text = client.get(path + query).content.decode()
        assert "charge card" in text
        assert "issuer said no" not in text and "p-9" not in text and "card declined" not in text


@pytest.mark.parametrize("shows", ["frozen", "live"])
def test_a_problem_and_a_comparison_are_shared_too(client: Client, shows: str) -> None:
    wait = b"problem 1234".hex()
    page = client.get(share(client, f"/problems/{wait}", shows=shows)).content.decode()
    assert "22 orders wait for shipment.created from wms" in page and "order 4711" in page
    assert "Acknowledge" not in page
    both = urlencode({"a": FLOW, "b": f"/flow/request/trace/{T1.hex()}"})
    path = share(client, f"/compare?{both}", shows=shows)
    assert (
        "side by side" in client.get(path).content.decode()
        or "steps differ" in client.get(path).content.decode()
    )
    # Whatever else is asked for, it stays the comparison that was shared.
    assert client.get(f"{path}?a=/flow/entity/order/9&b={FLOW}").content == client.get(path).content


def test_a_live_link_follows_and_says_when_to_look_again(client: Client, store: Store) -> None:
    path = share(client, shows="live")
    first = json.loads(client.get(f"{path}?pulse=1").content)["pulse"]
    assert f'data-pulse="{first}"' in client.get(path).content.decode()
    more = order_4711()[0]
    store.put(batch(type(more)(**{**_fields(more), "span_id": b"laterone", "digest": b"l" * 16})))
    assert json.loads(client.get(f"{path}?pulse=1").content)["pulse"] != first
    assert told(client, path)["flow"]["spans"] == told(client, FLOW)["flow"]["spans"]


def test_a_large_live_link_is_laid_out_anew_every_few_seconds(
    client: Client, store: Store, worker: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freshness, "LARGE_FROM", 5)
    monkeypatch.setattr(shared, "MOMENTS", Moments())
    path = share(client, shows="live")
    first = json.loads(client.get(f"{path}?pulse=1").content)["pulse"]
    for number in range(3):
        more = Service("shop").span(f"more {number}", 5_000 + number, 5, attributes={"order.id": "4711"})
        store.put(batch(more))
        page = client.get(path).content.decode()
        # The page does not ask for what it would not be shown.
        assert "more" not in page and f'data-pulse="{first}"' in page
        assert json.loads(client.get(f"{path}?pulse=1").content)["pulse"] == first
    assert worker.execute("SELECT count(*) FROM stage.staged").fetchone() == (1,)
    monkeypatch.setattr(shared, "MOMENTS", Moments())  # later
    assert "more 2" in client.get(path).content.decode()


def test_a_live_link_to_a_record_follows_it(client: Client, store: Store) -> None:
    path = share(client, f"/record/{T1.hex()}/{CHARGE}", shows="live")
    assert "more of it" not in client.get(path).content.decode()
    charge = order_4711()[1]
    assert isinstance(charge, Span)
    store.put(batch(replace(charge, name="more of it", end_ns=charge.end_ns + 1, digest=b"l" * 16)))
    assert "more of it" in client.get(path).content.decode()


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__slots__}


def test_revoked_expired_forged_and_truncated_are_one_answer(
    client: Client, at: Callable[[int], None]
) -> None:
    revoked, expired = share(client), share(client, until="1")
    client.post(f"/settings/shares/{Share.objects.get(token=revoked[3:]).pk}/revoke")
    begins = now_ns()
    at(begins)
    assert client.get(expired).status_code == 200
    at(begins + 2 * DAY_NS)
    answers = [
        client.get(path) for path in (revoked, expired, "/s/" + "x" * 43, expired[:-3], "/s/%00", "/s/ü")
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert GONE in answers[0].content.decode()
    assert len({answer.content for answer in answers}) == 1


def test_a_link_is_counted_and_not_to_be_indexed(client: Client) -> None:
    path = share(client)
    response = client.get(path)
    assert response["X-Robots-Tag"] == "noindex, nofollow"
    assert response["Referrer-Policy"] == "no-referrer"
    client.get(path)
    [one] = json.loads(client.get("/settings/shares?format=json").content)["shares"]
    assert (one["openings"], one["open"], one["by"]) == (1, True, "Ann")
    assert one["opened"] is not None


def test_where_there_is_no_room_the_page_says_so_and_offers_live(client: Client, settings: Any) -> None:
    settings.SNAPSHOT_BYTES = 100
    said = {
        "of": FLOW,
        "audience": "anyone",
        "shows": "frozen",
        "detail": "values",
        "until": "1",
        "name": "Ann",
    }
    response = client.post("/share", said)
    assert response.status_code == 409
    assert "no room" in response.content.decode() and "live" in response.content.decode()
    assert client.post("/share", said | {"shows": "live"}).status_code == 302
    assert Share.objects.count() == 1


def test_a_copy_behind_a_link_goes_with_the_link_alone(client: Client) -> None:
    path = share(client)
    assert client.post(f"/settings/copies/{Snapshot.objects.get().pk}/delete").status_code == 404
    assert client.get(path).status_code == 200


def test_what_people_keep_pushes_out_what_problems_pinned(
    client: Client, worker: psycopg.Connection, settings: Any
) -> None:
    client.post("/pin", {"of": FLOW, "name": "Ann"})
    size = Snapshot.objects.get().size
    Snapshot.objects.update(role="first", pinned=False)
    settings.SNAPSHOT_BYTES = size + size // 2
    client.post("/pin", {"of": FLOW, "name": "Ann"})
    assert [(one.role, one.pinned) for one in Snapshot.objects.all()] == [("", True)]
    assert keeping.usage(worker).of_problems == 0


def test_a_copy_goes_with_the_last_link_it_was_behind(
    client: Client, worker: psycopg.Connection, at: Callable[[int], None]
) -> None:
    begins = now_ns()
    at(begins)
    path = share(client, until="7")
    client.post("/pin", {"of": FLOW, "name": "Ann", "until": "1"})
    assert keeping.drop_over(worker) == 0
    at(begins + 2 * DAY_NS)
    assert keeping.drop_over(worker) == 1  # the pin
    assert client.get(path).status_code == 200
    client.post(f"/settings/shares/{Share.objects.get().pk}/revoke")
    assert keeping.drop_over(worker) == 1
    assert worker.execute("SELECT count(*) FROM tracing_snapshotpart").fetchone() == (0,)


@pytest.mark.parametrize(
    "of",
    [
        "",
        "/",
        "//evil.example/flow/entity/order/4711",
        "https://evil.example/",
        "/flows",
        "/settings/",
        "/compare",
        "/\t/[x",
        "/\n/evil.example/flow/entity/order/4711",
        "x" * 5_000,
    ],
)
def test_only_views_can_be_shared(client: Client, of: str) -> None:
    for made in ("/share", "/pin"):
        assert client.get(made, {"of": of}).status_code == client.post(made, {"of": of}).status_code == 400


def test_what_is_not_known_cannot_be_shared(client: Client) -> None:
    assert client.get("/share", {"of": "/flow/entity/order/nope"}).status_code == 404
    assert client.get("/share", {"of": f"/problems/{'0' * 24}"}).status_code == 404
    assert client.get(f"{FLOW}?frozen=77").status_code == 404
    assert client.get(f"{FLOW}?frozen=x").status_code == 400
    assert client.get("/flow/%00/x/%00").status_code == 404
    assert client.get(f"/flow/entity/order/%00{'k' * 9_000}?frozen=1").status_code == 404


@pytest.mark.parametrize("shows", ["frozen", "live"])
def test_what_is_too_large_to_copy_is_not_shared(
    client: Client, monkeypatch: pytest.MonkeyPatch, store: Store, shows: str
) -> None:
    path = share(client, shows="live")
    monkeypatch.setattr(belonging, "MOST_RECORDS", 3)
    said = {"of": FLOW, "audience": "anyone", "shows": shows, "detail": "values", "until": "1", "name": "Ann"}
    response = client.post("/share", said)
    assert response.status_code == 409
    assert "records are more than the 3" in response.content.decode()
    assert client.get(path).status_code == 200  # laid out when it was made
    store.put(batch(Service("shop").span("more of it", 5_000_000, 5, attributes={"order.id": "4711"})))
    assert client.get(path).status_code == 404  # it grew since


def test_a_public_link_unfurls_as_the_answer(client: Client) -> None:
    path = share(client)
    page = client.get(path).content.decode()
    assert 'property="og:title" content="order 4711: ' in page
    [picture] = re.findall(r'property="og:image" content="([^"]+)"', page)
    assert picture.endswith(f"{path}/card.png") and picture.startswith("http")
    card = client.get(urlsplit(picture).path)
    assert card["Content-Type"] == "image/png" and card.content.startswith(b"\x89PNG")
    assert client.get(urlsplit(picture).path, headers={"If-None-Match": card["ETag"]}).status_code == 304
    client.post(f"/settings/shares/{Share.objects.get().pk}/revoke")
    assert client.get(urlsplit(picture).path).status_code == 404


def test_a_link_for_people_unfurls_as_the_product_alone(client: Client) -> None:
    path = share(client, audience="people")
    page = client.get(path).content.decode()
    assert 'property="og:title" content="Threadline"' in page and "og:image" not in page
    assert client.get(f"{path}/card.png").status_code == 404


@pytest.mark.parametrize("shows", ["frozen", "live"])
def test_problems_and_comparisons_have_a_card(client: Client, shows: str) -> None:
    both = urlencode({"a": FLOW, "b": f"/flow/request/trace/{T1.hex()}"})
    for of in (f"/problems/{b'problem 1234'.hex()}", f"/compare?{both}"):
        card = client.get(share(client, of, shows=shows) + "/card.png")
        assert card.status_code == 200 and card.content.startswith(b"\x89PNG")


def test_the_card_of_one_key_in_two_environments_is_of_both(client: Client, store: Store) -> None:
    for environment in ("production", "staging"):
        shop = Service("shop", environment)
        told = {"order.id": "77", "order.state": f"s-{environment}"}
        store.put(batch(shop.span("place", 0, 5, trace=trace_id(environment), attributes=told)))
    both = urlencode({"a": "/flow/entity/order/77", "b": "/flow/entity/order/77?env=staging"})
    page = client.get(share(client, f"/compare?{both}")).content.decode()
    [text] = re.findall(r'property="og:description" content="([^"]+)"', page)
    assert "s-production" in text and "s-staging" in text


def test_the_settings_count_the_links_that_are_open(client: Client, at: Callable[[int], None]) -> None:
    share(client)
    share(client, shows="live", until="7")
    assert "2 open links" in client.get("/settings/").content.decode()
    client.post(f"/settings/shares/{Share.objects.order_by('pk')[0].pk}/revoke")
    assert "1 open link." in client.get("/settings/").content.decode()
    at(now_ns() + 8 * DAY_NS)
    assert "0 open links" in client.get("/settings/").content.decode()


@pytest.mark.parametrize("shows", ["frozen", "live"])
def test_the_card_of_a_new_link_is_there_before_it_is_asked_for(
    client: Client, monkeypatch: pytest.MonkeyPatch, at: Callable[[int], None], shows: str
) -> None:
    drawn: list[Card] = []

    def draw(card: Card) -> bytes:
        drawn.append(card)
        return drawncard.drawn(card)

    monkeypatch.setattr(cardshelf, "drawn", draw)
    monkeypatch.setattr(cardshelf, "_SHELF", cardshelf.Shelf(10**6))
    at(now_ns())  # a card is of its minute
    path = share(client, FLOW, shows=shows)
    [card] = drawn
    assert card.title == "order 4711"
    assert client.get(f"{path}/card.png").status_code == 200 and len(drawn) == 1


def test_what_can_be_taken_back_is_listed_however_much_came_since(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "MOST", 2)
    path = share(client, until="")
    client.post("/pin", {"of": FLOW, "name": "Ann", "reason": "incident 7", "until": "90"})
    problems_own = {
        "subject": "flow",
        "title": "order 9",
        "path": "/x",
        "role": "first",
        "problem_id": b"1" * 12,
    }
    for number in range(3):
        over = {"token": f"t{number}", "digest": bytes([number]), "title": f"over {number}", "revoked_ns": 1}
        Share.objects.create(subject="flow", path="/x", audience="anyone", created_ns=now_ns(), **over)
        Snapshot.objects.create(taken_ns=now_ns(), reason=f"problem {number}", **problems_own)
    page = client.get("/settings/shares").content.decode()
    told = json.loads(client.get("/settings/shares?format=json").content)
    assert path in page and "incident 7" in page
    assert [one["open"] for one in told["shares"]] == [True, False, False]
    assert "incident 7" in [one["reason"] for one in told["copies"]]
    for text in (page, str(told)):
        assert "over 0" not in text and "over 1" in text and "problem 0" not in text and "problem 2" in text
    assert page.count("the latest 2") == 2
    assert told["usage"]["count"] == Snapshot.objects.count()


def test_options_of_the_database_hold_for_links_too(
    clean_store: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = settings.DATABASES["default"]
    monkeypatch.setitem(database, "OPTIONS", database["OPTIONS"] | {"options": "-c application_name=ours"})
    with sharing.connect() as session:
        asked = "SELECT current_setting('application_name'), current_setting('lock_timeout')"
        assert session.execute(asked).fetchone() == ("ours", f"{sharing.LONGEST_WAIT_S}s")
