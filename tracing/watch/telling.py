"""The duty that turns flips into messages: each flip is told in the transaction that makes its messages.

`routing` decides who is told, `wording` what it says, `following` tells those who follow one flow, `sending` carries
the messages out. One watcher tells at a time, so that a problem's opening is never behind its end.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from django.conf import settings
from psycopg.types.json import Jsonb

from tracing.clock import now_ns
from tracing.lengths import SECOND_NS
from tracing.watch import following, routing, wording
from tracing.watch.following import Flip
from tracing.watch.routing import Matter, Route, Told

# "TLTE": one watcher tells at a time.
TELL_LOCK = 0x544C5445
FLIPS = 1_000

_UNTOLD = """
SELECT flip_id, flow_id, problem_id, before, after, step, system, sentence, judged_ns FROM flip WHERE NOT told
ORDER BY judged_ns, at_ns, flip_id LIMIT %s FOR UPDATE SKIP LOCKED
"""
_ROUTES = """
SELECT r.channel_id, r.id, r.position, r.types, r.kinds, r.environment, r.severity, r.wait_s, r.interval_s,
    r.repeat_s, r.goes_on, r.enabled AND c.enabled
FROM tracing_route r JOIN tracing_channel c ON c.id = r.channel_id
"""
# Those whose flips came, and all that stand: what they say now is what is told.
_PROBLEMS = """
SELECT p.problem_id, p.kind, p.type, p.environment, p.severity, p.state, p.title, p.why, p.flows, p.all_flows,
    p.first_ns, p.opened_ns, p.resolved_ns, p.flaps, p.cause_id, coalesce(c.state <> 'resolved' AND c.state <> 'forming', false)
FROM problem p LEFT JOIN problem c ON c.problem_id = p.cause_id
WHERE p.problem_id = ANY(%s) OR (p.state IN ('open', 'acknowledged', 'muted') AND p.severity > 1)
ORDER BY p.state <> 'resolved', p.opened_ns, p.problem_id
"""
# The last message about each on each channel, and whether any of them may have arrived.
_TOLD = """
SELECT DISTINCT ON (problem_id, channel_id) problem_id, channel_id, phase, at_ns, not_before_ns, state, attempts,
    facts, doubtful, message_id, bool_or(state IN ('sent', 'trying') OR (state = 'waiting' AND attempts > 0))
        OVER (PARTITION BY problem_id, channel_id)
FROM message WHERE problem_id = ANY(%s) AND state <> 'dropped' AND phase <> 'test'
ORDER BY problem_id, channel_id, at_ns DESC, message_id
"""
# The same message is never there twice; one that was dropped before anybody sent it may be needed after all.
_WRITE = """
INSERT INTO message AS m (message_id, channel_id, problem_id, phase, subject, body, url, at_ns, not_before_ns, state, facts)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'waiting', %s)
ON CONFLICT (message_id) DO UPDATE SET state = 'waiting', error = '', subject = excluded.subject, body = excluded.body,
    at_ns = excluded.at_ns, not_before_ns = excluded.not_before_ns, facts = excluded.facts, xid = excluded.xid
WHERE m.state = 'dropped' AND m.attempts = 0
"""
# One that nobody has tried to send says what is so when it goes out.
_REFRESH = """
UPDATE message SET subject = %(subject)s, body = %(body)s, facts = %(facts)s WHERE message_id = %(message)s
AND state = 'waiting' AND attempts = 0 AND (subject, body, facts) IS DISTINCT FROM (%(subject)s, %(body)s, %(facts)s)
"""
_DROP = """
UPDATE message SET state = 'dropped', error = %s, xid = pg_current_xact_id()
WHERE message_id = %s AND state = 'waiting' AND attempts = 0
"""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem as it stands, in the order of `_PROBLEMS`."""

    problem_id: bytes
    kind: str
    type: str
    environment: str
    severity: int
    state: str
    title: str
    why: str
    flows: int
    all_flows: int
    first_ns: int
    opened_ns: int
    resolved_ns: int | None
    flaps: int
    cause_id: bytes | None
    folded: bool

    @property
    def matter(self) -> Matter:
        return Matter(
            self.kind, self.type, self.environment, self.severity, self.state, self.folded, self.all_flows
        )


