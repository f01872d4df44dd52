"""Whoever follows one flow is told when it moves, ends or turns. `telling` calls this for each batch of flips.

What was told last of a flow on a channel is its last message's `facts`; a follow begins with a message that is never
sent, so that the step at which it began is not told as news.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
from django.conf import settings
from psycopg.types.json import Jsonb

from tracing.watch import wording
from tracing.watch.titles import moment

_FOLLOWS = """
SELECT w.channel_id, w.flow_id, w.since_ns, f.kind, f.type, f.key, f.environment, e.verdict, e.step, e.system, e.since_ns, m.facts
FROM tracing_follow w JOIN tracing_channel c ON c.id = w.channel_id AND c.enabled
JOIN flow f ON f.flow_id = w.flow_id LEFT JOIN expectation e ON e.flow_id = w.flow_id
LEFT JOIN LATERAL (
    SELECT facts FROM message m WHERE m.flow_id = w.flow_id AND m.channel_id = w.channel_id AND m.phase = 'follow'
        AND m.at_ns >= w.since_ns ORDER BY m.at_ns DESC LIMIT 1
) m ON true
ORDER BY w.id
"""
_WRITE = """
INSERT INTO message (message_id, channel_id, flow_id, phase, subject, body, url, at_ns, not_before_ns, state, facts)
VALUES (%s, %s, %s, 'follow', %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (message_id) DO NOTHING
"""


class Flip(NamedTuple):
    """A change of a flow's verdict or a problem's state, not told yet. Of the two ids one is None."""

    flip_id: bytes
    flow_id: bytes | None
    problem_id: bytes | None
    before: str | None
    after: str
    step: str | None
    system: str | None
    sentence: str
    judged_ns: int


@dataclass(frozen=True, slots=True)
class Followed:
    """A follow, its flow as it stands, and what was told of it last; in the order of `_FOLLOWS`."""

    channel_id: int
    flow_id: bytes
    since_ns: int  # our clock
    kind: int
    type: str
    key: str
    environment: str
    verdict: str | None
    step: str | None
    system: str | None
    step_since_ns: int | None  # the sender's
    told: dict[str, Any] | None

    @property
    def facts(self) -> dict[str, Any]:
        return {"step": self.step, "system": self.system, "since_ns": self.step_since_ns}

    @property
    def has_moved(self) -> bool:
        """It is at a later step than was told. Late records may make its step an earlier one: that is no move."""
        told = self.told
        if told is None or self.step is None or self.step_since_ns is None:
            return False
        return told.get("since_ns") is None or self.step_since_ns > int(told["since_ns"])


def tell(connection: psycopg.Connection, flips: Sequence[Flip], at_ns: int) -> None:
    """Messages for the flips of followed flows, and for moves; one message a flow, channel and round."""
    turned: dict[bytes, list[Flip]] = defaultdict(list)
    for flip in flips:
        turned[flip.flow_id or b""].append(flip)
    for row in connection.execute(_FOLLOWS).fetchall():
        followed = Followed(*row)
        news = [flip for flip in turned.get(followed.flow_id, ()) if flip.judged_ns >= followed.since_ns]
        if news or followed.has_moved:
            _write(connection, followed, news, at_ns)
        elif followed.told is None:
            _begin(connection, followed, at_ns)


def _write(connection: psycopg.Connection, followed: Followed, news: Sequence[Flip], at_ns: int) -> None:
    sentences = [flip.sentence for flip in news]
    if followed.has_moved:
        by = f" in {followed.system}" if followed.system else ""
        since = moment(followed.step_since_ns or 0)
        sentences.insert(0, f"At {followed.step}{by} since {since}.")
    turn = news[-1].flip_id.hex() if news else f"{followed.step} {followed.system} {followed.step_since_ns}"
    subject = wording.flow_subject(
        followed.type,
        followed.key,
        news[-1].after if news else None,
        news[-1].step if news else followed.step,
    )
    _insert(
        connection, followed, turn, (subject, wording.flow_body(sentences, _url(followed))), at_ns, "waiting"
    )


def _begin(connection: psycopg.Connection, followed: Followed, at_ns: int) -> None:
    subject = f"{followed.type} {followed.key} is followed from here on"
    _insert(connection, followed, f"begin {followed.since_ns}", (subject, ""), at_ns, "dropped")


def _insert(
    connection: psycopg.Connection,
    followed: Followed,
    turn: str,
    text: tuple[str, str],
    at_ns: int,
    state: str,
) -> None:
    number = wording.message_id(followed.channel_id, followed.flow_id, "follow", turn)
    values = (number, followed.channel_id, followed.flow_id, *text, _url(followed), at_ns, at_ns, state)
    connection.execute(_WRITE, (*values, Jsonb(followed.facts)))


def _url(followed: Followed) -> str:
    elsewhere = followed.environment if followed.environment != settings.ENVIRONMENT else ""
    return settings.URL + wording.flow_path(followed.kind, followed.type, followed.key, elsewhere)
