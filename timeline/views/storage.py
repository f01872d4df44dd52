"""`/settings/storage`: what is stored per day, how much room it takes, and what will go when.

`timeline.queries.storage` reads it, `timeline.storage` says when. There is nothing to post here.
"""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from timeline.answers import asked_format, json_answer, page_answer, text_answer
from timeline.queries.hits import date_of
from timeline.queries.storage import Stored, read_stored
from timeline.storage import GB, Line, Rules, lines, sized
from tracing.lengths import DAY_NS


@require_safe
def storage(request: HttpRequest) -> HttpResponse:
    asked = asked_format(request)
    limit = settings.RETENTION_GB * GB or None
    rules = Rules(settings.RETENTION_DAYS, settings.PROBLEM_RETENTION_DAYS, limit)
    stored = read_stored()
    told = lines(stored, rules)
    if asked == "json":
        return json_answer(_as_json(stored, told, rules))
    if asked != "html":
        return text_answer(_plain(stored, told, rules, asked), asked)
    context = {
        "rows": [_row(line) for line in told],
        "stored_days": sum(line.day.dropped_ns is None and line.records > 0 for line in told),
        "thinned_days": sum(line.state.startswith("thinned") for line in told),
        "early_days": sum(line.day.early for line in told),
        "records": sum(line.records for line in told),
        "size": sized(stored.size),
        "database": sized(stored.database),
        "rules": rules,
        "flow_days": settings.FLOW_RETENTION_DAYS,
        "limit": sized(limit) if limit else None,
        "percent": round(100 * stored.size / limit) if limit else None,
        "undated": stored.undated,
        "undated_size": sized(stored.undated.size),
    }
    return page_answer(request, "settings/storage.html", context)


def _row(line: Line) -> dict[str, Any]:
    day = line.day.day or 0
    return {
        "line": line,
        "date": date_of(day),
        "from_ns": day * DAY_NS,
        "to_ns": (day + 1) * DAY_NS - 1,
        "size": sized(line.day.size),
        "share": _share(line),
        "thins": _date(line.thins_on),
        "drops": _date(line.drops_on),
        "thinned": _date(line.day.thinned_ns // DAY_NS) if line.day.thinned_ns else None,
        "dropped": _date(line.day.dropped_ns // DAY_NS) if line.day.dropped_ns else None,
    }


def _date(day: int | None) -> str | None:
    return None if day is None else date_of(day)


def _share(line: Line) -> str:
    if line.kept_percent is None:
        return ""
    return f"{line.kept_percent:.1f} %" if line.kept_percent < 10 else f"{line.kept_percent:.0f} %"


def _as_json(stored: Stored, told: Sequence[Line], rules: Rules) -> dict[str, Any]:
    return {
        "settings": {
            "THREADLINE_RETENTION_DAYS": rules.whole_days,
            "THREADLINE_PROBLEM_RETENTION_DAYS": rules.kept_days,
            "THREADLINE_RETENTION_GB": settings.RETENTION_GB or None,
            "THREADLINE_FLOW_RETENTION_DAYS": settings.FLOW_RETENTION_DAYS,
        },
        "size": stored.size,
        "limit": rules.limit,
        "database": stored.database,
        "days": [_day_json(line) for line in told],
        "undated": {"spans": stored.undated.spans, "logs": stored.undated.logs, "size": stored.undated.size},
    }


def _day_json(line: Line) -> dict[str, Any]:
    day = line.day
    return {
        "day": date_of(day.day or 0),
        "state": line.state,
        "spans": day.spans,
        "logs": day.logs,
        "size": day.size,
        "whole_records": day.whole_records,
        "kept_records": day.kept_records,
        "thinned_at": None if day.thinned_ns is None else str(day.thinned_ns),
        "dropped_at": None if day.dropped_ns is None else str(day.dropped_ns),
        "thins_on": _date(line.thins_on),
        "drops_on": _date(line.drops_on),
    }


def _plain(stored: Stored, told: Sequence[Line], rules: Rules, asked: str) -> str:
    """A line a day; in Markdown a list."""
    limit = f" of {sized(rules.limit)}" if rules.limit else ""
    head = f"{sized(stored.size)}{limit} in {len(told)} days; the database takes {sized(stored.database)}."
    return "\n".join([head, "", *(("- " if asked == "md" else "") + _said(line) for line in told)])


def _said(line: Line) -> str:
    parts = [
        date_of(line.day.day or 0), line.state, f"about {line.records:,} records", sized(line.day.size),
        f"{_share(line)} kept" if line.kept_percent is not None else "",
        f"thinned on {_date(line.thins_on)}" if line.thins_on else "",
        f"dropped on {_date(line.drops_on)}" if line.drops_on else "",
    ]  # fmt: skip
    return " · ".join(part for part in parts if part)