@dataclass(frozen=True, slots=True)
class Last:
    """The last message about a problem on a channel. `fresh`: nobody has tried to send it."""

    message_id: str
    made_ns: int
    told: Told
    title: str
    fresh: bool
    arrived: bool  # it or one before it


class Pen:
    """Writes the messages of one round, each a nanosecond after the one before, so that their order is kept.

    Also after those of a round just before (`made_ns`): a clock that is set may stand still.
    """

    def __init__(self, connection: psycopg.Connection, at_ns: int, made_ns: Iterable[int]) -> None:
        self.connection = connection
        self.began_ns = at_ns
        self.at_ns = max((made + 1 for made in made_ns if at_ns <= made < at_ns + SECOND_NS), default=at_ns)

    def write(
        self,
        channel_id: int,
        problem: Problem,
        phase: str,
        turn: str,
        wait_s: int = 0,
        last: Last | None = None,
    ) -> None:
        subject, body, url, facts = worded(problem, phase, self.at_ns, last)
        number = wording.message_id(channel_id, problem.problem_id, phase, turn)
        not_before_ns = self.began_ns + wait_s * SECOND_NS
        self.connection.execute(
            _WRITE,
            (number, channel_id, problem.problem_id, phase, subject, body, url, self.at_ns, not_before_ns,
             Jsonb(facts)),
        )  # fmt: skip
        self.at_ns += 1


def work(connection: psycopg.Connection) -> bool:
    """Tell what is untold and what is due of what stands. True where more flips wait. `connection` is in autocommit."""
    with connection.transaction():
        row = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (TELL_LOCK,)).fetchone()
        if row is None or not row[0]:
            return False
        flips = [Flip(*row) for row in connection.execute(_UNTOLD, (FLIPS,)).fetchall()]
        at_ns = now_ns()
        _tell_problems(connection, [flip for flip in flips if flip.problem_id is not None], at_ns)
        following.tell(connection, [flip for flip in flips if flip.flow_id is not None], at_ns)
        if flips:
            ids = [flip.flip_id for flip in flips]
            connection.execute("UPDATE flip SET told = true WHERE flip_id = ANY(%s)", (ids,))
    return len(flips) == FLIPS


def _tell_problems(connection: psycopg.Connection, flips: Sequence[Flip], at_ns: int) -> None:
    turned: dict[bytes, list[Flip]] = defaultdict(list)
    for flip in flips:
        turned[flip.problem_id or b""].append(flip)
    problems = [Problem(*row) for row in connection.execute(_PROBLEMS, (list(turned),)).fetchall()]
    if not problems:
        return
    routes = read_routes(connection)
    told = _told(connection, [problem.problem_id for problem in problems])
    pen = Pen(
        connection, at_ns, (last.made_ns for by_channel in told.values() for last in by_channel.values())
    )
    for problem in problems:
        _tell(pen, problem, turned[problem.problem_id], told[problem.problem_id], routes)


def read_routes(connection: psycopg.Connection) -> list[Route]:
    rows = connection.execute(_ROUTES).fetchall()
    return [
        Route(channel, route, position, frozenset(types), frozenset(kinds), *rest)
        for channel, route, position, types, kinds, *rest in rows
    ]


def _told(connection: psycopg.Connection, ids: list[bytes]) -> dict[bytes, dict[int, Last]]:
    """By problem and channel."""
    found: dict[bytes, dict[int, Last]] = defaultdict(dict)
    for row in connection.execute(_TOLD, (ids,)).fetchall():
        problem, channel, phase, made_ns, not_before_ns, state, attempts, facts, doubtful, number, arrived = (
            row
        )
        pending = state in ("waiting", "trying")
        told = Told(
            phase, max(made_ns, not_before_ns), facts.get("kind", ""), facts.get("severity", 0),
            facts.get("flows", 0), pending,
        )  # fmt: skip
        fresh = state == "waiting" and attempts == 0 and not doubtful
        found[problem][channel] = Last(number, made_ns, told, facts.get("title", ""), fresh, bool(arrived))
    return found


