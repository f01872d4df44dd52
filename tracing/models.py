"""The small tables that people and the product itself fill in: rules, their jobs, senders.

The large tables (records, flows, chapters, members, states) are partitioned, written by COPY and read by SQL;
they live in `migrations/0001_schema.sql`, with the reason of each index beside it. What people tell the watcher is
`tracing.people`, links and frozen copies are `tracing.shares`; who they are, what they send with and what they did is in
`tracing.users`, `tokens`, `senderkeys`, `auditing`.
"""

from typing import ClassVar

from django.db import models

from tracing.auditing import Audit
from tracing.people import (
    Calendar,
    Channel,
    Closure,
    ExpectationRule,
    Follow,
    Maintenance,
    Note,
    Route,
    TypeSettings,
)
from tracing.senderkeys import SenderKey
from tracing.shares import Share, Snapshot, SnapshotMark, SnapshotPart
from tracing.tokens import Token
from tracing.users import User

__all__ = [
    "Audit",
    "Calendar",
    "Channel",
    "Closure",
    "ExpectationRule",
    "Follow",
    "Maintenance",
    "Note",
    "Route",
    "Rule",
    "RuleJob",
    "Sender",
    "SenderKey",
    "Share",
    "Snapshot",
    "SnapshotMark",
    "SnapshotPart",
    "Token",
    "TypeSettings",
    "User",
]


class Rule(models.Model):
    """Which attributes name a flow. `tracing.mentions.Rule` is the same as a pure value."""

    class Kind(models.TextChoices):
        ENTITY = "entity"
        WORKFLOW = "workflow"

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    # The flow's type; empty where `type_attribute` names it.
    type = models.CharField(max_length=100, blank=True)
    # Attributes whose value is the type, the first present wins; else `type`.
    type_attributes = models.JSONField(default=list, blank=True)
    # Alternatives, each a list of attributes that make one key together: [["order.id"], ["shop.order_no"]].
    keys = models.JSONField(default=list)
    # Also with any prefix at a segment's edge: `demo.order.id` for `order.id`.
    any_prefix = models.BooleanField(default=False)
    # Attributes holding the flow's state, beside `<type>.state` and `<type>.status`.
    state_attributes = models.JSONField(default=list, blank=True)
    enabled = models.BooleanField(default=True)
    seeded = models.BooleanField(default=False)
    # The rule version with which it took effect on arriving records.
    since_version = models.IntegerField(default=1)
    note = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return self.name


class RuleJob(models.Model):
    """A rule being applied to what is stored, or undone, in chunks with a saved cursor."""

    class Action(models.TextChoices):
        APPLY = "apply"
        UNDO = "undo"

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE)
    action = models.CharField(max_length=10, choices=Action.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    # Records stamped older than this are taken; the set is frozen once the version is published.
    version = models.IntegerField()
    # Where the next chunk begins; null at the start.
    cursor = models.JSONField(null=True, blank=True)
    total = models.BigIntegerField(default=0)
    processed = models.BigIntegerField(default=0)
    grouped = models.BigIntegerField(default=0)
    flows = models.BigIntegerField(default=0)
    message = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]

    def __str__(self) -> str:
        return f"{self.action} {self.rule_id}: {self.state}"


class Sender(models.Model):
    """Who exports to us, as seen on arrival. Written every few seconds, so a crash may lose the last of it."""

    service = models.CharField(max_length=200)
    environment = models.CharField(max_length=100)
    sdk = models.CharField(max_length=200)  # "python opentelemetry 1.45.2"
    transport = models.CharField(max_length=20)
    first_seen_ns = models.BigIntegerField()
    last_seen_ns = models.BigIntegerField()
    accepted_spans = models.BigIntegerField(default=0)
    accepted_logs = models.BigIntegerField(default=0)
    resent = models.BigIntegerField(default=0)
    refused = models.BigIntegerField(default=0)
    # {sentence: count}, at most 20 sentences.
    refusals = models.JSONField(default=dict)
    # Our clock minus the newest record's time at its arrival, the smallest seen lately; null until known.
    clock_offset_ns = models.BigIntegerField(null=True)
    # Spans whose trace state or flags show that a sampler drops traces (`tracing.senders.is_sampled`).
    sampled_spans = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["service", "environment", "sdk", "transport"], name="sender_identity"
            )
        ]

    def __str__(self) -> str:
        return f"{self.service} ({self.transport})"
