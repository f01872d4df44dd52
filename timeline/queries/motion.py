"""What the Now page asks the store: flows by type and state, the latest with errors, senders gone quiet.

Bounded: only flows active in the last days, and of them the newest `MAX_FLOWS`. `timeline.views.now` shows it.
"""

from dataclasses import dataclass

from django.db import connection

from timeline.queries.clauses import flow_clauses
from timeline.queries.requests import page as request_page
from timeline.queries.windows import read
from timeline.question import Question
from timeline.summaries import FLOW_COLUMNS, KIND_OF, FlowSummary, completed, from_row
from tracing.models import Sender

DAYS = 7
MAX_FLOWS = 20_000
MAX_GROUPS = 40
SEARCH_S = 0.3
QUIET_NS = 10 * 60 * 1_000_000_000
DAY_MINUTES = 1_440
DAY_NS = 86_400_000_000_000


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
    is_cut: bool  # there were more than MAX_FLOWS
    from_minute: int


def motion(now_minute: int) -> Motion:
    """Flows by type and state over the last days, the most numerous of each type first."""
    from_minute = now_minute - DAYS * DAY_MINUTES
    with connection.cursor() as cursor:
        # flow_recent, newest first: the limit bounds the rows read, not the groups.
        cursor.execute(
            "SELECT kind, type, coalesce(state, step), count(*), count(*) FILTER (WHERE errors > 0),"
            " min(coalesce(state_since_ns, step_ns, last_ns)) FROM (SELECT * FROM flow WHERE activity >= %s"
            " ORDER BY activity DESC, flow_id DESC LIMIT %s) AS newest GROUP BY 1, 2, 3 ORDER BY 2, 4 DESC, 3",
            [from_minute, MAX_FLOWS],
        )
        rows = cursor.fetchall()
    groups = [Group(KIND_OF[row[0]], *row[1:]) for row in rows]
    return Motion(groups[:MAX_GROUPS], sum(group.flows for group in groups) >= MAX_FLOWS, from_minute)


def failing(from_minute: int, limit: int) -> list[FlowSummary]:
    """The latest entities and workflows with errors, as far as a short search finds them."""
    question = Question(status="error", from_minute=from_minute)
    stretch = read(flow_clauses(question), FLOW_COLUMNS, None, limit, SEARCH_S)
    return completed([from_row(row[2:]) for row in stretch.rows])


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
