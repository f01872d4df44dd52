"""API tokens: with one a script reads and writes pages as the person who made it, with that person's role or a lower one.

The secret (`tlt_…`) is shown once and kept as a hash (`tracing.oneway`). `timeline.access` asks here who a token is.
"""

from dataclasses import dataclass
from typing import ClassVar

from django.db import models

from tracing import oneway
from tracing.clock import now_ns
from tracing.roles import Role
from tracing.unfit import Unfit
from tracing.users import User

PREFIX = "tlt_"
# A write a request would cost more than the request.
USED_EVERY_NS = 60 * 1_000_000_000


class Token(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    label = models.CharField(max_length=100)
    digest = models.BinaryField(max_length=32, unique=True)
    hint = models.CharField(max_length=12)
    # At most this role; its person's own where it is null.
    role = models.SmallIntegerField(null=True)
    created_ns = models.BigIntegerField(default=now_ns)
    until_ns = models.BigIntegerField(null=True)
    used_ns = models.BigIntegerField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["label", "id"]

    def __str__(self) -> str:
        return self.label

    @property
    def given(self) -> Role | None:
        return None if self.role is None else Role(self.role)

    @property
    def is_over(self) -> bool:
        return self.until_ns is not None and self.until_ns <= now_ns()


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a token stands for, and what it may do."""

    user: User
    role: Role
    label: str


def issue(user: User, label: str, role: Role | None = None, until_ns: int | None = None) -> tuple[Token, str]:
    """A new token and its secret, which nobody can read again. Raises Unfit for more than its person may do."""
    if role is not None and role > user.given:
        raise Unfit(
            "role", f"{user.username} is {user.given.article} {user.given.word}, and a token may do no more."
        )
    secret = oneway.made(PREFIX)
    capped = None if role is None else int(role)
    token = Token.objects.create(
        user=user,
        label=label.strip(),
        digest=oneway.digest(secret),
        hint=oneway.hint(secret),
        role=capped,
        until_ns=until_ns,
    )
    return token, secret


def holder(secret: str) -> Holder | None:
    """Who comes with this token; None for one that is unknown, revoked or over, or whose person is switched off."""
    if not secret.startswith(PREFIX):
        return None
    token = Token.objects.select_related("user").filter(digest=oneway.digest(secret)).first()
    if token is None or token.is_over or not token.user.is_active:
        return None
    _note_use(token)
    role = token.user.given if token.given is None else min(token.given, token.user.given)
    return Holder(token.user, role, token.label)


def _note_use(token: Token) -> None:
    now = now_ns()
    if token.used_ns is None or now - token.used_ns >= USED_EVERY_NS:
        Token.objects.filter(pk=token.pk).update(used_ns=now)
