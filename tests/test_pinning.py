"""Problems keep frozen copies of their first, worst and latest flow, once each and anew when it is another."""

from collections.abc import Callable

import psycopg
import pytest
from django.test import Client

from tests import wrongs
from tests.builders import batch
from tracing import retention
from tracing.clock import now_ns
from tracing.lengths import DAY_NS, HOUR_NS, MINUTE_NS
from tracing.shares import Snapshot
from tracing.storing import Store
from tracing.watch.pinning import AT_ONCE, Pinning

pytestmark = pytest.mark.usefixtures("clean_store")
QUOTA = 10**8


def pinning(quota: int = QUOTA) -> Pinning:
    return Pinning("production", quota, 400)


@pytest.fixture
def wait(store: Store, at: Callable[[int], None]) -> bytes:
    """Three orders wait, one after the other for a shorter time."""
    now = now_ns()
    at(now)
    store.put(batch(*(wrongs.order(key, "paid") for key in ("1", "2", "3"))))
    problem = wrongs.problem("wait", opened_ns=now - 3 * HOUR_NS, first_ns=now - 3 * HOUR_NS)
    for place, key in enumerate(("1", "2", "3")):
        wrongs.affected(problem, wrongs.flow_of(key), now - (3 - place) * HOUR_NS)
    return problem


def roles() -> dict[str, str]:
    return {role: one.title for one in Snapshot.objects.all() for role in one.roles}


def test_first_worst_and_latest(wait: bytes, worker: psycopg.Connection, client: Client) -> None:
    pinning().work(worker)
    assert roles() == {"first": "order 1", "worst": "order 1", "latest": "order 3"}
    assert not pinning().work(worker)
    assert sorted(one.role for one in Snapshot.objects.all()) == ["first worst", "latest"]
    one = Snapshot.objects.get(role="first worst")
    assert "as its first and worst flow" in client.get(f"{one.path}?frozen={one.pk}").content.decode()
    assert "first and worst of" in client.get("/settings/shares").content.decode()
    one = Snapshot.objects.get(role="latest")
    page = client.get(f"{one.path}?frozen={one.pk}").content.decode()
    assert "Frozen" in page and "order 3" in page
    assert f"{one.path}?frozen={one.pk}" in client.get(f"/problems/{wait.hex()}").content.decode()


def test_another_latest_takes_its_place_after_a_while(
    wait: bytes, worker: psycopg.Connection, store: Store, at: Callable[[int], None]
) -> None:
    pins = pinning()
    pins.work(worker)
    now = now_ns()
    store.put(batch(wrongs.order("4", "paid")))
    wrongs.affected(wait, wrongs.flow_of("4"), now)
    pins.work(worker)
    assert roles()["latest"] == "order 3"
    at(now + 31 * MINUTE_NS)
    pins.work(worker)
    assert roles() == {"first": "order 1", "worst": "order 1", "latest": "order 4"}


def test_what_retention_left_takes_no_copys_place(
    wait: bytes, worker: psycopg.Connection, at: Callable[[int], None]
) -> None:
    pinning().work(worker)
    before = {one.role: (one.pk, one.records) for one in Snapshot.objects.all()}
    assert all(records > 0 for _, records in before.values())
    at(now_ns() + 20 * DAY_NS)
    retention.drop_old(worker, 14, 400, 14)
    assert worker.execute("SELECT count(*) FROM span").fetchone() == (0,)
    worker.execute("UPDATE problem SET state = 'resolved', resolved_ns = %s", (now_ns() - HOUR_NS,))
    pins = pinning()
    assert not pins.work(worker) and not pins.work(worker)
    assert {one.role: (one.pk, one.records) for one in Snapshot.objects.all()} == before


def test_the_last_copy_is_taken_once_it_is_resolved(
    wait: bytes, worker: psycopg.Connection, at: Callable[[int], None]
) -> None:
    pinning().work(worker)
    before = {one.pk for one in Snapshot.objects.all()}
    at(now_ns() + 2 * HOUR_NS)
    worker.execute("UPDATE problem SET state = 'resolved', resolved_ns = %s", (now_ns() - HOUR_NS,))
    pinning().work(worker)
    assert Snapshot.objects.count() == 2 and not before & {one.pk for one in Snapshot.objects.all()}


def test_who_is_the_latest_no_more_stays_the_first(
    store: Store, worker: psycopg.Connection, at: Callable[[int], None]
) -> None:
    now = now_ns()
    at(now)
    store.put(batch(wrongs.order("1", "paid"), wrongs.order("2", "paid")))
    problem = wrongs.problem("wait", opened_ns=now - 3 * HOUR_NS, first_ns=now - 3 * HOUR_NS)
    wrongs.affected(problem, wrongs.flow_of("1"), now - 3 * HOUR_NS)
    pins = pinning()
    pins.work(worker)
    (only,) = Snapshot.objects.all()
    assert only.role == "first worst latest"
    wrongs.affected(problem, wrongs.flow_of("2"), now)
    at(now + 31 * MINUTE_NS)
    pins.work(worker)
    assert roles() == {"first": "order 1", "worst": "order 1", "latest": "order 2"}
    assert Snapshot.objects.get(pk=only.pk).role == "first worst" and Snapshot.objects.count() == 2
    assert not pins.work(worker)


def test_a_young_problem_and_a_grey_one_keep_nothing(wait: bytes, worker: psycopg.Connection) -> None:
    worker.execute("UPDATE problem SET opened_ns = %s", (now_ns() - MINUTE_NS,))
    pinning().work(worker)
    worker.execute("UPDATE problem SET opened_ns = %s, severity = 1", (now_ns() - HOUR_NS,))
    pinning().work(worker)
    assert roles() == {}


def test_where_there_is_no_room_it_goes_on_without(wait: bytes, worker: psycopg.Connection) -> None:
    assert not pinning(quota=50).work(worker)
    assert roles() == {}


def test_what_is_being_thinned_is_copied_a_minute_later(
    wait: bytes, worker: psycopg.Connection, at: Callable[[int], None]
) -> None:
    """Meanwhile it does not stand in the way of others, however many there are."""
    for place in range(2 * AT_ONCE):
        other = wrongs.problem(f"other {place}", opened_ns=now_ns() - HOUR_NS)
        wrongs.affected(other, wrongs.flow_of("2"), now_ns() - HOUR_NS)
    pins = pinning()
    worker.execute("UPDATE day SET exchanging = true")
    assert [pins.work(worker) for _ in range(4)] == [True, True, False, False]
    assert roles() == {}
    worker.execute("UPDATE day SET exchanging = false")
    assert not pins.work(worker) and roles() == {}
    at(now_ns() + 2 * MINUTE_NS)
    while pins.work(worker):
        pass
    assert Snapshot.objects.count() == 2 + 2 * AT_ONCE
    assert {one.role for one in Snapshot.objects.filter(problem_id=wait)} == {"first worst", "latest"}


def test_it_takes_few_at_a_time(wait: bytes, worker: psycopg.Connection, store: Store) -> None:
    for place in range(AT_ONCE):
        other = wrongs.problem(f"other {place}", opened_ns=now_ns() - HOUR_NS)
        wrongs.affected(other, wrongs.flow_of("2"), now_ns() - HOUR_NS)
    pins = pinning()
    assert pins.work(worker)
    assert Snapshot.objects.count() == AT_ONCE
