"""How long a promised try is waited for, on real tables: as long as its like takes."""

from pathlib import Path

import psycopg
import pytest

from tests.builders import BASE_NS, Service, batch
from tests.watching import at
from tracing.mentions import flow_id
from tracing.storing import Store
from tracing.watch import courses, tries, volumes
from tracing.watch.tries import Operation

S = 1_000_000_000
MAIL = Service("mail-room")
RUN = Operation("mail-room", "production", "run/mail.reminder")


@pytest.fixture
def retried(store: Store) -> bytes:
    """A task whose first try took two seconds and promised another; its flow."""
    told = {
        "messaging.message.id": "t1", "celery.task_name": "mail.reminder", "celery.state": "RETRY",
        "celery.retry.reason": "Retry in 8s: Away()",
    }  # fmt: skip
    store.put(batch(MAIL.span("run/mail.reminder", 0, 2_000, kind=5, attributes=told)))
    return flow_id("workflow", "mail.reminder", "t1", "production")


def lasts(worker: psycopg.Connection, flow: bytes) -> float:
    (promise,) = courses.read(worker, [flow])[flow].stated
    assert (promise.what, promise.by_ns, promise.attempt) == ("retry", BASE_NS + 10 * S, 1)
    return promise.lasts_ns / S


def test_as_long_as_the_try_that_promised_it(worker: psycopg.Connection, retried: bytes) -> None:
    assert lasts(worker, retried) == 2


def test_as_long_as_nearly_all_runs_of_the_operation(
    store: Store, worker: psycopg.Connection, retried: bytes, tmp_path: Path
) -> None:
    store.put(batch(*(MAIL.span(RUN.name, 100 + n, 40_000, id=f"run {n}", kind=5) for n in range(300))))
    store.put(batch(MAIL.span(RUN.name, 100, 900_000, kind=5)))
    with at(tmp_path, BASE_NS + 60 * S):
        assert tries.usual(worker, [RUN]) == {}
        volumes.keep(worker)
        assert 30 * S < tries.usual(worker, [RUN])[RUN] < 60 * S
        assert 30 < lasts(worker, retried) < 60
        assert tries.usual(worker, [RUN._replace(environment="staging"), RUN._replace(name="")]) == {}


def test_what_was_begun_since_the_promise_is_known(
    store: Store, worker: psycopg.Connection, retried: bytes
) -> None:
    assert courses.read(worker, [retried])[retried].operations == ()
    told = {"messaging.message.id": "t1", "celery.task_name": "mail.reminder"}
    again = MAIL.span(RUN.name, 10_100, 50, kind=5, attributes=told | {"celery.retries": 1})
    published = MAIL.span("apply_async/mail.reminder", 1_900, 5, kind=4, attributes=told)
    store.put(batch(published, again))
    operations = courses.read(worker, [retried])[retried].operations
    assert operations == [(RUN.name, again.start_ns)]
