"""`/`: what needs a person and what is in motion, in every form, and each number a link to what it counts."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from django.test import Client

from tests import wrongs
from tests.builders import batch
from tests.wrongs import HOUR_NS, MINUTE_NS, SECOND_NS, order
from timeline.queries import backlog, motion
from tracing.clock import now_ns
from tracing.models import Sender
from tracing.storing import Store
from tracing.watch import backlogs


@pytest.fixture
def moving(store: Store) -> None:
    """Three orders of the last days, one with an error, and one that was last active before."""
    store.put(
        batch(
            order("o1", "paid"), order("o2", "paid", status=2), order("o3", "created", ago_s=7_200),
            order("o4", "created", ago_s=30 * 86_400, status=2),
        )
    )  # fmt: skip


@pytest.fixture
def stuck(store: Store) -> Iterator[bytes]:
    """Three orders that wait for a shipment, counted and judged; the problem's id."""
    made = wrongs.waiting_orders(store, 3)
    wrongs.counted("paid", 3, stuck=3, oldest_id=wrongs.flow_of("o2"), oldest_ns=now_ns() - 3 * HOUR_NS)
    wrongs.learned("paid", facts={"p99": 14 * MINUTE_NS})
    wrongs.judged()
    yield made


def told(client: Client) -> dict[str, Any]:
    answer: dict[str, Any] = client.get("/", {"format": "json"}).json()
    return answer


def page(client: Client) -> str:
    return client.get("/").content.decode()


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def lead(client: Client) -> str:
    found = re.search(r'<p class="lead">(.*?)</p>', page(client), re.DOTALL)
    assert found
    return words(found[1])


def test_flows_with_errors_stand_below(client: Client, moving: None) -> None:
    answer = told(client)
    # The fourth was last active before the days that are looked at.
    assert [flow["key"] for flow in answer["failing"]] == ["o2"]
    assert len(answer["failing_requests"]) == 1
    html = page(client)
    link = re.search(r'<a href="([^"]+)">1 flow</a> in 7 days', html)
    assert link
    listed = client.get(unescape(link[1]) + "&format=json").json()["flows"]
    assert [flow["key"] for flow in listed] == ["o2"]


def test_what_needs_a_person_comes_first(client: Client, stuck: bytes) -> None:
    answer = told(client)
    assert answer["headline"] == "1 problem needs a person" and answer["needing"] == 1
    assert [(one["id"], one["kind"], one["flows"]) for one in answer["problems"]] == [
        (stuck.hex(), "stuck", 3)
    ]
    html = page(client)
    assert "<h1>1 problem needs a person</h1>" in html
    assert "<title>(1) Now · Threadline</title>" in html and 'href="/mark.svg?n=1"' in html
    assert f'href="/problems/{stuck.hex()}"' in html and "97 % of 412 orders" in html
    assert lead(client).startswith("3 flows in motion · 3 stuck · ")


@pytest.mark.parametrize(
    ("changed", "shown"),
    [
        ({}, True),
        ({"severity": 2}, True),
        ({"severity": 1}, False),
        ({"state": "acknowledged"}, False),
        ({"state": "muted"}, False),
        ({"state": "forming"}, False),
        ({"state": "resolved"}, False),
        ({"cause": "silent"}, False),
        ({"cause": "over"}, True),  # its cause is resolved
        ({"cause": "nobody"}, True),
    ],
)
def test_only_what_needs_a_person(client: Client, moving: None, changed: dict[str, Any], shown: bool) -> None:
    wrongs.problem("silent", title="mailer is silent", kind="silent_service")
    wrongs.problem("over", state="resolved", resolved_ns=now_ns())
    here = wrongs.problem("asked", title="asked for", **changed)
    answer = told(client)
    assert (here.hex() in [one["id"] for one in answer["problems"]]) is shown
    assert answer["needing"] == len(answer["problems"]) == 1 + shown


def test_effects_are_folded_under_their_cause_however_deep(client: Client, moving: None) -> None:
    wrongs.problem("silent", title="mailer is silent", kind="silent_service", flows=0)
    wrongs.problem("first", cause="silent", title="112 invoices wait", flows=112)
    wrongs.problem("second", cause="first", title="3 parcels wait", flows=3, severity=2)
    answer = told(client)
    assert [one["title"] for one in answer["problems"]] == ["mailer is silent"]
    assert "2 problems follow from it: 115 flows behind it" in words(page(client))


def test_a_circle_of_causes_hides_nobody(client: Client, moving: None) -> None:
    wrongs.problem("one", cause="other")
    wrongs.problem("other", cause="one")
    assert told(client)["needing"] == 2


