"""The tables of what outlives retention: frozen copies of flows and problems, and the links that show them to others.

`tracing.snapshots` takes and stages the copies; pages under `timeline.views.shares` make, list and revoke the links.
Times are Unix nanoseconds of our clock; `name` is who did it, as `people` has it.
"""

from typing import ClassVar

from django.db import models

# What a flow that a problem pins is to it.
ROLES = ("first", "worst", "latest")


class Snapshot(models.Model):
    """A frozen copy of everything a view needs. Its rows lie compressed in `SnapshotPart`."""

    class Subject(models.TextChoices):
        FLOW = "flow"
        RECORD = "record"
        PROBLEM = "problem"
        COMPARISON = "comparison"
        FILE = "file"  # of a file that was only looked at

    subject = models.CharField(max_length=12, choices=Subject.choices)
    title = models.CharField(max_length=300)
    path = models.CharField(max_length=4_000)  # of the live page
    flow_id = models.BinaryField(max_length=16, null=True, db_index=True)  # of a flow: its id, or its trace's
    problem_id = models.BinaryField(max_length=12, null=True, db_index=True)
    # Of a copy that a problem pins by itself: which of `ROLES` its flow has, between spaces. Empty for what people keep.
    role = models.CharField(max_length=30, blank=True)
    taken_ns = models.BigIntegerField()
    expires_ns = models.BigIntegerField(null=True, db_index=True)  # null: kept until a person lets it go
    pinned = models.BooleanField(default=False)  # else it lives as long as the share that it is behind
    with_values = models.BooleanField(default=True)  # False: those of attributes, and texts, were left out
    records = models.IntegerField(default=0)
    size = models.BigIntegerField(default=0)  # bytes, compressed
    reason = models.CharField(max_length=300, blank=True)
    name = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-taken_ns"]

    def __str__(self) -> str:
        return self.title

    @property
    def roles(self) -> list[str]:
        return self.role.split()

    @property
    def roles_told(self) -> str:
        """`first and latest`."""
        return " and ".join(self.roles)


class SnapshotPart(models.Model):
    """Rows of one table, as PostgreSQL's binary COPY writes them, compressed with zlib; parts follow each other."""

    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE)
    table = models.CharField(max_length=63)
    place = models.IntegerField()
    columns = models.JSONField()
    data = models.BinaryField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["snapshot", "table", "place"], name="snapshot_part_once")
        ]

    def __str__(self) -> str:
        return f"{self.table} {self.place}"


class SnapshotMark(models.Model):
    """What a copy holds, so that `manage.py forget` finds it: ids of flows, traces and logs without a trace."""

    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE)
    mark = models.BinaryField(max_length=16, db_index=True)

    def __str__(self) -> str:
        return bytes(self.mark).hex()


class Share(models.Model):
    """A link to one view. Whoever has the token has the link."""

    class Audience(models.TextChoices):
        PEOPLE = "people"  # who may sign in
        ANYONE = "anyone"

    token = models.CharField(max_length=64, unique=True)
    digest = models.BinaryField(max_length=32, unique=True)  # SHA-256 of the token: what is looked up
    subject = models.CharField(max_length=12, choices=Snapshot.Subject.choices)
    title = models.CharField(max_length=300)
    path = models.CharField(max_length=4_000)
    query = models.TextField(blank=True)  # the view that was shared
    audience = models.CharField(max_length=6, choices=Audience.choices)
    snapshot = models.ForeignKey(Snapshot, null=True, on_delete=models.SET_NULL)  # null: live
    frozen = models.BooleanField(default=True)
    with_values = models.BooleanField(default=True)
    created_ns = models.BigIntegerField(db_index=True)
    expires_ns = models.BigIntegerField(null=True)
    revoked_ns = models.BigIntegerField(null=True)
    opened_ns = models.BigIntegerField(null=True)
    openings = models.IntegerField(default=0)
    reason = models.CharField(max_length=300, blank=True)
    name = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_ns"]

    def __str__(self) -> str:
        return self.title
