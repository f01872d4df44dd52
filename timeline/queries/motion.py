"""What the Now page asks the store: flows by type and state, the latest with errors, senders gone quiet.

Bounded: only flows active in the last days, and of each type the newest `FLOWS_A_TYPE`; of each state the flows seen
first are asked since when it holds (`timeline.queries.systems`). `timeline.views.now` shows it.
"""

from collections import Counter
from dataclasses import dataclass, replace

from django.db import connection

from timeline.queries.clauses import flow_clauses
from timeline.queries.requests import page as request_page
from timeline.queries.systems import begun_ns, read_systems
from timeline.queries.windows import read
from timeline.question import Question
from timeline.summaries import FLOW_COLUMNS, KIND_OF, FlowSummary, completed, from_row
from tracing.models import Sender
from tracing.records import DAY_NS, FIRST_NS, LAST_NS, is_plausible

DAYS = 7
MAX_TYPES = 40
FLOWS_A_TYPE = 2_000
MAX_GROUPS = 60
SEARCH_S = 0.3
QUIET_NS = 10 * 60 * 1_000_000_000
DAY_MINUTES = 1_440
# A row of `flow` knows when its state was last repeated, not since when it holds, and to ask that of every flow takes
# too long. Whoever is longest in a state was seen early, so these are asked, and as many statements of each are read.
SEEN_FIRST = 8
STATEMENTS = 500


# A loose scan finds the types with one index probe each; then the newest flows of each, grouped.
_MOTION = """
WITH RECURSIVE types AS (
    (SELECT type FROM flow ORDER BY type LIMIT 1)
    UNION ALL
    SELECT (SELECT f.type FROM flow f WHERE f.type > types.type ORDER BY f.type LIMIT 1)
    FROM types WHERE types.type IS NOT NULL
)
SELECT newest.kind, newest.type, newest.said, count(*), count(*) FILTER (WHERE newest.errors > 0) AS failing,
       min(newest.since_ns) FILTER (WHERE newest.since_ns >= %(first_ns)s AND newest.since_ns < %(last_ns)s),
       (array_agg(newest.flow_id ORDER BY newest.first_ns, newest.flow_id))[:%(seen_first)s]
FROM (SELECT type FROM types WHERE type IS NOT NULL LIMIT %(types)s) AS one, LATERAL (
    SELECT f.flow_id, f.first_ns, f.kind, f.type, coalesce(f.state, f.step) AS said, f.errors,
           coalesce(f.state_since_ns, f.step_ns, f.last_ns) AS since_ns
    FROM flow f WHERE f.type = one.type AND f.activity >= %(from)s
    ORDER BY f.activity DESC, f.flow_id DESC LIMIT %(flows)s
) AS newest
GROUP BY 1, 2, 3 ORDER BY 2, failing DESC, 4 DESC, 3
"""


@dataclass(frozen=True, slots=True)
class Group:
    """Flows of one type in one state. `since_ns`: how long the one longest in it has been."""

    kind: str
    type: str
    state: str | None
    flows: int
    failing: int
    since_ns: int | None


@dataclass(frozen=True, slots=True)
class Motion:
    groups: list[Group]
    cut_types: frozenset[str]  # types with more flows than FLOWS_A_TYPE
    from_minute: int


def motion(now_minute: int) -> Motion:
    """Flows by type and state over the last days; within a type the failing ones first, then the most numerous."""
    from_minute = now_minute - DAYS * DAY_MINUTES
    with connection.cursor() as cursor:
        # flow_type_recent, newest first of each type: the limits bound the rows read.
        cursor.execute(
            _MOTION,
            {
                "from": from_minute,
                "types": MAX_TYPES,
                "flows": FLOWS_A_TYPE,
                "seen_first": SEEN_FIRST,
                "first_ns": FIRST_NS,
                "last_ns": LAST_NS,
            },
        )
        rows = cursor.fetchall()
    groups = [Group(KIND_OF[row[0]], *row[1:6]) for row in rows]
    sums: Counter[str] = Counter()
    for group in groups:
        sums[group.type] += group.flows
    cut = frozenset(type for type, flows in sums.items() if flows >= FLOWS_A_TYPE)
    return Motion(_begun(groups[:MAX_GROUPS], [row[6] for row in rows]), cut, from_minute)


def _begun(groups: list[Group], seen_first: list[list[bytes]]) -> list[Group]:
    """The groups since when their states hold, not since when they were last repeated."""
    asked = [[bytes(flow) for flow in flows] for flows in seen_first[: len(groups)]]
    systems = read_systems([flow for flows in asked for flow in flows], STATEMENTS)
    found = []
    for group, flows in zip(groups, asked, strict=True):
        begun = (begun_ns(systems.get(flow, ()), group.state) for flow in flows)
        known = [time_ns for time_ns in (group.since_ns, *begun) if time_ns and is_plausible(time_ns)]
        found.append(replace(group, since_ns=min(known, default=None)))
    return found


def failing(from_minute: int, limit: int) -> list[FlowSummary]:
    """The latest entities and workflows with errors, as far as a short search finds them."""
    question = Question(status="error", from_minute=from_minute)
    stretch = read(flow_clauses(question), FLOW_COLUMNS, None, limit, SEARCH_S)
    return completed([from_row(row[2:]) for row in stretch.rows])


def count_failing(from_minute: int) -> int:
    """How many entities and workflows active since then carry errors. Served by flow_failing, which holds no others."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM flow WHERE errors > 0 AND activity >= %s", [from_minute])
        return int(cursor.fetchone()[0])


def failing_requests(from_minute: int, limit: int) -> list[FlowSummary]:
    """The latest failed requests."""
    question = Question(kind="request", status="error", from_minute=from_minute, limit=limit)
    flows, _, _ = request_page(question, None)
    return completed(flows)


def has_any() -> bool:
    """Whether anything was ever received and is still listed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM request) OR EXISTS (SELECT 1 FROM flow)")
        return bool(cursor.fetchone()[0])


def quiet_senders(now_ns: int, limit: int) -> list[Sender]:
    """Senders heard in the last days but not in the last ten minutes, the latest to fall silent first."""
    between = (now_ns - DAYS * DAY_NS, now_ns - QUIET_NS)
    return list(
        Sender.objects.filter(last_seen_ns__range=between)
        .exclude(service="")
        .order_by("-last_seen_ns")[:limit]
    )