def test_flows_in_motion_with_their_usual_time(client: Client, stuck: bytes) -> None:
    wrongs.history("paid", [1] * 92 + [2, 2, 3, 3])
    wrongs.counted("created", 5, unknown=2)
    wrongs.learned("created", threshold_ns=None, level=None, passed=12)
    wrongs.counted("returned", 4)
    wrongs.learned("returned", threshold_ns=None, level=None, passed=29, facts={"plateau": 0.3})
    rows = {row["state"]: row for row in told(client)["motion"]}
    row = rows["paid"]
    assert (row["open"], row["late"], row["stuck"]) == (3, 0, 3)
    assert row["waiting_for"] == {"step": "shipment.created", "service": "wms"}
    assert row["usual"] == {"within": str(14 * MINUTE_NS), "level": "p99", "passed": 412, "needed": 29}
    assert row["oldest_url"].endswith("/flow/entity/order/o2") and now_ns() - int(row["oldest"]) > 2 * HOUR_NS
    assert rows["created"]["usual"]["within"] is None
    html = page(client)
    text = words(html)
    assert "< 14 m" in unescape(html) and "learning, 12 of 29" in text and "2 unknown" in text
    assert "no deadline: 30 % stay here" in text
    # An hour is as high as its highest quarter.
    assert html.count('class="spark"') == 1 and "at most 3" in html
    assert "3 unknown" not in lead(client) and "2 unknown: we were blind" in lead(client)


def test_numbers_lead_to_what_they_count(client: Client, stuck: bytes, store: Store) -> None:
    store.put(
        batch(order("n1", "created"), order("n2", "created"), order("n3", "created"), order("n4", "paid"))
    )
    for key, verdict, changed in (
        ("n1", "moving", {}), ("n2", "late", {}), ("n3", "late", {"quiet": True}), ("n4", "ended", {}),
    ):  # fmt: skip
        wrongs.expected(wrongs.flow_of(key), verdict, step="created" if key != "n4" else "paid", **changed)
    wrongs.counted("created", 3, late=1)
    html = page(client)
    links = re.findall(r'data-word="\w+"><a href="([^"]+)">([\d,]+)</a>', html)
    links += re.findall(r'<a href="([^"]+)">(\d+) flows</a>', html)
    assert [number for _, number in links] == ["3", "3", "3", "1", "3"]
    for link, number in links:
        listed = client.get(unescape(link).partition("#")[0] + "&format=json").json()["flows"]
        assert len(listed) == int(number), link


def test_flows_at_no_step_have_lists_too(client: Client, store: Store) -> None:
    store.put(batch(order("n1", "created"), order("n2", "created"), order("n3", "paid")))
    for key, verdict, step in (("n1", "moving", None), ("n2", "late", ""), ("n3", "moving", "paid")):
        wrongs.expected(wrongs.flow_of(key), verdict, step=step)
    wrongs.counted("", 2, late=1)
    html = page(client)
    links = re.findall(r'data-word="\w+"><a href="([^"]+)">([\d,]+)</a>', html)
    assert [number for _, number in links] == ["2", "1"]
    for (link, _), keys in zip(links, (["n1", "n2"], ["n2"]), strict=True):
        listed = client.get(unescape(link) + "&format=json").json()["flows"]
        assert sorted(flow["key"] for flow in listed) == keys
    assert "none yet" in client.get(unescape(links[0][0])).content.decode()
    # Where names with ids in them would make a row each, the rest are counted with those at no step.
    for number in range(backlogs.MOST_STEPS):
        wrongs.counted(f"step {number}", 1)
    assert "no step, or a rare one" in page(client)


def test_the_latest_with_errors_stand_first(client: Client, store: Store) -> None:
    """Within one minute too: a minute is all that the index of a list knows."""
    begun_s = now_ns() // SECOND_NS % 60 + 60
    agos = [begun_s - after for after in (1, 9, 3, 7, 5, 2, 8)]
    store.put(batch(*(order(f"e{place}", "paid", ago, 2) for place, ago in enumerate(agos))))
    answer = told(client)
    assert [flow["key"] for flow in answer["failing"]] == ["e1", "e6", "e3", "e4", "e2"]
    lasts = [int(flow["last"]) for flow in answer["failing_requests"]]
    assert lasts == sorted(lasts, reverse=True) and len(lasts) == 5
    assert lasts[0] == int(answer["failing"][0]["last"])


def test_types_with_many_steps_are_folded_and_said(client: Client, moving: None) -> None:
    for number in range(backlog.STEPS_A_TYPE + 3):
        wrongs.counted(f"step {number}", 10 - number)
    wrongs.counted("running", 1, type="sync/a", kind=2, late=1)
    answer = told(client)
    assert answer["complete"] is False and len(answer["motion"]) == backlog.STEPS_A_TYPE + 1
    # Where something is wrong stands first.
    assert answer["motion"][0]["type"] == "sync/a"
    html = page(client)
    assert (
        '<a href="/types/order">3 more steps of order</a>' in html and 'href="/types/-?type=sync%2Fa"' in html
    )


def test_another_environment_is_named_and_asked_for(client: Client, moving: None) -> None:
    wrongs.counted("paid", 2, environment="staging")
    html = page(client)
    assert '<span class="env">staging</span>' in html and "env=staging" in html


def test_why_it_is_quiet(client: Client, moving: None) -> None:
    wrongs.judged()
    wrongs.counted("paid", 412)
    Sender.objects.all().delete()
    assert "<h1>Nothing needs a person</h1>" in page(client)
    assert lead(client) == (
        "412 flows in motion · none is late · 1 type is still being learned · every sender heard within 10 min"
    )
    assert "<title>Now · Threadline</title>" in page(client)


