"""What Now tells beside the problems: the latest flows and requests with errors, senders gone quiet.

Bounded: only flows active in the last days, the latest first. What is in motion is counted by the watcher
(`timeline.queries.backlog`); `timeline.views.now` shows it.
"""

from django.db import connection

from timeline.queries.clauses import flow_clauses
from timeline.queries.requests import page as request_page
from timeline.queries.windows import read
from timeline.question import Question
from timeline.summaries import FLOW_COLUMNS, FlowSummary, completed, from_row
from tracing.models import Sender
from tracing.records import DAY_NS

DAYS = 7
SEARCH_S = 0.3
QUIET_NS = 10 * 60 * 1_000_000_000
DAY_MINUTES = 1_440
MOST_QUIET = 8
MOST_A_MINUTE = 100  # read to find the latest few: flows of one minute lie in no order


def failing(from_minute: int, limit: int) -> list[FlowSummary]:
    """The latest entities and workflows with errors, as far as a short search finds them."""
    question = Question(status="error", from_minute=from_minute)
    stretch = read(flow_clauses(question), FLOW_COLUMNS, None, MOST_A_MINUTE, SEARCH_S)
    return completed(_latest([from_row(row[2:]) for row in stretch.rows], limit))


def count_failing(from_minute: int) -> int:
    """How many entities and workflows active since then carry errors. Served by flow_failing, which holds no others."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM flow WHERE errors > 0 AND activity >= %s", [from_minute])
        return int(cursor.fetchone()[0])


def failing_requests(from_minute: int, limit: int) -> list[FlowSummary]:
    """The latest failed requests."""
    question = Question(kind="request", status="error", from_minute=from_minute, limit=MOST_A_MINUTE)
    flows, _, _ = request_page(question, None)
    return completed(_latest(flows, limit))


def _latest(flows: list[FlowSummary], limit: int) -> list[FlowSummary]:
    """The index knows the minute only; of one minute the latest first."""
    return sorted(flows, key=lambda flow: (-flow.activity, -(flow.last_ns or 0)))[:limit]


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
