"""`/settings/storage`: what each day takes, what is left of it, and when it goes."""

import time

import psycopg
import pytest
from django.test import Client

from tests.builders import batch
from tests.test_thinning import DAY, TODAY, flow_id, received, thin, told, wrong
from timeline.queries.hits import date_of
from timeline.queries.storage import Day, Stored
from timeline.storage import Rules, lines, sized
from tracing import partitions
from tracing.clock import now_ns
from tracing.lengths import DAY_NS
from tracing.storing import Store

RULES = Rules(14, 90, None)


@pytest.mark.parametrize(
    ("day", "thins", "drops", "state"),
    [
        (Day(100, 100 * DAY_NS), 115, 191, "whole"),
        (Day(100, 120 * DAY_NS), 135, 211, "whole"),  # it was sent late
        (Day(100, 100 * DAY_NS, thinned_ns=1), None, 191, "thinned"),
        (Day(100, 100 * DAY_NS, thinned_ns=1, early=True), None, 191, "thinned early"),
        (Day(100, 100 * DAY_NS, dropped_ns=1, early=True), None, None, "dropped early"),
    ],
)
def test_when_a_day_goes(day: Day, thins: int | None, drops: int | None, state: str) -> None:
    (line,) = lines(Stored([day], Day(None), 0), RULES)
    assert (line.thins_on, line.drops_on, line.state) == (thins, drops, state)


def test_with_one_speed_a_day_is_dropped_at_once() -> None:
    (line,) = lines(Stored([Day(100, 100 * DAY_NS)], Day(None), 0), Rules(14, 14, None))
    assert (line.thins_on, line.drops_on) == (None, 115)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (42_000_000, "42 MB"), (9_940_000_000, "9.9 GB"),
        (1_234_000_000_000, "1.2 TB"),
    ],
)  # fmt: skip
def test_sizes(size: int, words: str) -> None:
    assert sized(size) == words


@pytest.fixture
def thinned(store: Store, worker: psycopg.Connection, conninfo: str) -> None:
    worker.execute("UPDATE day SET last_received_ns = %s", (now_ns(),))
    store.put(batch(*told("late"), *told("well"), *told("well", TODAY)))
    received(worker, DAY, 20)
    wrong(worker, flow_id(conninfo, "late"))
    thin(worker)
    worker.execute("SELECT pg_stat_force_next_flush()")


def test_the_page(thinned: None, client: Client) -> None:
    answer = client.get("/settings/storage")
    assert answer.status_code == 200
    page = " ".join(answer.content.decode().split())
    for name in ("RETENTION_DAYS", "PROBLEM_RETENTION_DAYS", "FLOW_RETENTION_DAYS", "RETENTION_GB"):
        assert f"THREADLINE_{name}" in page
    assert "the exceptions, 50 %" in page and date_of(DAY) in page
    assert f'/flows?kind=request&amp;from={DAY * DAY_NS}&amp;to={(DAY + 1) * DAY_NS - 1}"' in page
    assert (
        client.get(f"/flows?kind=request&from={DAY * DAY_NS}&to={(DAY + 1) * DAY_NS - 1}").status_code == 200
    )
    assert "Storage</a>" in client.get("/settings/").content.decode()


def test_for_programs_and_terminals(thinned: None, client: Client) -> None:
    answer = client.get("/settings/storage?format=json").json()
    days = {day["day"]: day for day in answer["days"]}
    old, today = days[date_of(DAY)], days[date_of(TODAY)]
    assert (old["state"], old["whole_records"], old["kept_records"]) == ("thinned", 10, 5)
    assert old["thins_on"] is None and old["size"] > 0
    assert (today["state"], today["thins_on"], today["drops_on"]) == (
        "whole",
        date_of(TODAY + 15),
        date_of(TODAY + 91),
    )
    assert answer["size"] == sum(day["size"] for day in answer["days"]) + answer["undated"]["size"]
    assert answer["settings"]["THREADLINE_RETENTION_GB"] is None
    for form in ("txt", "md"):
        text = client.get(f"/settings/storage?format={form}").content.decode()
        assert f"{date_of(DAY)} · thinned" in text and "50 % kept" in text
    assert client.get("/settings/storage?format=xml").status_code == 400


def test_what_the_limit_took_is_said(
    thinned: None, client: Client, worker: psycopg.Connection, settings: object
) -> None:
    settings.RETENTION_GB = 1  # type: ignore[attr-defined]
    worker.execute("UPDATE day SET early = true WHERE day = %s", (DAY,))
    page = client.get("/settings/storage").content.decode()
    assert "took 1 day before its time" in page and "% of 1.0 GB" in page


def test_hundreds_of_days_are_a_moment(
    thinned: None, client: Client, worker: psycopg.Connection, django_assert_max_num_queries: object
) -> None:
    with django_assert_max_num_queries(8):  # type: ignore[operator]
        partitions.ensure(worker, range(TODAY - 60, TODAY - 40), 3_000)
        began = time.monotonic()
        assert client.get("/settings/storage").status_code == 200
    assert time.monotonic() - began < 5
