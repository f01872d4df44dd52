"""Rules that tests add to the seeded ones, and a way to work their jobs off."""

import psycopg

from tracing import reapply
from tracing.models import Rule, RuleJob


def parcels() -> Rule:
    """A rule that finds what no seeded rule does: on spans, events, resources, logs and map bodies."""
    return Rule(
        pk=900, name="parcel", kind="entity", type="parcel", keys=[["parcel.no"]], state_attributes=["parcel.phase"]
    )  # fmt: skip


def order_numbers() -> Rule:
    """A rule that leads to flows which the seeded rule for orders makes too."""
    return Rule(pk=5, name="order numbers", kind="entity", type="order", keys=[["shop.order_no"]])


def work_off(worker: psycopg.Connection) -> RuleJob:
    """Work until nothing is left; the last job."""
    while reapply.work(worker, "production"):
        pass
    return RuleJob.objects.latest("id")
