"""What a flow's page makes of tries, waits and clocks: from stored records to JSON, page and text."""

import re
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from tests.builders import T1, T2, T3, Service, batch
from tracing.storing import Store

PATH = "/flow/entity/order/1"
ORDER = {"order.id": "1"}
shop, billing = Service("shop"), Service("billing")
Json = dict[str, Any]


def told(client: Client, query: str = "", path: str = PATH) -> Json:
    answer = client.get(f"{path}?format=json{query}")
    assert answer.status_code == 200
    found: Json = answer.json()
    return found


def page(client: Client, query: str = "", path: str = PATH) -> str:
    answer = client.get(f"{path}?{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def outline(rows: list[Json]) -> list[str]:
    return ["  " * row["depth"] + f"{row['row']} {row['name']}" for row in rows]


@pytest.fixture
def tries(store: Store) -> None:
    """One call tried three times: twice refused, then well."""
    root = shop.span("checkout", 0, 900, attributes=ORDER)
    calls = [
        shop.span("charge", 10 + 200 * n, 100, parent=root, id=f"c{n}", kind=3, status=2 if n < 2 else 0)
        for n in range(3)
    ]
    store.put(batch(root, *calls))


@pytest.mark.usefixtures("tries")
def test_tries_are_one_row_that_unfolds(client: Client) -> None:
    found = told(client)
    assert outline(found["rows"]) == ["chapter checkout", "  span checkout", "    retries charge"]
    group = found["rows"][2]
    assert (group["count"], group["status"], group["text"]) == (3, "ok", "2 failed, then ok; 200 ms waiting")
    assert (group["marks"], group["why"]) == (["inferred"], "failed, then the same again")
    opened = told(client, f"&open={group['id']}")["rows"]
    assert [row["attempt"] for row in opened[3:]] == [1, 2, 3]
    assert [row["row"] for row in told(client, "&expand=all")["rows"]] == ["chapter", *["span"] * 4]
    text = client.get(PATH, {"format": "txt"}).content.decode()
    assert "↻ 3 charge" in text


def test_a_try_of_celery_says_why_there_is_another(client: Client, store: Store) -> None:
    """Its status says nothing, and it is the only one so far."""
    reason = {"celery.retry.reason": "Retry in 4s: Away('refused')", "celery.state": "RETRY"}
    store.put(batch(shop.span("run/mail", 0, 10, kind=5, attributes=ORDER | reason)))
    (row,) = (row for row in told(client)["rows"] if row["row"] == "span")
    assert (row["text"], row["status"], row["attempt"]) == ("Retry in 4s: Away('refused')", "unset", None)
    assert "Retry in 4s: Away(&#x27;refused&#x27;)" in page(client)


@pytest.mark.usefixtures("tries")
def test_the_page_draws_each_try_and_its_fold_is_a_link(client: Client) -> None:
    text = page(client)
    assert "↻ 3" in text and "2 failed, then ok; 200 ms waiting · inferred" in text
    tries = re.findall(r'<rect class="(failed|work)" x="[^"]+" width="[^"]+" y="8"', text.split("↻ 3", 1)[1])
    assert tries == ["failed", "failed", "work"]
    assert 'aria-label="unfold charge"' in text


@pytest.mark.usefixtures("tries")
def test_the_critical_path_goes_through_a_folded_group(client: Client) -> None:
    assert 'class="crit"' not in page(client)
    text = page(client, "critical=1")
    assert text.count('class="crit"') == 4 + 3  # the root around and between its tries, and each of them
    assert "itself" in text
    assert "of it itself 600 ms" in text


def test_clocks_that_differ_are_corrected_and_said(client: Client, store: Store) -> None:
    call = shop.span("charge", 0, 100, kind=3, attributes=ORDER)
    serve = billing.span("POST /charge", 2_410, 80, parent=call, kind=2)
    store.put(batch(call, serve))
    found = told(client)
    assert found["trust"]["skew"] == [{"service": "billing", "shift": "-2400000000"}]
    raw = int(found["rows"][1]["start"])
    assert int(found["rows"][2]["start"]) - raw == 2_410_000_000  # told as it was sent
    text = page(client)
    assert "billing clock 2.4 s ahead, corrected" in text and "drawn 2.4 s earlier" in text
    raw_page = page(client, "clock=raw")
    assert "ahead, not corrected" in raw_page and "drawn 2.4 s earlier" not in raw_page
    assert "billing clock 2.4 s ahead" in client.get(PATH, {"format": "txt"}).content.decode()


def test_a_message_shows_how_long_it_waited(client: Client, store: Store) -> None:
    send = shop.span("orders publish", 0, 5, kind=4, id="send", attributes=ORDER)
    take = billing.span("orders process", 3_000, 10, trace=T2, kind=5, attributes=ORDER, links=[send])
    store.put(batch(send, take))
    rows = {row["name"]: row for row in told(client)["rows"] if row["row"] == "span"}
    assert rows["orders process"]["waited"] == "2995000000"
    assert rows["orders publish"]["waited"] is None
    assert 'class="wait"' in page(client)
    assert "after 2.99 s" in page(client, "critical=1") or "after 3 s" in page(client, "critical=1")


def test_a_request_takes_what_its_root_takes(client: Client, store: Store) -> None:
    """A clock ahead may not make the request longer than its root says."""
    call = shop.span("charge", 0, 100, kind=3)
    store.put(batch(call, billing.span("POST /charge", 2_410, 80, parent=call, kind=2)))
    assert "charge at shop took 100 ms" in page(client, path=f"/flow/request/trace/{T1.hex()}")


def begun(name: str, start: float, real: Any, parent: Any = None) -> Any:
    """What says that a span has begun: with an id of its own, below the span it speaks of."""
    under = parent.span_id.hex() if parent else "0" * 16
    told = {"logfire.span_type": "pending_span", "logfire.pending_parent_id": under}
    return shop.span(name, start, 0, id=f"begun {name}", parent=real.span_id, attributes={**ORDER, **told})


def test_work_that_goes_on_is_open_and_holds_what_is_below_it(client: Client, store: Store) -> None:
    root = shop.span("checkout", 0, 900, id="root", attributes=ORDER)
    pack = shop.span("pack", 100, 300, id="pack", parent=root, attributes=ORDER)
    label = shop.span("label", 120, 20, parent=pack, attributes=ORDER)
    store.put(batch(begun("checkout", 0, root), begun("pack", 100, pack, root), label))
    found = told(client)["rows"]
    assert outline(found[1:]) == ["  span checkout", "    span pack", "      span label"]
    assert [(row["status"], row["duration"]) for row in found[1:]] == [
        ("open", None),
        ("open", None),
        ("unset", "20000000"),
    ]
    text = page(client)
    assert text.count('class="goes"') == 2 and "so far" in text
    assert "open" in client.get(PATH, {"format": "txt"}).content.decode()
    store.put(batch(root, pack))
    found = told(client)["rows"]
    assert outline(found[1:]) == ["  span checkout", "    span pack", "      span label"]
    assert [row["duration"] for row in found[1:]] == ["900000000", "300000000", "20000000"]
    assert found[1]["marks"] == ["told again as it began"]
    assert 'class="goes"' not in page(client)
    assert len(told(client, "&expand=all")["rows"]) == 6  # nothing received is left out


def test_the_same_whatever_came_first(client: Client, store: Store) -> None:
    root = shop.span("checkout", 0, 900, id="root", attributes=ORDER)
    store.put(batch(root))
    store.put(batch(begun("checkout", 0, root)))
    assert outline(told(client)["rows"]) == ["chapter checkout", "  span checkout"]
    assert told(client)["trust"]["orphans"] == 0


def test_a_request_is_drawn_beside_the_one_it_links_with(client: Client, store: Store) -> None:
    send = shop.span("orders publish", 0, 5, kind=4, id="send")
    take = billing.span("orders process", 3_000, 10, trace=T2, kind=5, links=[send], status=2)
    store.put(batch(send, take))
    own, other = f"/flow/request/trace/{T1.hex()}", f"/flow/request/trace/{T2.hex()}"
    text = page(client, path=own)
    assert ">→ orders process</a>" in text and "draw it beside" in text
    assert ">← orders publish</a>" in page(client, path=other)
    both = told(client, f"&open=c-{T2.hex()}", own)
    assert outline(both["rows"]) == [
        "chapter orders publish",
        "  span orders publish",
        "chapter orders process",
        "  span orders process",
    ]
    assert both["rows"][2]["text"] == "← linked from orders publish"
    assert both["rows"][3]["waited"] == "2995000000"
    assert both["flow"]["errors"] == 0  # what is drawn beside it is not its own
    text = page(client, f"open=c-{T2.hex()}", own)
    assert "drawn beside ✕" in text and "First error" not in text and "took 5 ms" in text
    assert f"record=s-{T2.hex()}" in text  # the link leads to the row below
    assert outline(told(client, f"&open=c-{'0' * 32}", own)["rows"]) == ["span orders publish"]


def test_links_of_an_order_go_to_its_chapters(client: Client, store: Store) -> None:
    send = shop.span("orders publish", 0, 5, kind=4, id="send", attributes=ORDER)
    sends = [shop.span(f"publish {n}", n, 5, kind=4, id=f"x{n}", trace=T3) for n in range(5)]
    take = billing.span("orders process", 3_000, 10, trace=T2, kind=5, attributes=ORDER, links=[send, *sends])
    store.put(batch(send, take, *sends))
    text = page(client)
    assert f"record=s-{T1.hex()}" in text
    assert "and 4 more" in text
    assert f'/flow/request/trace/{T3.hex()}"' in text


@pytest.mark.parametrize(
    ("state", "flags", "said"),
    [
        ("ot=th:c", 0, "its sender samples, 1 in 4 is kept"),
        ("vendor=1,ot=rv:abc;th:8", 0, "its sender samples, 1 in 2 is kept"),
        ("", 2, "its sender samples"),
        ("ot=th:zz", 0, "its sender samples"),
        ("ot=th:0", 1, ""),
        ("", 0, ""),
    ],
)
def test_a_sampled_request_says_so(client: Client, store: Store, state: str, flags: int, said: str) -> None:
    root = replace(shop.span("checkout", 0, 900), trace_state=state, flags=flags)
    store.put(batch(root))
    text = client.get(f"/flow/request/trace/{T1.hex()}", {"format": "txt"}).content.decode()
    assert ("sampl" in text) == bool(said)
    assert said in text
    assert said in page(client, path=f"/flow/request/trace/{T1.hex()}")
