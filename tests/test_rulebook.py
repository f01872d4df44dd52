"""The rules in force, and the lock that keeps a storing transaction on one side of a change."""

import threading
import time

import psycopg

from tests import seeds, tables
from tests.builders import Service, batch
from tests.ruling import parcels
from tracing import rulebook, rules
from tracing.models import Rule
from tracing.storing import Store

SPAN = Service("shop").span("s", 0, 1, attributes={"parcel.no": "1"})


def test_the_seeded_rules_are_what_the_migration_says(worker: psycopg.Connection) -> None:
    loaded = rulebook.load(worker, "production")
    assert loaded.rules == seeds.rules()
    assert loaded.version == 1


def test_rules_that_are_off_are_not_loaded(worker: psycopg.Connection) -> None:
    order = Rule.objects.get(name="order")
    rules.switch(order, False)
    loaded = rulebook.load(worker, "production")
    assert order.pk not in {rule.rule_id for rule in loaded.rules}
    assert loaded.version == 2 == order.since_version


def test_a_store_takes_up_a_change_with_the_next_batch(store: Store, conninfo: str) -> None:
    store.put(batch(SPAN))
    rules.publish(parcels())
    store.put(batch(Service("shop").span("t", 0, 1, attributes={"parcel.no": "1"})))
    assert tables.flow(conninfo, "1", "parcel")["spans"] == 1
    assert tables.ask(conninfo, "SELECT name, rule_version FROM span ORDER BY name") == [("s", 1), ("t", 2)]


def test_whoever_waits_for_a_change_is_stamped_with_it(conninfo: str, worker: psycopg.Connection) -> None:
    """A batch that waits while a rule is published counts under it: nothing commits behind a job's cursor."""
    store = Store(conninfo, "production", writers=1)  # which has the old rules in hand
    store.put(batch(Service("shop").span("before", 0, 1)))
    with worker.transaction():
        worker.execute("SELECT pg_advisory_xact_lock(%s)", (rulebook.RULES_LOCK,))
        worker.execute("UPDATE installation SET rule_version = 7")
        sending = threading.Thread(target=store.put, args=(batch(SPAN),))
        sending.start()
        until = time.monotonic() + 5
        while not waiting(conninfo) and time.monotonic() < until:
            time.sleep(0.01)
        assert waiting(conninfo)
    sending.join(5)
    store.close()
    assert tables.one(conninfo, "SELECT rule_version FROM span WHERE name = 's'") == 7


def waiting(conninfo: str) -> bool:
    return bool(tables.ask(conninfo, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