def _tell(
    pen: Pen, problem: Problem, flips: Sequence[Flip], told: dict[int, Last], routes: Sequence[Route]
) -> None:
    if problem.state == "resolved":
        _all_clear(pen, problem, flips, told)
        return
    matter = problem.matter
    for last in [last for last in told.values() if last.fresh]:
        _keep_fresh(pen, problem, last)
    found = {route.channel_id: route for route in routing.ways(matter, routes)}
    for channel_id, route in found.items():
        turn = _opening(problem, flips, told.get(channel_id))
        if turn:
            pen.write(channel_id, problem, "opened", turn, route.wait_s)
    unmuted = any(flip.before == "muted" and flip.after == "open" for flip in flips)
    for channel_id, last in told.items():
        phase = routing.next_phase(matter, last.told, found.get(channel_id), pen.at_ns)
        if not phase and unmuted and channel_id in found and not last.told.pending:
            phase = "repeat"
        if phase:
            # What was told last names the turn: asked twice, it is the same message.
            pen.write(channel_id, problem, phase, last.message_id, last=last)


def _opening(problem: Problem, flips: Sequence[Flip], last: Last | None) -> str:
    """The turn under which a channel hears of an open problem first; empty where nothing new happened.

    A route that came later does not tell what stands since long; an effect is told once its cause is gone.
    """
    if last is not None and last.told.phase != "resolved":
        return ""
    if flips:
        return flips[-1].flip_id.hex()
    return f"after {problem.cause_id.hex()}" if problem.cause_id and last is None else ""


def _keep_fresh(pen: Pen, problem: Problem, last: Last) -> None:
    """A message that still waits is changed to what is so now, or dropped where nobody needs it any more."""
    phase = last.told.phase
    stands = routing.STANDS if phase == "worse" else {"open"}
    if phase == "resolved":
        return
    if problem.folded:
        pen.connection.execute(_DROP, ("It follows from another problem.", last.message_id))
    elif problem.state not in stands:
        pen.connection.execute(_DROP, (f"It was {problem.state} before it went out.", last.message_id))
    elif phase == "opened":
        subject, body, _, facts = worded(problem, "opened", pen.at_ns, None)
        text = {"subject": subject, "body": body, "facts": Jsonb(facts), "message": last.message_id}
        pen.connection.execute(_REFRESH, text)


def _all_clear(pen: Pen, problem: Problem, flips: Iterable[Flip], told: dict[int, Last]) -> None:
    """To whoever was told that it opened, and to nobody else; what was not sent yet need not be."""
    ends = [flip for flip in flips if flip.after == "resolved"]
    for channel_id, last in told.items():
        if last.fresh and last.told.phase != "resolved":
            pen.connection.execute(_DROP, ("It was resolved before it went out.", last.message_id))
            if last.told.phase == "opened":
                continue
        if ends and ends[-1].before != "muted" and last.arrived and last.told.phase != "resolved":
            pen.write(channel_id, problem, "resolved", ends[-1].flip_id.hex(), last=last)


def worded(
    problem: Problem, phase: str, at_ns: int, last: Last | None
) -> tuple[str, str, str, dict[str, Any]]:
    """Subject, body, link, and the facts from which the next message counts."""
    # Once nothing is wrong any more a title would count to zero: the all-clear names what was told.
    title = (last.title if last and phase == "resolved" else "") or problem.title
    numbers = wording.Numbers(
        problem.flows, problem.all_flows, problem.first_ns, problem.opened_ns, problem.environment,
        max(0, problem.all_flows - last.told.flows) if last else 0, problem.flaps,
    )  # fmt: skip
    url = f"{settings.URL}/problems/{problem.problem_id.hex()}"
    until_ns = (problem.resolved_ns or at_ns) if phase == "resolved" else at_ns
    facts = {"kind": problem.kind, "severity": problem.severity, "flows": problem.all_flows, "title": title}
    subject = wording.problem_subject(phase, title, problem.kind, numbers, until_ns)
    return subject, wording.problem_body(problem.why, numbers, url), url, facts
