"""Who is looked at sooner when a person changes what is expected (`tracing.watch.waking`)."""

from typing import Any

import psycopg
import pytest
from django.db import connection

from tracing.watch import waking
from tracing.watch.rulings import Ruling
from tracing.watch.waking import wake_ruled, wake_steps

NOW, LATER = 1_000, 9_000
# flow: type, environment, step, verdict, since, looks
FLOWS = {
    "moves": ("order", "production", "paid", "moving", 900, LATER),
    "old": ("order", "production", "paid", "due", 10, LATER),
    "late": ("order", "production", "paid", "late", 10, LATER),
    "soon": ("order", "production", "paid", "moving", 900, 1_001),
    "elsewhere": ("order", "production", "created", "moving", 900, LATER),
    "staging": ("order", "staging", "paid", "moving", 900, LATER),
    "ended": ("order", "production", "shipped", "ended", 900, None),
    "other": ("parcel", "production", "paid", "moving", 900, LATER),
    "new": ("order", "production", None, None, None, 5),
}


@pytest.fixture
def flows(clean_store: None) -> None:
    with connection.cursor() as cursor:
        for name, row in FLOWS.items():
            cursor.execute(
                "INSERT INTO expectation (flow_id, kind, type, environment, step, verdict, since_ns, looks_ns)"
                " VALUES (%s, 1, %s, %s, %s, %s, %s, %s)",
                [name.encode(), *row],
            )


def moved() -> dict[str, int | None]:
    """Whose looks are others now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT flow_id, looks_ns FROM expectation")
        looks = {bytes(flow_id).decode(): looks_ns for flow_id, looks_ns in cursor.fetchall()}
    return {name: looks[name] for name, row in FLOWS.items() if looks[name] != row[5]}


def ruling(step: str = "", environment: str = "", within: int = 500, *, from_start: bool = False) -> Ruling:
    return Ruling("order", environment, step, "", "", within, 0, from_start)


@pytest.mark.usefixtures("flows")
@pytest.mark.parametrize(
    ("rule", "looks"),
    [
        (ruling("paid", "production"), {"moves": 1_400, "old": NOW, "late": NOW}),
        (ruling("paid"), {"moves": 1_400, "old": NOW, "late": NOW, "staging": 1_400}),
        (ruling(within=20_000), {"late": NOW}),
        (ruling("nowhere"), {}),
        (ruling("paid", from_start=True),
         {"moves": NOW, "old": NOW, "late": NOW, "soon": NOW, "elsewhere": NOW, "staging": NOW}),
    ],
)  # fmt: skip
def test_a_rule_wakes_whom_it_holds_for(rule: Ruling, looks: dict[str, int]) -> None:
    assert wake_ruled(rule, NOW) == (len(looks), True)
    assert moved() == looks


@pytest.mark.usefixtures("flows")
@pytest.mark.parametrize(
    ("steps", "woken"),
    [
        ({"shipped"}, {"ended"}),
        ({"paid", "shipped"}, {"moves", "old", "late", "soon", "staging", "ended"}),
        (None, {"moves", "old", "late", "soon", "elsewhere", "staging", "ended"}),
        (set(), set()),
    ],
)
def test_other_ends_wake_who_stands_there(steps: set[str] | None, woken: set[str]) -> None:
    assert wake_steps("order", steps, NOW) == (len(woken), True)
    assert moved() == dict.fromkeys(woken, NOW)


@pytest.mark.usefixtures("flows")
def test_what_expects_nothing_so_far_is_looked_at_too() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE expectation SET looks_ns = NULL WHERE flow_id = 'moves'")
    wake_ruled(ruling("paid", "production"), NOW)
    assert moved()["moves"] == 1_400


@pytest.mark.usefixtures("flows")
def test_chunk_by_chunk_all_are_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waking, "CHUNK", 2)
    assert wake_steps("order", None, NOW) == (7, True)
    assert len(moved()) == 7


@pytest.mark.usefixtures("flows")
def test_of_too_many_the_rest_waits_for_its_own_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waking, "MOST", 3)
    assert wake_steps("order", None, NOW) == (3, False)
    assert len(moved()) == 3


@pytest.mark.usefixtures("flows")
def test_nobody_waits_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waking, "PATIENCE_S", 0.0)
    assert wake_steps("order", None, NOW) == (0, False)


@pytest.mark.usefixtures("flows")
def test_a_row_that_somebody_holds_is_passed_over(worker: psycopg.Connection) -> None:
    with worker.transaction():
        worker.execute("SELECT 1 FROM expectation WHERE flow_id = 'late' FOR UPDATE")
        assert wake_steps("order", None, NOW) == (6, True)
    assert "late" not in moved()


@pytest.mark.usefixtures("flows")
def test_between_chunks_nothing_is_locked(
    worker: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ingest may take a row of the first chunk while the second is on its way."""
    monkeypatch.setattr(waking, "CHUNK", 1)
    free = []
    changed = waking._changed

    def watched(sql: str, asked: dict[str, Any]) -> int:
        count = changed(sql, asked)
        row = worker.execute(
            "SELECT 1 FROM expectation WHERE flow_id = %s FOR UPDATE SKIP LOCKED", [asked["chunk"][0]]
        )
        free.append(row.fetchone() is not None)
        return count

    monkeypatch.setattr(waking, "_changed", watched)
    wake_steps("order", None, NOW)
    assert free == [True] * 7
