"""What `/settings/notifications` reads of the outbox: the latest messages, how many are in which state, the last call.

`tracing.watch.telling` and `sending` write these tables. Times are ours, in Unix nanoseconds.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.db import connection

from tracing.watch.deadman import CALL, JUDGE

SHOWN = 50
# A follow begins with a message that is never sent; it is nobody's message.
_REAL = "NOT (phase = 'follow' AND state = 'dropped')"
# Through message_recent; a state that is rare is looked for in all of them.
_LATEST = f"""
SELECT message_id, channel_id, phase, subject, url, at_ns, state, attempts, sent_ns, tried_ns, not_before_ns, doubtful, error
FROM message WHERE {_REAL} AND (%(state)s = '' OR state = %(state)s)
AND (%(channel)s = 0 OR channel_id = %(channel)s)
ORDER BY at_ns DESC, message_id LIMIT {SHOWN}
"""
_STATES = f"SELECT state, count(*) FROM message WHERE {_REAL} GROUP BY state"
_CHANNELS = f"SELECT channel_id, count(*) FROM message WHERE {_REAL} AND state = 'sent' GROUP BY channel_id"
_ROUNDS = "SELECT duty, began_ns, ended_ns, facts ->> 'error' FROM watch_round WHERE duty = ANY(%s)"


@dataclass(frozen=True, slots=True)
class Message:
    """A message as the page shows it. `path` leads to what it is about."""

    message_id: str
    channel_id: int
    phase: str
    subject: str
    url: str
    at_ns: int
    state: str
    attempts: int
    sent_ns: int | None
    tried_ns: int | None
    not_before_ns: int
    doubtful: bool
    error: str

    @property
    def path(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path


@dataclass(frozen=True, slots=True)
class Calls:
    """The dead-man's state: when the judge last ended a round, the last call, and what came of it."""

    judged_ns: int | None = None
    called_ns: int | None = None
    error: str | None = None


def latest(state: str = "", channel_id: int = 0) -> list[Message]:
    with connection.cursor() as cursor:
        cursor.execute(_LATEST, {"state": state, "channel": channel_id})
        return [Message(*row) for row in cursor.fetchall()]


def by_id(message_id: str) -> Message | None:
    """The test message that a button just sent."""
    with connection.cursor() as cursor:
        cursor.execute(
            _LATEST.replace("ORDER BY", "AND message_id = %(id)s ORDER BY"),
            {"state": "", "channel": 0, "id": message_id},
        )
        row = cursor.fetchone()
        return Message(*row) if row else None


def states() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(_STATES)
        return dict(cursor.fetchall())


def sent_by_channel() -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(_CHANNELS)
        return dict(cursor.fetchall())


def calls() -> Calls:
    with connection.cursor() as cursor:
        cursor.execute(_ROUNDS, [[JUDGE, CALL]])
        rounds = {duty: (began, ended, error) for duty, began, ended, error in cursor.fetchall()}
    judged = rounds.get(JUDGE)
    called = rounds.get(CALL)
    return Calls(judged[1] if judged else None, called[1] if called else None, called[2] if called else None)
