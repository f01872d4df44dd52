"""A forgotten flow's name goes out of texts beside others who write: they wait for what is changed, and lose nothing."""

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests import tables
from tests.watching import insert
from tracing import scrubbing
from tracing.models import Note
from tracing.striking import Target

OTHER = b"\x02" * 16
TARGET = Target(b"\x01" * 16, "order", "4711", "/flow/entity/order/4711")


def scrub(worker: psycopg.Connection) -> int:
    with worker.transaction(), worker.cursor() as cursor:
        return scrubbing.scrub(cursor, TARGET, [])


def test_what_is_only_alike_is_not_locked(conninfo: str, worker: psycopg.Connection) -> None:
    for number, evidence in enumerate(({"by_ns": 1_794_711_000}, {"of": "order 4711"})):
        insert(
            worker, "expectation", flow_id=bytes([number]) * 16, kind=1, type="order", environment="production",
            evidence=Jsonb(evidence),
        )  # fmt: skip
    free = "SELECT evidence FROM expectation FOR UPDATE SKIP LOCKED"
    with worker.transaction(), worker.cursor() as cursor:
        assert scrubbing.scrub(cursor, TARGET, []) == 1
        assert tables.ask(conninfo, free) == [({"by_ns": 1_794_711_000},)]
    assert ({"of": "order [forgotten]"},) in tables.ask(conninfo, free)


@pytest.mark.parametrize(
    ("meanwhile", "left"),
    [("as order 4711, and more", "as order [forgotten], and more"), ("nothing of it", "nothing of it")],
)
def test_what_others_write_meanwhile_stays_without_the_name(
    conninfo: str, worker: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, meanwhile: str, left: str
) -> None:
    Note.objects.create(flow_id=OTHER, at_ns=1, text="as order 4711")
    write, tries = scrubbing._write, list[bool]()

    def later(*values: Any) -> bool:
        if not tries:
            # Who only reads holds up nobody.
            with psycopg.connect(conninfo, options="-c lock_timeout=2s") as other:
                other.execute("UPDATE tracing_note SET text = %s", (meanwhile,))
        tries.append(write(*values))
        return tries[-1]

    monkeypatch.setattr(scrubbing, "_write", later)
    assert scrub(worker) == (left != meanwhile)
    assert tables.ask(conninfo, "SELECT text FROM tracing_note") == [(left,)]
    assert tries == [False, *[True] * (left != meanwhile)]


def test_more_rows_than_are_read_at_once(
    conninfo: str, worker: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrubbing, "STEP", 2)
    Note.objects.bulk_create(Note(flow_id=OTHER, at_ns=n, text=f"{n} order 4711") for n in range(7))
    assert scrub(worker) == 7
    assert tables.ask(conninfo, "SELECT 1 FROM tracing_note WHERE text LIKE '%%4711%%'") == []
