"""Rules that tests add to the seeded ones, and a way to work their jobs off."""

import time

import psycopg

from tracing import reapply
from tracing.models import Rule, RuleJob

PATIENCE_S = 60.0


def parcels() -> Rule:
    """A rule that finds what no seeded rule does: on spans, events, resources, logs and map bodies."""
    return Rule(
        pk=900, name="parcel", kind="entity", type="parcel", keys=[["parcel.no"]], state_attributes=["parcel.phase"]
    )  # fmt: skip


def order_numbers() -> Rule:
    """A rule that leads to flows which the seeded rule for orders makes too."""
    return Rule(pk=5, name="order numbers", kind="entity", type="order", keys=[["shop.order_no"]])


def work_off(worker: psycopg.Connection) -> RuleJob:
    """Work until nothing is left; the last job. The server may still be ending whoever an earlier test killed at it."""
    until = time.monotonic() + PATIENCE_S
    while RuleJob.objects.filter(state__in=("waiting", "running")).exists():
        if reapply.work(worker, "production"):
            until = time.monotonic() + PATIENCE_S
        else:
            assert time.monotonic() < until, "somebody else has the job"
            time.sleep(0.05)
    return RuleJob.objects.latest("id")
