"""Which flows a look sees: each once in a lap, the newest again and again."""

import psycopg
import pytest

from tests.watching import HOUR, MINUTE, NOW, flow, id_of
from tracing.watch.detectors import bad_ends, walking
from tracing.watch.detectors.walking import heard

MINUTE_NOW = NOW // MINUTE


@pytest.fixture(autouse=True)
def short_walks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "RECENT", walking.RECENT._replace(flows=3))
    monkeypatch.setattr(walking, "DAY", walking.DAY._replace(flows=1))


def test_laps(worker: psycopg.Connection) -> None:
    names = {id_of(key): key for key in "abcdefg"}
    for age, key in enumerate("abcde"):
        flow(worker, key, activity=MINUTE_NOW - age)
    flow(worker, "f", activity=MINUTE_NOW - 20)
    flow(worker, "g", activity=MINUTE_NOW - 1_500)
    looks = ["".join(names[one] for one in heard(worker, "conflict", NOW)) for _ in range(7)]
    # With one of the day at each look: a, b, c, d, e, f, none, and anew.
    assert looks == ["abc", "deb", "abc", "de", "abce", "def", "abc"]
    assert [names[one] for one in heard(worker, "another", NOW)] == list("abc")


def test_a_flow_that_moves_is_newest_again(worker: psycopg.Connection) -> None:
    for key in "abcd":
        flow(worker, key, activity=MINUTE_NOW - ord(key) + ord("a"))
    assert id_of("d") not in heard(worker, "conflict", NOW)
    worker.execute("UPDATE flow SET activity = %s WHERE flow_id = %s", (MINUTE_NOW + 1, id_of("d")))
    heard(worker, "conflict", NOW)
    assert id_of("d") in heard(worker, "conflict", NOW)


def test_clocks_far_ahead_hold_up_no_recent_walk(worker: psycopg.Connection) -> None:
    for key in range(6):
        flow(worker, str(key), activity=MINUTE_NOW + 1_000_000 + key)
    flow(worker, "now", activity=MINUTE_NOW)
    assert heard(worker, "conflict", NOW) == [id_of("now"), id_of("5")]


def test_a_bad_end_behind_newer_flows_is_seen(worker: psycopg.Connection) -> None:
    for key in range(4):
        flow(worker, str(key), activity=MINUTE_NOW)
    flow(worker, "task", activity=MINUTE_NOW - 5)
    worker.execute(
        "INSERT INTO expectation (flow_id, kind, type, environment, verdict, evidence, step, system, verdict_since_ns)"
        " VALUES (%s, 2, 'task', '', 'ended', '{\"end\": \"bad\"}', 'failed', 'worker', %s)",
        (id_of("task"), NOW - HOUR),
    )
    assert [len(bad_ends.find(worker, NOW, ())) for _ in range(2)] == [0, 1]
