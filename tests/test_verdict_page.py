"""The verdict on a flow's page and in lists: what JSON, page and text say of an order that waits."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import html5lib
import pytest
from django.test import Client

from tests import judged
from tests.builders import BASE_NS, MS, Service, batch, trace_id
from tests.test_flow_page import FLOW_KEYS, get
from timeline.queries.standing import read_standing
from tracing.people import TypeSettings
from tracing.storing import Store

ORDER = "/flow/entity/order/4711"
WHY = (
    "Waiting for `shipment.created` from `wms` for 3 h 12 m. 97 % of 412 orders passed this point within 14 min."
    " Learned. No blind period."
)


@pytest.fixture(autouse=True)
def order(store: Store, tmp_path: Path) -> Iterator[None]:
    store.put(batch(*judged.waiting_order()))
    with judged.at(tmp_path):
        yield


def page(client: Client, path: str = ORDER, **query: str) -> str:
    answer = client.get(path, query)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_until_somebody_judged_it_there_is_no_verdict(client: Client) -> None:
    flow = get(client, ORDER)["flow"]
    assert (flow["verdict"], flow["waiting_for"], flow["problems"]) == (None, None, [])
    assert "■ has errors" in page(client)


def test_the_contract_of_a_stuck_order(client: Client) -> None:
    one = judged.judge()
    judged.problem([one])
    flow = get(client, ORDER)["flow"]
    assert set(flow) == FLOW_KEYS
    assert flow["verdict"] == "stuck"
    assert flow["waiting_for"] == {
        "step": "shipment.created",
        "service": "wms",
        "since": str(BASE_NS),
        "expected_at": str(BASE_NS + 14 * judged.MINUTE * MS),
        "source": "learned",
        "why": WHY,
    }
    (trouble,) = flow["problems"]
    assert (trouble["kind"], trouble["title"]) == ("stuck", "22 orders wait for shipment.created from wms")
    assert trouble["url"].endswith(f"/problems/{b'problem 1234'.hex()}")
    assert get(client, "/flows")["flows"][0]["waiting_for"] == flow["waiting_for"]


def test_the_answer_comes_first(client: Client) -> None:
    judged.judge()
    text = page(client)
    assert "<title>order 4711: stuck · paid · Threadline</title>" in text
    assert '<span class="verdict stuck">■ stuck 3 h 12 m</span>' in text
    code = "<code>"
    assert f"waiting for {code}shipment.created</code> from {code}wms</code> since" in text
    assert "97 % of 412 orders passed this point within 14 min. Learned. No blind period." in text
    assert "First error: billing, charge card: declined" in text
    html5lib.HTMLParser(strict=True).parse(client.get(ORDER).content)


@pytest.mark.parametrize(
    ("changed", "mark", "says"),
    [
        ({"verdict": "moving", "since_ns": judged.NOW - MS * judged.MINUTE}, "▸ moving", "waiting for"),
        ({"verdict": "due"}, "◔ due 3 h 12 m", "97 % of 412 orders"),
        ({"verdict": "late"}, "◧ late 3 h 12 m", "97 % of 412 orders"),
        (
            {"verdict": "unknown", "evidence": {"blind": [[BASE_NS, BASE_NS + MS * judged.HOUR]]}},
            "? unknown 3 h 12 m",
            "We were blind from",
        ),
        (
            {
                "verdict": "paused",
                "evidence": {"paused_by": {"service": "wms", "reason": "new shelves", "name": "Ann"}},
            },
            "‖ paused",
            "Maintenance of wms: new shelves (Ann)",
        ),
        (
            {"verdict": "ended", "source": None, "reason": None, "evidence": {}, "step": "delivered"},
            "✓ ended",
            "Ended: delivered.",
        ),
        (
            {"verdict": "ended", "evidence": {"closed": {"reason": "fixed outside", "name": "Ann"}}},
            "✓ ended",
            "Closed by Ann: fixed outside.",
        ),
        (
            {"verdict": "stuck", "source": "stated", "reason": "retry", "evidence": {"operation": "charge"}},
            "■ stuck 3 h 12 m",
            "abandoned retry of <code>charge</code>",
        ),
        (
            {"verdict": "moving", "source": None, "evidence": {"learning": {"seen": 12, "needed": 29}}},
            "▸ moving",
            "No deadline yet: learning, 12 of 29.",
        ),
    ],
)
def test_each_verdict_has_its_shape_and_its_words(
    client: Client, changed: dict[str, Any], mark: str, says: str
) -> None:
    judged.judge(**changed)
    text = page(client)
    assert f'<span class="verdict {changed["verdict"]}">{mark}</span>' in text
    assert says in text
    assert mark in page(client, "/flows")


@pytest.mark.parametrize(
    ("state", "end", "says"),
    [
        ("failed", "bad", "Ended badly: failed."),
        ("payment_failed", "learned", "Ended badly: payment_failed, where most stay."),
    ],
)
def test_a_bad_end_is_told_from_a_good_one(client: Client, state: str, end: str, says: str) -> None:
    one = judged.judge(verdict="ended", source=None, reason=None, step=state, evidence={"end": end})
    text = page(client)
    assert '<span class="verdict error">✕ ended badly</span>' in text
    assert says in text
    assert '<span class="mark error">✕ ended badly</span>' in page(client, "/flows")
    assert "✕ ended badly" in page(client, f"{ORDER}?format=txt").splitlines()[0]
    judged.flip(one, judged.MINUTE, "late", "ended", says)
    assert re.search('class="tag err[^"]*"[^>]*>✕<', page(client))
    found = judged.problem([one])
    told = page(client, f"/problems/{found.hex()}")
    assert '<span class="mark error">✕ ended badly</span>' in told
    assert "ended badly" in page(client, f"/problems/{found.hex()}?format=txt")


@pytest.mark.parametrize(
    ("verdict", "heard_ms", "waits"),
    [("moving", -1, False), ("due", -1, False), ("late", -1, True), ("stuck", -1, True), ("moving", 0, True)],
)
def test_who_moved_on_since_it_was_judged_waits_no_more_for_what_came(
    client: Client, verdict: str, heard_ms: int, waits: bool
) -> None:
    last_ns = int(get(client, ORDER)["flow"]["last"])
    judged.judge(verdict=verdict, heard_ns=last_ns + heard_ms * MS)
    answer = get(client, ORDER)
    assert answer["flow"]["verdict"] == verdict
    assert (answer["flow"]["waiting_for"] is not None) == waits
    assert (answer["rows"][-1]["row"] == "ghost") == waits
    for path in (ORDER, f"{ORDER}?format=txt"):  # a list tells only who is due or worse
        assert ("waiting for" in page(client, path) or "Waiting for" in page(client, path)) == waits
    assert verdict in page(client, "/flows")


def test_an_ended_flow_waits_for_nothing(client: Client) -> None:
    judged.judge(verdict="ended")
    assert get(client, ORDER)["flow"]["waiting_for"] is None
    assert get(client, ORDER)["rows"][-1]["row"] != "ghost"


@pytest.mark.parametrize("form", ["txt", "md"])
def test_text_says_it_in_its_first_line(client: Client, form: str) -> None:
    judged.problem([judged.judge()])
    text = client.get(ORDER, {"format": form}).content.decode()
    told = "■ stuck 3 h 12 m · paid · waiting for shipment.created from wms"
    assert told in text
    assert ("stuck: [22 orders wait" if form == "md" else "stuck: 22 orders wait") in text
    if form == "txt":
        assert text.splitlines()[0] == f"order 4711 (production)  {told}"
        assert all(len(line) <= 100 for line in text.splitlines() if "://" not in line)


@pytest.mark.parametrize("form", ["txt", "md"])
def test_lists_say_it_too(client: Client, form: str) -> None:
    judged.judge()
    text = client.get("/flows", {"format": form}).content.decode()
    assert "stuck 3 h 12 m" in text and "waiting for shipment.created from wms" in text
    assert all(len(line) <= 100 for line in text.splitlines() if form == "txt")


def test_a_list_of_judged_flows_costs_as_few_questions_as_one(
    client: Client, store: Store, django_assert_max_num_queries: Any
) -> None:
    judged.judge()
    with django_assert_max_num_queries(30) as few:
        client.get("/flows")
    most = len(few)
    shop = Service("shop")
    store.put(
        batch(
            *(
                shop.span("x", n, 1, trace=trace_id(f"{n}"), attributes={"order.id": f"n{n}"})
                for n in range(20)
            )
        )
    )
    for flow in get(client, "/flows")["flows"]:
        if flow["key"] != "4711":
            judged.judge(read_id(flow["key"]))
    with django_assert_max_num_queries(most):
        assert client.get("/flows").content.decode().count("■ stuck") == 21


def read_id(key: str) -> bytes:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT flow_id FROM flow WHERE key = %s", [key])
        return bytes(cursor.fetchone()[0])


def test_a_row_without_a_verdict_is_not_read() -> None:
    one = judged.judge(verdict=None)
    assert read_standing([one]) == {}


def test_lanes_say_how_long_and_who_is_behind(client: Client) -> None:
    judged.judge()
    TypeSettings.objects.create(
        type="order", phases=[["created"], ["paid"]], transitions=[["created", "reserved"]]
    )
    text = page(client)
    assert "! 3 h behind shop" in text
    assert "<title>paid 3 h 11 m until now, illegal</title>" in text
    assert 'class="oddly"' in text
    (moved,) = [row for row in get(client, ORDER)["rows"] if row["marks"] == ["illegal"]]
    assert (moved["row"], moved["name"], moved["text"]) == ("transition", "paid", "created → paid")


def test_states_that_may_not_be_at_once_are_a_conflict(client: Client) -> None:
    TypeSettings.objects.create(type="order", incompatible=[["paid", "created"]])
    text = page(client)
    assert "◆ shop says paid" in text and "◆ wms says created" in text


def test_what_nobody_was_there_to_receive_is_hatched(client: Client) -> None:
    judged.judge()
    assert "url(#blind)" not in page(client)
    for process, since, until in ((b"p", -10, 60), (b"q", 80, 192)):
        judged.insert(
            "awake", process=process * 8,
            since_ns=BASE_NS + since * judged.MINUTE * MS, until_ns=BASE_NS + until * judged.MINUTE * MS,
        )  # fmt: skip
    text = page(client)
    assert text.count('fill="url(#blind)"') == 1
    assert '<span class="doubt">blind 12:06:40 – 12:26:40, 20 m</span>' in text


def test_a_silence_of_all_senders_is_hatched_whatever_the_judge_said_of_the_flow(client: Client) -> None:
    judged.judge()
    from_ns, until_ns = (BASE_NS + minutes * judged.MINUTE * MS for minutes in (60, 80))
    judged.insert("blind", from_ns=from_ns, until_ns=until_ns)
    assert page(client).count('fill="url(#blind)"') == 1


def test_requests_are_not_judged(client: Client) -> None:
    flow = get(client, "/flows", kind="request")["flows"][0]
    assert (flow["verdict"], flow["waiting_for"]) == (None, None)
