"""What records say, found as text: in logs and spans, newest days first, under a time limit."""

import pytest
from django.test import Client

from tests.builders import Service, batch, event, trace_id
from timeline.queries import said
from timeline.queries.hits import Clock
from tracing.lengths import DAY_NS
from tracing.storing import Store

SHOP = Service("shop")
ORDER = {"order.id": "77"}
PATH = "/flow/entity/order/77"


@pytest.fixture
def lines(store: Store) -> None:
    failed = event("exception", 2, exception__type="Jam", exception__message="tray 2 is jammed")
    place = SHOP.span("POST /orders", 0, 9, attributes=ORDER)
    store.put(
        batch(
            place,
            SHOP.span(
                "print label", 1, 5, parent=place, status=2, message="printer on fire", events=[failed]
            ),
            SHOP.log("card declined by 100% of_banks", 3, span=place),
            SHOP.log({"note": "left at the neighbour's"}, 4, attributes=ORDER),
            SHOP.log("nobody's line", 5, trace=trace_id("other"), event_name="parcel.weighed"),
        )
    )


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("card declined", PATH),
        ("CARD DECLINED by 100% of_", PATH),
        ("left at the neighbour", PATH),
        ("printer on fire", PATH),
        ("tray 2 is jammed", PATH),
        ("print label", PATH),
        ("nobody's line", f"/flow/request/trace/{trace_id('other').hex()}"),
        ("parcel.weighed", f"/flow/request/trace/{trace_id('other').hex()}"),
        ("of%banks", ""),
        ("neighbours", ""),
    ],
)
def test_a_line_leads_to_its_flow(client: Client, lines: None, text: str, path: str) -> None:
    answer = client.get("/find", {"q": text})
    assert answer.headers.get("Location", "") == path
    if not path:
        assert f"“{text}” in what logs and spans say" in answer.content.decode()


def test_text_too_short_to_mean_anything_is_not_looked_for(client: Client, lines: None) -> None:
    assert "what logs and spans say" not in client.get("/find", {"q": "tra"}).content.decode()


def test_looking_ends_in_time_and_says_so(
    client: Client, lines: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(said, "TIME_LIMIT_S", 0.0)
    assert "back to part of the newest day" in client.get("/find", {"q": "card declined"}).content.decode()


def test_a_query_that_is_cancelled_leaves_the_connection_usable(clean_store: None) -> None:
    clock = Clock(0.05)
    with pytest.raises(TimeoutError):
        clock.run("SELECT pg_sleep(5)", [])
    assert Clock(1.0).run("SELECT 1", []) == [(1,)]


def test_more_matches_than_are_listed_are_told(
    client: Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(said, "ENOUGH", 3)
    store.put(batch(*(SHOP.log("parcel scanned", n, attributes={"order.id": f"s-{n}"}) for n in range(4))))
    assert client.get("/find?q=parcel scanned&format=json").json()["cut"]
    page = client.get("/find", {"q": "parcel scanned"}).content.decode()
    assert "At least 3 flows match" in page and "These are 3; more match, or may" in page
    assert (
        client.get("/find?q=parcel scanned&format=txt").content.decode().startswith("These are 3; more match")
    )
    monkeypatch.setattr(said, "ENOUGH", 9)
    assert not client.get("/find?q=parcel scanned&format=json").json()["cut"]
    assert "<h1>4 flows match</h1>" in client.get("/find", {"q": "parcel scanned"}).content.decode()


def test_matches_of_the_newest_day_stay_cut_when_older_ones_are_looked_through(
    client: Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(said, "ENOUGH", 5)
    now, day = 20_000 * DAY_NS, DAY_NS
    versions = [SHOP.span("ship parcel", 0, n + 1, id="same", start_ns=now) for n in range(6)]
    store.put(
        batch(*versions, SHOP.span("ship parcel", 0, 1, id="old", trace=trace_id("old"), start_ns=now - day))
    )
    assert client.get("/find?q=ship parcel&format=json").json()["cut"]


def test_more_keys_than_are_listed_are_told(
    client: Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("timeline.queries.find.MAX_FOUND", 3)
    store.put(batch(*(SHOP.log("x", n, attributes={"order.id": f"many-{n}"}) for n in range(4))))
    assert "At least 3 flows match" in client.get("/find", {"q": "many-"}).content.decode()
    assert "<h1>3 flows match</h1>" in client.get("/find", {"q": "many-0 many-1 many-2"}).content.decode()
