"""A file that is only looked at: laid out as the store would have it, and not a row of it stored."""

import psycopg

from tests.builders import T1, batch
from tests.test_flow_page import order_4711
from tests.test_snapshots_staging import page
from timeline.staged import on_stage
from tracing import clock
from tracing.clock import now_ns
from tracing.snapshots import staging, trying
from tracing.storing import Store


def test_it_is_laid_out_as_it_would_be_stored(
    store: Store, worker: psycopg.Connection, conninfo: str
) -> None:
    asked = ("format=json&expand=all", "request", "trace", T1.hex())
    with clock.held(now_ns()):
        copy = trying.lay_out(conninfo, [batch(*order_4711()[:3]), batch(*order_4711())], "production")
        stage_id = staging.staged(worker, "a file", lambda: copy.parts)
        assert worker.execute("SELECT count(*) FROM span").fetchone() == (0,)
        assert worker.execute("SELECT count(*) FROM flow").fetchone() == (0,)
        with on_stage(stage_id):
            order, request = page("format=json&expand=all"), page(*asked)
        # The same, stored as an import.
        importing = Store(conninfo, "production", 400, writers=1, live=False)
        importing.put(batch(*order_4711()[:3]))
        importing.put(batch(*order_4711()))
        importing.close()
        assert page("format=json&expand=all") == order
        assert page(*asked) == request


def test_what_is_stored_is_no_part_of_it(store: Store, worker: psycopg.Connection, conninfo: str) -> None:
    """The file holds an order that the store knows more of."""
    store.put(batch(*order_4711()))
    with clock.held(now_ns()):
        copy = trying.lay_out(conninfo, [batch(*order_4711()[:1])], "production")
        with on_stage(staging.staged(worker, "a file", lambda: copy.parts)):
            assert b'"spans":1,' in page("format=json").replace(b" ", b"")
