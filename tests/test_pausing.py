"""Who is looked at when a maintenance is declared, or ends before its time (`tracing.watch.pausing`)."""

import pytest
from django.db import connection

from tracing.people import Maintenance
from tracing.watch.pausing import begin_pause, end_pause


@pytest.mark.parametrize(
    ("at_ns", "stands"),
    [(50, []), (100, []), (150, [(100, 150)]), (200, [(100, 200)]), (250, [(100, 200)])],
)
def test_when_it_is_ended(clean_store: None, at_ns: int, stands: list[tuple[int, int]]) -> None:
    end_pause(Maintenance.objects.create(type="order", from_ns=100, until_ns=200, reason="r"), at_ns)
    assert list(Maintenance.objects.values_list("from_ns", "until_ns")) == stands


NOW, BEGINS, LATER = 1_000, 2_000, 9_000
# flow: type, environment, verdict, system, awaited system
FLOWS = {
    "late": ("order", "production", "late", "shop", "wms"),
    "stuck": ("order", "production", "stuck", "wms", None),
    "due": ("parcel", "production", "due", "post", "wms"),
    "unknown": ("order", "staging", "unknown", "shop", "wms"),
    "elsewhere": ("order", "production", "late", "shop", "billing"),
    "moving": ("order", "production", "moving", "shop", "wms"),
    "ended": ("order", "production", "ended", "wms", None),
}


@pytest.mark.parametrize(
    ("declared", "woken"),
    [
        ({"service": "wms"}, {"late", "stuck", "due", "unknown"}),
        ({"service": "wms", "environment": "staging"}, {"unknown"}),
        ({"type": "order"}, {"late", "stuck", "unknown", "elsewhere"}),
        ({"type": "order", "environment": "production"}, {"late", "stuck", "elsewhere"}),
        ({"type": "bill"}, set()),
    ],
)
@pytest.mark.parametrize("from_ns", [NOW - 500, BEGINS])
def test_who_is_wrong_already_is_looked_at_when_it_begins(
    clean_store: None, declared: dict[str, str], woken: set[str], from_ns: int
) -> None:
    with connection.cursor() as cursor:
        for name, row in FLOWS.items():
            cursor.execute(
                "INSERT INTO expectation (flow_id, kind, type, environment, verdict, system, awaited_system, looks_ns)"
                " VALUES (%s, 1, %s, %s, %s, %s, %s, %s)",
                [name.encode(), *row, LATER],
            )
    pause = Maintenance(from_ns=from_ns, until_ns=8_000, reason="r", **declared)
    assert begin_pause(pause, NOW) == (len(woken), True)
    assert Maintenance.objects.get() == pause
    with connection.cursor() as cursor:
        cursor.execute("SELECT flow_id, looks_ns FROM expectation WHERE looks_ns <> %s", [LATER])
        looks = {bytes(flow_id).decode(): looks_ns for flow_id, looks_ns in cursor.fetchall()}
    assert looks == dict.fromkeys(woken, max(NOW, from_ns))
