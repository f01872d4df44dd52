"""Who changed what, and when: a row for each change a person makes, and for each time one signs in or fails to.

Views and commands call `note`; the page is `/settings/audit`. Rows go after THREADLINE_FLOW_RETENTION_DAYS
(`tracing.retention`). Nothing here is ever a secret: a key, a token or an address is told by its name.
"""

from contextvars import ContextVar
from typing import ClassVar

from django.db import models

from tracing.clock import now_ns
from tracing.values import storable

# Who does what a command does; nobody is called so.
TERMINAL = "manage.py"
LONGEST_WHO, LONGEST_ACTION, LONGEST_SUBJECT, LONGEST_DETAIL = 100, 60, 300, 500


class Audit(models.Model):
    at_ns = models.BigIntegerField(default=now_ns)
    # As they sign: empty for somebody in local mode who never said their name, and for the command line.
    who = models.CharField(max_length=LONGEST_WHO, blank=True)
    action = models.CharField(max_length=LONGEST_ACTION)  # "rule changed"
    subject = models.CharField(max_length=LONGEST_SUBJECT, blank=True)
    detail = models.CharField(max_length=LONGEST_DETAIL, blank=True)
    # Nobody signed in: the name is as somebody typed it, whoever has an account of that name now.
    typed = models.BooleanField(default=False, db_default=False)

    class Meta:
        ordering: ClassVar[list[str]] = ["-at_ns", "-id"]
        indexes: ClassVar[list[models.Index]] = [
            # The page, newest first, and what retention takes.
            models.Index(fields=["-at_ns", "-id"], name="audit_recent"),
        ]

    def __str__(self) -> str:
        return f"{self.who} {self.action} {self.subject}".strip()


_typed: ContextVar[bool] = ContextVar("typed", default=False)


def begin(*, typed: bool) -> None:
    """A request begins in this thread; `typed` where whoever makes it need not sign in."""
    _typed.set(typed)


def note(who: str, action: str, subject: str, detail: str = "") -> None:
    """Write it down, in the transaction of the caller where there is one."""
    Audit.objects.create(
        at_ns=now_ns(),
        who=storable(who)[:LONGEST_WHO],
        action=action[:LONGEST_ACTION],
        subject=storable(subject)[:LONGEST_SUBJECT],
        detail=storable(detail)[:LONGEST_DETAIL],
        typed=_typed.get() and who != "",
    )
