"""The duty that carries messages out: each attempt is committed before it is made, and what came of it after.

What a crash leaves in between is sent again under the same id and says so. `telling` wrote the messages, `attempts`
runs them beside the loop, `channels` delivers. Times are ours, in Unix nanoseconds.
"""

import secrets
import time
from typing import Any

import psycopg
from django.conf import settings

from tracing.clock import now_ns
from tracing.lengths import SECOND_NS
from tracing.watch import wording
from tracing.watch.attempts import Attempt, Threads
from tracing.watch.channels import Letter, Outcome

# After an attempt that failed; when all are used up, the message has failed for good.
BACKOFF_S = (10, 60, 300, 900, 3_600)
IN_DOUBT_NS = 120 * SECOND_NS
# How long a call waits for answers, so that a quick receiver gets many messages a second.
PATIENCE_S = 0.3
LAST_WAIT_S = 3.0

_ORPHANED = """
UPDATE message m SET state = 'dropped', error = 'Its channel is switched off or gone.', xid = pg_current_xact_id()
WHERE state = 'waiting' AND NOT EXISTS (SELECT 1 FROM tracing_channel c WHERE c.id = m.channel_id AND c.enabled)
"""
# Its sender died between the attempt and the commit, or is so slow that nobody waits for it any more.
_RECOVER = """
UPDATE message SET state = 'waiting', doubtful = true, not_before_ns = %s, xid = pg_current_xact_id()
WHERE state = 'trying' AND tried_ns < %s AND message_id <> ALL (%s)
"""
_DUE = """
SELECT channel_id FROM message WHERE state = 'waiting' AND not_before_ns <= %s GROUP BY channel_id ORDER BY min(at_ns)
"""
# One watcher at a time chooses for a channel; a message that refers to the channel does not wait for this.
_CHANNEL = (
    "SELECT address, by_mail FROM tracing_channel WHERE id = %s AND enabled FOR NO KEY UPDATE SKIP LOCKED"
)
# The oldest that is due. What is told of one problem or flow stays in order: a retry holds back what came after it.
_CLAIM = """
UPDATE message SET state = 'trying', attempts = attempts + 1, tried_ns = %(now)s, xid = pg_current_xact_id()
WHERE state = 'waiting' AND message_id = (
    SELECT m.message_id FROM message m
    WHERE m.channel_id = %(channel)s AND m.state = 'waiting' AND m.not_before_ns <= %(now)s
    AND NOT EXISTS (SELECT 1 FROM message t WHERE t.channel_id = %(channel)s AND t.state = 'trying' AND t.phase <> 'test')
    AND NOT EXISTS (
        SELECT 1 FROM message e WHERE e.channel_id = %(channel)s AND e.state = 'waiting'
        AND (e.problem_id = m.problem_id OR e.flow_id = m.flow_id)
        AND (e.at_ns, e.message_id) < (m.at_ns, m.message_id)
    )
    ORDER BY m.at_ns, m.message_id LIMIT 1
)
RETURNING message_id, subject, body, url, phase, problem_id, flow_id, doubtful, attempts
"""
# Only the try that this is about: another watcher may have given it up and begun the next.
_SETTLE = """
UPDATE message SET state = %(state)s, error = %(error)s, sent_ns = %(sent)s, not_before_ns = %(next)s,
    doubtful = doubtful OR %(doubtful)s, xid = pg_current_xact_id()
WHERE message_id = %(message)s AND state = 'trying' AND tried_ns = %(tried)s
"""
_WELL = "UPDATE tracing_channel SET sent_ns = %s, error = '' WHERE id = %s"
_UNWELL = "UPDATE tracing_channel SET failed_ns = %s, error = %s WHERE id = %s"
# A channel that works again need not wait out the long pauses of its failed tries.
_HASTEN = """
UPDATE message SET not_before_ns = %(soon)s
WHERE channel_id = %(channel)s AND state = 'waiting' AND attempts > 0 AND not_before_ns > %(soon)s
"""
_TEST = """
INSERT INTO message (message_id, channel_id, phase, subject, body, url, at_ns, not_before_ns, state, attempts, tried_ns)
VALUES (%s, %s, 'test', %s, %s, %s, %s, %s, 'trying', 1, %s)
"""


