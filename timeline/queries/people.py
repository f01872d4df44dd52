"""What people said of a flow: that it is over, and who is told when it moves.

Notes are rows of the timeline (`queries.asides`); `timeline.views.words` writes all of it.
"""

from dataclasses import dataclass
from typing import NamedTuple

from django.db import connection

from timeline.summaries import FlowSummary

# The channels one may choose, and those that are told of this flow already.
_CHANNELS = """
SELECT c.id, c.label, c.enabled, f.id IS NOT NULL, f.name FROM tracing_channel c
LEFT JOIN tracing_follow f ON f.channel_id = c.id AND f.flow_id = %s
WHERE c.enabled OR f.id IS NOT NULL ORDER BY c.label
"""


class Closed(NamedTuple):
    at_ns: int
    reason: str
    name: str


class Listener(NamedTuple):
    """A channel; `follows` says whether it is told of the flow."""

    channel_id: int
    label: str
    enabled: bool
    follows: bool
    name: str | None


@dataclass(frozen=True, slots=True)
class Said:
    closed: Closed | None  # None where nobody closed it, or a younger record opened it again
    listeners: list[Listener]

    @property
    def followers(self) -> list[Listener]:
        return [one for one in self.listeners if one.follows]

    @property
    def free(self) -> list[Listener]:
        """The channels that one may choose."""
        return [one for one in self.listeners if one.enabled and not one.follows]


def read_said(flow: FlowSummary) -> Said:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT at_ns, reason, name FROM tracing_closure WHERE flow_id = %s ORDER BY at_ns DESC LIMIT 1",
            [flow.identity],
        )
        row = cursor.fetchone()
        cursor.execute(_CHANNELS, [flow.identity])
        listeners = [Listener(*told) for told in cursor.fetchall()]
    closed = Closed(*row) if row else None
    if closed and flow.last_ns is not None and flow.last_ns > closed.at_ns:
        closed = None
    return Said(closed, listeners)