def test_what_is_known_but_set_aside_is_counted(client: Client, moving: None) -> None:
    wrongs.judged()
    wrongs.problem("a", state="acknowledged", flows=2)
    wrongs.problem("m", state="muted", flows=1)
    wrongs.problem("g", severity=1, flows=9)
    wrongs.counted("paid", 40, late=4, stuck=1, paused=3)
    told_in = lead(client)
    assert "1 acknowledged problem · 1 muted problem · 1 grey problem" in told_in
    assert "4 late · 1 stuck" in told_in and "3 paused for maintenance" in told_in
    assert "none is late" not in told_in
    answer = told(client)
    assert (answer["late"], answer["stuck"]) == (4, 1) and "4 late" in answer["quiet_because"]
    html = page(client)
    assert '<a href="/problems?grey=only">1 grey problem</a>' in html
    for word in ("late", "stuck"):
        assert f'<a href="/flows?verdict={word}&amp;grey=no">' in html


@pytest.mark.parametrize("ago_s", [None, 61])
def test_nobody_judges_is_said_and_what_to_do(client: Client, moving: None, ago_s: float | None) -> None:
    if ago_s is not None:
        wrongs.judged(ago_s)
    html = page(client)
    assert "<h1>Nobody judges</h1>" in html and "<code>manage.py watch</code>" in html
    assert "none is late" not in lead(client)
    assert told(client)["headline"] == "Nobody judges"


def test_judged_a_moment_ago(client: Client, moving: None) -> None:
    wrongs.judged(4)
    wrongs.judged(400, duty="problems")
    assert "judged 4 s ago" in page(client)
    judged = told(client)["judged"]
    assert 4 <= (now_ns() - int(judged)) / 1e9 < 30


def test_services_gone_quiet_name_their_problem(client: Client, moving: None) -> None:
    Sender.objects.create(
        service="mailer", environment="production", transport="grpc", first_seen_ns=1,
        last_seen_ns=now_ns() - HOUR_NS,
    )  # fmt: skip
    silent = wrongs.problem("silent", kind="silent_service", system="mailer", type="", step="")
    html = page(client)
    assert f'<a href="/problems/{silent.hex()}" class="mark warn">○ silent service</a>' in html
    assert [one["service"] for one in told(client)["quiet"]] == ["mailer"]
    assert "1 sender went quiet" in lead(client)


@pytest.mark.parametrize("form", ["txt", "md"])
def test_text(client: Client, stuck: bytes, form: str) -> None:
    wrongs.problem("effect", cause="wait", title="9 parcels wait " + "very long " * 20, flows=9)
    text = client.get("/", {"format": form}).content.decode()
    assert text.startswith("1 problem needs a person (judged ")
    assert "3 orders wait for shipment.created from wms" in text and "3 stuck" in text
    assert "follows from it" in text
    if form == "txt":
        assert max(map(len, text.splitlines())) <= 100


def test_the_part_for_htmx_carries_title_icon_and_count(client: Client, stuck: bytes) -> None:
    part = client.get("/", headers={"HX-Request": "true"})
    html = part.content.decode()
    assert "<html" not in html and "<title>(1) Now · Threadline</title>" in html
    assert html.count('hx-swap-oob="true"') == 2 and "HX-Request" in part.headers["Vary"]


def test_every_page_carries_the_count(client: Client, stuck: bytes) -> None:
    for path in ("/flows", "/settings/", "/problems", "/nowhere"):
        assert 'class="count">1<span class="sr"> needs a person</span>' in client.get(path).content.decode()


@pytest.mark.parametrize(
    ("asked", "drawn"), [("3", ">3<"), ("9", ">9<"), ("10", ">9+<"), ("0", ""), ("x", ""), ("²", "")]
)
def test_the_icon_draws_the_count(client: Client, clean_store: None, asked: str, drawn: str) -> None:
    answer = client.get("/mark.svg", {"n": asked})
    assert answer["Content-Type"] == "image/svg+xml" and "max-age" in answer["Cache-Control"]
    svg = answer.content.decode()
    assert ("<text" in svg) is bool(drawn) and drawn in svg


def test_queries_do_not_grow_with_what_is_wrong(
    client: Client,
    stuck: bytes,
    store: Store,
    django_assert_num_queries: Any,
    django_assert_max_num_queries: Any,
) -> None:
    with django_assert_max_num_queries(20) as few:
        client.get("/")
    for number in range(30):
        wrongs.problem(f"more {number}", cause="wait" if number % 2 else None)
        wrongs.counted(f"more {number}", 3, type=f"type {number % 5}")
    with django_assert_num_queries(len(few)):
        client.get("/")


def test_days_looked_at_for_errors_are_said(client: Client, moving: None) -> None:
    assert f"in {motion.DAYS} days" in words(page(client))


def test_the_empty_page_names_the_readers_own_address(client: Client, clean_store: None) -> None:
    page = client.get("/").content.decode()
    assert "http://testserver:4318/v1/traces" in page
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://testserver:4318" in page