class Sending:
    """The duty with its running attempts; one a watcher."""

    def __init__(self, threads: Threads | None = None) -> None:
        self.threads = threads or Threads()

    def work(self, connection: psycopg.Connection) -> bool:
        """Settle what is answered and begin what is due. True where more may be due at once. Autocommit."""
        until = time.monotonic() + PATIENCE_S
        ours = [attempt.letter.message_id for attempt in self.threads.running.values()]
        now = now_ns()
        connection.execute(_ORPHANED)
        connection.execute(_RECOVER, (now, now - IN_DOUBT_NS, ours))
        while True:
            moved = self._settle(connection) + self._begin(connection)
            if not self.threads.wait(until - time.monotonic(), PATIENCE_S):
                return moved > 0

    def close(self, connection: psycopg.Connection) -> None:
        """Before the process ends: what is under way is waited for a moment, so that it is not left in doubt."""
        until = time.monotonic() + LAST_WAIT_S
        while self.threads.running and time.monotonic() < until:
            self.threads.wait(0.1, LAST_WAIT_S)
            self._settle(connection)

    def _settle(self, connection: psycopg.Connection) -> int:
        ended = self.threads.ended()
        for attempt, outcome in ended:
            settle(connection, attempt, outcome)
            self.threads.forget(attempt)
        return len(ended)

    def _begin(self, connection: psycopg.Connection) -> int:
        due = [row[0] for row in connection.execute(_DUE, (now_ns(),)).fetchall()]
        claimed = [claim(connection, channel) for channel in due if self.threads.is_free(channel)]
        begun = [attempt for attempt in claimed if attempt is not None]
        for attempt in begun:
            self.threads.start(attempt)
        return len(begun)


def claim(connection: psycopg.Connection, channel_id: int) -> Attempt | None:
    """Take the channel's next message; its attempt is committed when this returns. None: nothing is due, or taken."""
    now = now_ns()
    with connection.transaction():
        channel = connection.execute(_CHANNEL, (channel_id,)).fetchone()
        if channel is None:
            return None
        row = connection.execute(_CLAIM, {"channel": channel_id, "now": now}).fetchone()
    if row is None:
        return None
    message_id, subject, body, url, phase, problem_id, flow_id, doubtful, attempts = row
    thread = (problem_id or flow_id or b"").hex()
    letter = Letter(message_id, subject, body, url, phase, thread, doubtful)
    return Attempt(channel_id, channel[0], channel[1], letter, now, attempts)


def settle(connection: psycopg.Connection, attempt: Attempt, outcome: Outcome) -> None:
    """Write down what came of an attempt, of the message and of its channel."""
    now = now_ns()
    state, next_ns = "sent", now
    if outcome.error:
        last = attempt.letter.phase == "test" or attempt.attempts > len(BACKOFF_S)
        state = "failed" if last else "waiting"
        next_ns = now if last else now + BACKOFF_S[attempt.attempts - 1] * SECOND_NS
    values: dict[str, Any] = {
        "state": state, "error": outcome.error, "sent": now if state == "sent" else None, "next": next_ns,
        "doubtful": outcome.doubtful, "message": attempt.letter.message_id, "tried": attempt.tried_ns,
    }  # fmt: skip
    with connection.transaction():
        connection.execute(_SETTLE, values)
        if outcome.error:
            connection.execute(_UNWELL, (now, outcome.error, attempt.channel_id))
        else:
            connection.execute(_WELL, (now, attempt.channel_id))
            connection.execute(
                _HASTEN, {"soon": now + BACKOFF_S[0] * SECOND_NS, "channel": attempt.channel_id}
            )


def send_test(connection: psycopg.Connection, channel_id: int, threads: Threads | None = None) -> str | None:
    """Send a test message now and wait for what comes of it; its id, None where there is no such channel."""
    question = "SELECT label, address, by_mail FROM tracing_channel WHERE id = %s"
    row = connection.execute(question, (channel_id,)).fetchone()
    if row is None:
        return None
    label, address, by_mail = row
    now, threads = now_ns(), threads or Threads()
    number = wording.message_id(channel_id, secrets.token_bytes(8), "test", str(now))
    body = f"This is a test of the channel {label}: problems and followed flows will be told here."
    letter = Letter(number, "Threadline: a test", body, f"{settings.URL}/settings/notifications", "test")
    connection.execute(_TEST, (number, channel_id, letter.subject, body, letter.url, now, now, now))
    attempt = Attempt(channel_id, address, by_mail, letter, now, 1)
    threads.start(attempt)
    while not (ended := threads.ended()):
        threads.wait(0.1, threads.limit_s)
    settle(connection, *ended[0])
    return number
