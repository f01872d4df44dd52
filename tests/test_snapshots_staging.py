"""A copy laid out on the stage shows the very same pages as the tables it was taken from, and nothing else."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import RequestFactory

from tests.at_once import at_once
from tests.builders import T1, T2, Service, batch, trace_id
from tests.judged import flip, judge, order_id, problem, promise
from tests.test_flow_page import order_4711
from timeline.answers import NotFound
from timeline.staged import is_staged, on_stage
from timeline.views import flow, record
from tracing import clock
from tracing.clock import now_ns
from tracing.lengths import HOUR_NS, MINUTE_NS
from tracing.migrations import _stage
from tracing.people import Closure, Note
from tracing.snapshots import copying, staging
from tracing.snapshots.later import Later
from tracing.storing import Store

OTHER = trace_id("other order")


@pytest.fixture
def order(store: Store) -> bytes:
    """Order 4711, stuck and noted; beside it another order, which once shares a trace with it."""
    second = Service("shop").span("POST /orders", 0, 5, trace=OTHER, attributes={"order.id": "9"})
    beside = Service("wms").span("reserve", 500, 5, id="nine", trace=T2, attributes={"order.id": "9"})
    store.put(batch(*order_4711(), second, beside))
    judge()
    flip(order_id(), 60_000, "moving", "stuck")
    problem([order_id()])
    promise(60_000)
    Note.objects.create(flow_id=order_id(), at_ns=now_ns(), text="asked the carrier", name="Ann")
    # Of a time before its last record, so that it is open all the same.
    Closure.objects.create(flow_id=order_id(), at_ns=1, reason="given up on", name="Ann")
    flip(order_id(), 61_000, "stuck", "ended", "Closed by Ann: given up on")
    return order_id()


def stage_of(worker: psycopg.Connection, subject: copying.Subject, *, values: bool = True) -> int:
    copy = copying.take(worker, subject, now_ns(), values=values)
    return staging.staged(worker, f"test {values}", lambda: copy.parts)


def page(query: str, kind: str = "entity", type: str = "order", key: str = "4711") -> bytes:
    response = flow.answer(RequestFactory().get(f"/s/x?{query}"), kind, type, key)
    assert isinstance(response, HttpResponse)
    assert response.status_code == 200
    return response.content


@contextmanager
def still() -> Iterator[None]:
    """The moment does not move while two pages are compared."""
    with clock.held(now_ns()):
        yield


@pytest.mark.parametrize(
    "query", ["format=json&expand=all", "format=json", "format=txt", "format=md", "find=card&format=json"]
)
def test_a_staged_flow_reads_as_the_live_one(order: bytes, worker: psycopg.Connection, query: str) -> None:
    with still():
        live = page(query)
        with on_stage(stage_of(worker, copying.Subject(flows=(order,)))):
            assert page(query) == live


def test_a_staged_request_reads_as_the_live_one(order: bytes, worker: psycopg.Connection) -> None:
    asked = ("format=json&expand=all", "request", "trace", T1.hex())
    with still():
        live = page(*asked)
        with on_stage(stage_of(worker, copying.Subject(requests=(T1,)))):
            assert page(*asked) == live


def test_what_was_not_copied_is_not_there(order: bytes, worker: psycopg.Connection) -> None:
    request = RequestFactory().get("/record/x")
    with on_stage(stage_of(worker, copying.Subject(flows=(order,)))):
        assert is_staged()
        with pytest.raises(NotFound):
            page("format=json", key="9")
        with pytest.raises(NotFound):
            # Of a trace that both orders share: the other's part.
            record.record(request, T2.hex(), b"nine".hex().rjust(16, "0"))
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM span WHERE trace_id = %s", [OTHER])
            assert cursor.fetchone() == (0,)
            cursor.execute("SELECT to_regclass('tracing_rule'), to_regclass('tracing_share')")
            assert cursor.fetchone() == (None, None)
    assert not is_staged()


def test_nothing_can_be_written_on_a_stage(order: bytes, worker: psycopg.Connection) -> None:
    with (
        pytest.raises(Exception, match="read-only"),
        on_stage(stage_of(worker, copying.Subject(flows=(order,)))),
    ):
        Note.objects.create(flow_id=order, at_ns=1, text="no")


def test_without_values_only_names_states_and_times_are_left(
    order: bytes, worker: psycopg.Connection
) -> None:
    with on_stage(stage_of(worker, copying.Subject(flows=(order,)), values=False)):
        told = page("format=json&expand=all") + page("format=txt")
        rows = b"".join(
            str(row).encode()
            for table in (
                "span",
                "log",
                "resource",
                "scope",
                "problem",
                "flip",
                "tracing_note",
                "tracing_closure",
            )
            for row in _rows(table)
        )
    assert b"charge card" in told and b"paid" in told and b"CardDeclined" in told
    for secret in (
        b"issuer said no",
        b"p-9",
        b"card declined",
        b"still waiting",
        b"asked the carrier",
        b"given up on",
    ):
        assert secret not in told + rows


def _rows(table: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT t::text FROM {table} t")
        return list(cursor.fetchall())


def test_a_frozen_moment_is_the_time_of_day(order: bytes, worker: psycopg.Connection) -> None:
    then = now_ns() - 5 * HOUR_NS
    with on_stage(stage_of(worker, copying.Subject(flows=(order,))), then):
        assert now_ns() == then
    assert now_ns() > then + HOUR_NS


def test_one_stage_serves_all_who_ask_for_it(order: bytes, worker: psycopg.Connection) -> None:
    first = stage_of(worker, copying.Subject(flows=(order,)))

    def never() -> list[copying.Part]:
        raise AssertionError("it is there")

    assert staging.staged(worker, "test True", never) == first


def test_of_all_who_ask_at_once_one_copies(order: bytes, conninfo: str) -> None:
    copied: list[int] = []
    found: list[int] = []

    def ask() -> None:
        with psycopg.connect(conninfo, autocommit=True) as session:

            def copy() -> list[copying.Part]:
                copied.append(1)
                time.sleep(0.3)  # the others have come by then
                return copying.take(session, copying.Subject(flows=(order,)), now_ns()).parts

            found.append(staging.staged(session, f"{staging.LIVE}7 now", copy))

    at_once(ask, ask, ask)
    assert len(copied) == 1 and len(found) == 3 and len(set(found)) == 1


def test_who_waits_for_long_is_asked_to_come_again(worker: psycopg.Connection, conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as session, psycopg.connect(conninfo) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s, hashtext('a file'))", (staging.LAYING_LOCK,))
        session.execute("SET lock_timeout = 50")
        with pytest.raises(Later, match="laid out for somebody else"):
            staging.staged(session, "a file", list)
        other.rollback()
        assert staging.staged(session, "a file", list)
        # Nobody who comes after a copy that failed waits for it.
        with pytest.raises(ZeroDivisionError):
            staging.staged(session, "another", lambda: [copying.Part("", (), bytes(1 // 0))])
        assert staging.staged(worker, "another", list)


def test_what_nobody_looks_at_is_cleared(
    order: bytes, worker: psycopg.Connection, at: Callable[[int], None]
) -> None:
    begins = now_ns()
    at(begins)
    kept = stage_of(worker, copying.Subject(flows=(order,)))
    copy = copying.take(worker, copying.Subject(flows=(order,)), begins)
    staging.staged(worker, f"{staging.LIVE}7 then", lambda: copy.parts)
    assert staging.evict(worker) == 0
    at(begins + 5 * MINUTE_NS)
    assert staging.evict(worker) == 1  # the live one
    assert staging.staged(worker, "test True", list) == kept
    at(begins + 3 * HOUR_NS)
    assert staging.evict(worker) == 1
    for table in _stage.TABLES:
        assert worker.execute(f"SELECT count(*) FROM stage.{table}_rows".encode()).fetchone() == (0,), table


def test_a_reader_keeps_its_stage_while_it_is_cleared(order: bytes, worker: psycopg.Connection) -> None:
    stage_id = stage_of(worker, copying.Subject(flows=(order,)))
    with still(), on_stage(stage_id):
        before = page("format=json")
        staging.clear(worker, stage_id)
        assert page("format=json") == before


@pytest.mark.parametrize("table", _stage.TABLES)
def test_the_stage_has_the_columns_of_the_tables(worker: psycopg.Connection, table: str) -> None:
    """A migration that changes a table calls `_stage.rebuild` for it."""
    question = (
        "SELECT array_agg((column_name, data_type)::text ORDER BY column_name) FROM information_schema.columns"
        " WHERE table_schema = %s AND table_name = %s"
    )
    live = worker.execute(question, ("public", table)).fetchone()
    assert live is not None and live[0]
    assert worker.execute(question, ("stage", table)).fetchone() == live


def test_every_table_that_is_copied_is_on_the_stage() -> None:
    assert set(copying.ROWS) | {"tracing_follow"} == set(_stage.TABLES)
