"""The tables in which people tell the watcher what they know: how a type goes, what is expected, what they have said.

`tracing.models` holds the others; Django finds these through it. What the watcher itself writes is SQL
(`migrations/0007_watch.sql`). Times are Unix nanoseconds; `name` is who said so, as they call themselves.
"""

from typing import ClassVar

from django.db import models


class TypeSettings(models.Model):
    """How flows of one type go, as a person confirmed it. A type without a row is judged by what was seen."""

    type = models.CharField(max_length=100, unique=True)
    # A partial order: [["created"], ["paid", "authorised"], ["shipped"], ["done"]], earlier ranks first.
    phases = models.JSONField(default=list, blank=True)
    # States that end a flow well and badly; null where nobody has said, and usual words are taken.
    good_ends = models.JSONField(null=True, blank=True)
    bad_ends = models.JSONField(null=True, blank=True)
    # [["created", "paid"], …]; empty where any move is allowed.
    transitions = models.JSONField(default=list, blank=True)
    # Pairs that two systems may not say at once: [["cancelled", "shipped"]].
    incompatible = models.JSONField(default=list, blank=True)
    # Operations that happen once a flow: a second success is a duplicate effect.
    once = models.JSONField(default=list, blank=True)
    # The system whose state is the flow's; empty for the latest of all.
    owner = models.CharField(max_length=200, blank=True)
    # Steps that a person said are no end although many flows stay there, or are one: {"delivered": true}.
    answers = models.JSONField(default=dict, blank=True)
    name = models.CharField(max_length=100, blank=True)
    changed_ns = models.BigIntegerField(default=0)

    class Meta:
        ordering: ClassVar[list[str]] = ["type"]

    def __str__(self) -> str:
        return self.type


class Calendar(models.Model):
    """When a rule's time counts: hours of the week in a zone, without the holidays."""

    label = models.CharField(max_length=100, unique=True)
    zone = models.CharField(max_length=60, default="UTC")
    # {"mon": [["09:00", "17:00"]], …}; a day that is absent is closed.
    hours = models.JSONField(default=dict)
    holidays = models.JSONField(default=list, blank=True)  # ["2026-12-25", …]

    class Meta:
        ordering: ClassVar[list[str]] = ["label"]

    def __str__(self) -> str:
        return self.label


class ExpectationRule(models.Model):
    """What a person expects of flows of a type: the next step within a time, or that one begins."""

    class Subject(models.TextChoices):
        FLOW = "flow"  # a flow that stands at `step` goes on within `within_s`
        SERIES = "series"  # a flow of the type begins at least every `within_s`

    subject = models.CharField(max_length=10, choices=Subject.choices, default=Subject.FLOW)
    type = models.CharField(max_length=100)
    environment = models.CharField(max_length=100, blank=True)  # empty: any
    step = models.CharField(max_length=300, blank=True)  # empty: whatever the step, until the flow ends
    awaited_step = models.CharField(max_length=300, blank=True)  # empty: any next step
    awaited_system = models.CharField(max_length=200, blank=True)
    within_s = models.FloatField()
    grace_s = models.FloatField(default=0)
    from_start = models.BooleanField(default=False)  # counted from the flow's beginning, not from the step
    calendar = models.ForeignKey(Calendar, null=True, blank=True, on_delete=models.PROTECT)
    enabled = models.BooleanField(default=True)
    backtest = models.JSONField(null=True, blank=True)  # what it would have raised, when it was armed
    name = models.CharField(max_length=100, blank=True)
    changed_ns = models.BigIntegerField(default=0)

    class Meta:
        ordering: ClassVar[list[str]] = ["type", "step", "id"]

    def __str__(self) -> str:
        return f"{self.type} {self.step}".strip()


class Maintenance(models.Model):
    """A stretch in which a service or a type is not judged: its flows are paused."""

    service = models.CharField(max_length=200, blank=True)  # one of the two
    type = models.CharField(max_length=100, blank=True)
    environment = models.CharField(max_length=100, blank=True)  # empty: any
    from_ns = models.BigIntegerField()
    until_ns = models.BigIntegerField()
    reason = models.CharField(max_length=300)
    name = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-from_ns"]

    def __str__(self) -> str:
        return self.service or self.type


class Closure(models.Model):
    """A flow that a person closed by hand. It is open again once a record comes that is younger than this."""

    flow_id = models.BinaryField(max_length=16, db_index=True)
    at_ns = models.BigIntegerField()
    reason = models.CharField(max_length=300)
    name = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-at_ns"]

    def __str__(self) -> str:
        return self.reason


class Note(models.Model):
    """What a person wrote beside a flow or a problem."""

    flow_id = models.BinaryField(max_length=16, null=True, db_index=True)
    problem_id = models.BinaryField(max_length=12, null=True, db_index=True)
    at_ns = models.BigIntegerField()
    text = models.TextField(max_length=4_000)
    name = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["at_ns", "id"]

    def __str__(self) -> str:
        return self.text[:60]


class Channel(models.Model):
    """Where messages go: an apprise address, or e-mail through Django."""

    label = models.CharField(max_length=100, unique=True)
    # An apprise URL (it may hold a secret and is never shown whole), or mailto addresses separated by commas.
    address = models.CharField(max_length=1_000)
    by_mail = models.BooleanField(default=False)
    enabled = models.BooleanField(default=True)
    sent_ns = models.BigIntegerField(null=True)
    failed_ns = models.BigIntegerField(null=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["label"]

    def __str__(self) -> str:
        return self.label


class Route(models.Model):
    """Which problems are told on which channel. The first that fits tells, and the next too where `goes_on`."""

    position = models.IntegerField(default=0)
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE)
    types = models.JSONField(default=list, blank=True)  # empty: all
    kinds = models.JSONField(default=list, blank=True)
    environment = models.CharField(max_length=100, blank=True)
    severity = models.SmallIntegerField(default=2)  # at least
    wait_s = models.IntegerField(default=30)
    interval_s = models.IntegerField(default=300)
    repeat_s = models.IntegerField(default=14_400)
    goes_on = models.BooleanField(default=False)
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["position", "id"]

    def __str__(self) -> str:
        return f"{self.position} {self.channel_id}"


class Follow(models.Model):
    """Somebody who wants to be told when one flow moves, ends or turns."""

    flow_id = models.BinaryField(max_length=16, db_index=True)
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE)
    name = models.CharField(max_length=100, blank=True)
    since_ns = models.BigIntegerField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["flow_id", "channel"], name="follow_once")
        ]

    def __str__(self) -> str:
        return self.name
