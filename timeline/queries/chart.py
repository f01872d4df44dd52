"""Flows over time, as the bars above a list: how many were last active in each stretch.

Bounded whatever is stored: up to `EXACT_ROWS` in the range are counted, beyond it a sample of the table's pages
tells the shape and the answer says that it is an estimate. `timeline.bars` draws it.
"""

from dataclasses import dataclass

from django.db import connection

from timeline.queries import verdicts
from timeline.queries.clauses import Clauses, Conditions, flow_clauses, request_clauses
from timeline.question import Question

MAX_BARS = 60
EXACT_ROWS = 10_000
SAMPLE_PAGES = 600
COSTLY = 6  # a costly condition is checked for so many times fewer rows
DEFAULT_MINUTES = 7 * 1_440
WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440, 2_880, 10_080, 20_160, 43_200, 525_600)


@dataclass(frozen=True, slots=True)
class Chart:
    """Counts of stretches of `width` minutes from minute `first` on, and how many of each carry errors."""

    first: int
    width: int
    counts: tuple[int, ...]
    failing: tuple[int, ...]
    estimated: bool

    @property
    def end(self) -> int:
        return self.first + self.width * len(self.counts)


def chart(question: Question) -> Chart | None:
    """The bars of a question's range, by default the last seven days that hold anything; None without flows."""
    clauses = request_clauses(question) if question.of_requests else flow_clauses(question)
    # A sample would miss the few that are wrong.
    identities = verdicts.identities(question)
    if identities is not None:
        clauses.indexed.add("flow_id = ANY(%s)", identities)
    limits = _limits(question, clauses)
    if limits is None:
        return None
    low, high = limits
    width = next((width for width in WIDTHS if (high - low) / width < MAX_BARS - 1), WIDTHS[-1])
    first = low // width * width
    bars = min(MAX_BARS, (high - first) // width + 1)
    counted, estimated = _counts(question, clauses, (first, first + bars * width), width, identities)
    stretches = [counted.get(first // width + bar, (0, 0)) for bar in range(bars)]
    return Chart(
        first, width, tuple(all for all, _ in stretches), tuple(bad for _, bad in stretches), estimated
    )


def _limits(question: Question, clauses: Clauses) -> tuple[int, int] | None:
    """First and last minute to draw. Read from both ends of the index."""
    if question.from_minute is not None and question.to_minute is not None:
        return question.from_minute, question.to_minute - 1
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT min(activity), max(activity) FROM {clauses.table} {clauses.indexed.where}",
            clauses.indexed.values,
        )
        low, high = cursor.fetchone() or (None, None)
    if low is None or high is None:
        return None
    return (max(low, high - DEFAULT_MINUTES) if question.from_minute is None else low), high


def _counts(
    question: Question,
    clauses: Clauses,
    limits: tuple[int, int],
    width: int,
    identities: list[bytes] | None,
) -> tuple[dict[int, tuple[int, int]], bool]:
    parts = COSTLY if clauses.costly else 1
    exact_rows, sample_pages = EXACT_ROWS // parts, SAMPLE_PAGES // parts
    # A trace has a row for each of its days, and the list shows it once.
    one = f"DISTINCT {clauses.identity}" if question.of_requests else "*"
    inside = Conditions()
    if question.type and not question.of_requests:
        inside.add("type = %s", question.type)
    inside.add("activity >= %s AND activity < %s", *limits)
    if identities is not None:
        inside.add("flow_id = ANY(%s)", identities)
    with connection.cursor() as cursor:
        # The order keeps the planner on the list's own index, also where it has no statistics yet.
        cursor.execute(
            f"SELECT count(*) FROM (SELECT 1 FROM {clauses.table} {inside.where}"
            " ORDER BY activity DESC LIMIT %s) AS few",
            [*inside.values, exact_rows + 1],
        )
        (few,) = cursor.fetchone()
        share = 1.0 if few <= exact_rows else _share(clauses.table, sample_pages)
        sample = "" if share >= 1 else f" TABLESAMPLE SYSTEM ({share * 100:.4f}) REPEATABLE (1)"
        asked = inside + clauses.picky
        cursor.execute(
            f"SELECT floor(activity::float / %s)::int, count({one}), count({one}) FILTER (WHERE {clauses.failing})"
            f" FROM {clauses.table}{sample} {asked.where} GROUP BY 1",
            [width, *asked.values],
        )
        counted = {bucket: (round(all / share), round(bad / share)) for bucket, all, bad in cursor.fetchall()}
        return counted, share < 1


def _share(table: str, sample_pages: int) -> float:
    """Which part of the table's pages a sample reads."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(pg_relation_size(relid)) / 8192 FROM pg_partition_tree(%s::regclass) WHERE isleaf",
            [table],
        )
        pages = cursor.fetchone()[0] or 0
        if not pages:
            cursor.execute("SELECT pg_relation_size(%s::regclass) / 8192", [table])
            pages = cursor.fetchone()[0]
    return min(1.0, sample_pages / max(1, int(pages)))
