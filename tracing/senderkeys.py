"""Keys with which services send: made, listed, revoked. Once there was one, whoever sends must have one.

The secret (`tlk_…`) is shown once and kept as a hash (`tracing.oneway`). What receives asks `tracing.keyring`, which
reads this table every second; it also writes `used_ns` and `spent` there.
"""

from typing import ClassVar

from django.db import IntegrityError, models, transaction

from tracing import oneway
from tracing.clock import now_ns
from tracing.unfit import Unfit

PREFIX = "tlk_"
LONGEST = 100
MOST_LIMIT = 10_000_000


class SenderKey(models.Model):
    """A revoked key stays: its name says who still sends with it, and that keys are asked for."""

    name = models.CharField(max_length=LONGEST, unique=True)
    digest = models.BinaryField(max_length=32, unique=True)
    hint = models.CharField(max_length=12)
    # Records a second over all processes; null for any number.
    per_second = models.IntegerField(null=True)
    created_ns = models.BigIntegerField(default=now_ns)
    created_by = models.CharField(max_length=100, blank=True)
    revoked_ns = models.BigIntegerField(null=True)
    # It ends by itself: a demo's key outlives its demo by minutes.
    until_ns = models.BigIntegerField(null=True)
    used_ns = models.BigIntegerField(null=True)
    # Records it ever sent while it had a limit: by this the receiving processes know of each other.
    spent = models.BigIntegerField(default=0)

    class Meta:
        ordering: ClassVar[list[str]] = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_valid(self) -> bool:
        return self.revoked_ns is None and (self.until_ns is None or self.until_ns > now_ns())


def issue(
    name: str, limit: int | None = None, by: str = "", until_ns: int | None = None
) -> tuple[SenderKey, str]:
    """A new key and its secret, which nobody can read again. Raises Unfit."""
    name = _fit(name)
    check_limit(limit)
    secret = oneway.made(PREFIX)
    key = SenderKey(
        name=name,
        digest=oneway.digest(secret),
        hint=oneway.hint(secret),
        per_second=limit,
        created_by=by,
        until_ns=until_ns,
    )
    try:
        with transaction.atomic():
            key.save()
    except IntegrityError:  # made at the same moment
        raise _taken(name) from None
    return key, secret


def _fit(name: str) -> str:
    found = name.strip()
    if not found or len(found) > LONGEST or not found.isprintable():
        raise Unfit(
            "name",
            f"A key needs a name of at most {LONGEST} characters, such as the service that sends with it.",
        )
    if SenderKey.objects.filter(name=found).exists():
        raise _taken(found)
    return found


def _taken(name: str) -> Unfit:
    return Unfit(
        "name", f"There is a key {name} already; its secret cannot be shown again, so take another name."
    )


def check_limit(limit: int | None) -> None:
    if limit is not None and not 1 <= limit <= MOST_LIMIT:
        raise Unfit("limit", f"A limit is a number of records a second, from 1 to {MOST_LIMIT:,}.")


def set_limit(key: SenderKey, limit: int | None) -> None:
    """Raises Unfit."""
    check_limit(limit)
    key.per_second = limit
    key.save(update_fields=["per_second"])


def revoke(key: SenderKey) -> None:
    """Refused by every process within a second or two. A second time it changes nothing."""
    if key.revoked_ns is None:
        key.revoked_ns = now_ns()
        key.save(update_fields=["revoked_ns"])


def valid() -> "models.QuerySet[SenderKey]":
    standing = models.Q(until_ns=None) | models.Q(until_ns__gt=now_ns())
    return SenderKey.objects.filter(standing, revoked_ns=None)
