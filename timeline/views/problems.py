"""`/problems` and `/problems/<24 hex>`: the list of problems, and a page for each with its flows and its story.

What people say of one is posted to `timeline.views.quieting`. The address is the question (`timeline.problemforms`).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe

from timeline import problemtext, sharing
from timeline.addresses import absolute, in_forms, with_query
from timeline.answers import NotFound, asked_format, json_answer, page_answer, text_answer, wants_part
from timeline.evidence import facts, stringed
from timeline.frozen import asked_copy, drawn
from timeline.problem import STATES, Problem
from timeline.problemforms import MuteForm, NoteForm, WordForm, read_flows, read_problems
from timeline.queries import affected, history, problems
from timeline.queries.problems import ProblemQuestion
from timeline.reader import name_of
from timeline.staged import is_staged
from timeline.strip import strip
from timeline.templatetags.threadline import reader_zone
from timeline.typeaddresses import type_url
from tracing.clock import now_ns
from tracing.watch.finding import KINDS

FILTERS = ("state", "kind", "type", "env", "system", "grey", "limit")
SHOWN_EFFECTS = 20
# Of a text that is pasted into a chat; the page has all.
MOST_FLOWS = 25
MOST_ENTRIES = 40


@dataclass(frozen=True, slots=True)
class Line:
    """A problem in the list, with what follows from it below, or what it follows from above."""

    problem: Problem
    cause: Problem | None = None


@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    question = read_problems(request.GET)
    asked = asked_format(request)
    page = problems.page(question)
    following = str(page.next) if page.next else None
    if asked == "json":
        told = [problem.as_json(settings.URL) for problem in page.problems]
        return json_answer({"problems": told, "next": following})
    lines = _grouped(page.problems)
    if asked != "html":
        text = problemtext.problem_lines([line.problem for line in lines], now_ns(), asked)
        more = f"\n\nMore: add cursor={following}" if following else ""
        if asked == "md" and text:
            head = problemtext.list_head(len(page.problems), question.state, bool(following))
            text = f"{head}\n\n{text}{more}\n\n[Problems in Threadline]({absolute('/problems')})"
            return text_answer(text, asked)
        return text_answer((text or "No problem matches.") + more, asked)
    context = _list_context(request, question, lines, following or "")
    template = "problems/list.html" if wants_part(request) else "problems/page.html"
    response = page_answer(request, template, context)
    response.headers["Vary"] = "HX-Request, Cookie"
    return response


@require_safe
def problem(request: HttpRequest, problem_id: str) -> HttpResponseBase:
    copy = asked_copy(request)
    return drawn(request, copy, answer, problem_id) if copy else answer(request, problem_id)


def answer(request: HttpRequest, problem_id: str) -> HttpResponse:
    """The same from wherever it was asked; drawn from a copy where the request stands on a stage."""
    found = asked_problem(problem_id)
    asked = asked_format(request)
    which, after, limit = read_flows(request.GET, 12 if asked == "html" else 50)
    now, earlier = affected.count(found.identity)
    is_now = which == "now" or (not which and bool(now or not earlier))
    flows, following = affected.page(found.identity, is_now, after, limit)
    told = history.entries(found)
    effects = problems.with_effects([found])[0].effects[:SHOWN_EFFECTS]
    found = replace(found, effects=effects)
    cause = problems.one(found.cause_id) if found.cause_id else None
    if asked == "json":
        return json_answer(_as_json(found, cause, flows, following, told))
    if asked != "html":
        return text_answer(_plain(found, cause, flows, told, asked), asked)
    at_ns = now_ns()
    address = sharing.own_address(request, found.path)
    context = {
        "problem": found,
        "cause": cause,
        "flows": flows,
        "tabs": _tabs(address, is_now, now, earlier),
        "first": with_query(address, {"flows": "now" if is_now else "earlier"}) if after else "",
        "following": with_query(address, {"flows": "now" if is_now else "earlier", "cursor": str(following)})
        if following
        else "",
        "entries": told[::-1],
        "strip": strip(history.bands(found, told), told, found.opened_ns, found.resolved_ns or at_ns),
        "ends_ns": found.resolved_ns or at_ns,
        "facts": facts(found.evidence),
        "type_href": type_url(found.type, environment=found.environment) if found.type else "",
        "share_href": with_query("/share", {"of": found.path}),
        "copies": [] if is_staged() else sharing.of_problem(found.identity),
        **in_forms(address),
    } | forms(request, found)
    return page_answer(request, "problems/problem.html", context)


def asked_problem(problem_id: str) -> Problem:
    """The problem of an address; raises NotFound with a sentence."""
    found = problems.one(bytes.fromhex(problem_id)) if re.fullmatch(r"[0-9a-f]{24}", problem_id) else None
    if found is None:
        raise NotFound("There is no problem at this address. It may be older than what is kept.")
    return found


def forms(request: HttpRequest, found: Problem) -> dict[str, Any]:
    """What can be said of it now, to be filled in."""
    said = {"name": name_of(request)}
    return {
        "word": WordForm(initial=said, auto_id="ack-%s"),
        "mute": MuteForm(
            None, reader_zone(request), initial=said | {"until": "time", "hours": 4}, auto_id="mute-%s"
        ),
        "note": NoteForm(initial=said, auto_id="note-%s"),
        "may_acknowledge": found.state in ("open", "muted"),
        "may_mute": found.state in ("open", "acknowledged"),
        "may_unmute": found.state in ("acknowledged", "muted"),
    }


def _grouped(page: Sequence[Problem]) -> list[Line]:
    """Effects under their cause where both are on the page; the others name it. What needs a person stands first."""
    here = {one.identity for one in page}
    away = {one.cause_id for one in page if one.cause_id and one.cause_id not in here}
    causes = problems.named(away)
    below: dict[bytes, list[Problem]] = {}
    for one in page:
        if one.cause_id in here and one.cause_id and one.cause_id != one.identity:
            below.setdefault(one.cause_id, []).append(one)
    placed: list[Line] = []
    for one in sorted(page, key=_rank):
        if not (one.cause_id in here and one.cause_id != one.identity):
            cause = causes.get(one.cause_id) if one.cause_id else None
            placed.append(Line(replace(one, effects=_below(one, below)), cause))
    shown = {told.identity for line in placed for told in (line.problem, *line.problem.effects)}
    # Whoever stands in a circle of causes has no first one.
    placed += [Line(one) for one in page if one.identity not in shown]
    return placed


def _below(cause: Problem, below: dict[bytes, list[Problem]]) -> list[Problem]:
    """All that follows from it, however far; each once."""
    told: list[Problem] = []
    met = {cause.identity}
    waiting = [cause.identity]
    while waiting:
        for one in below.get(waiting.pop(0), []):
            if one.identity not in met:
                met.add(one.identity)
                told.append(one)
                waiting.append(one.identity)
    return sorted(told, key=_rank)


def _rank(one: Problem) -> tuple[int, int]:
    """Those that stand by their gravity; what is over by when it was last seen, as it was read."""
    return (-one.severity, -one.flows) if one.is_standing else (0, -one.last_ns)


def _list_context(
    request: HttpRequest, question: ProblemQuestion, lines: Sequence[Line], following: str
) -> dict[str, Any]:
    asked = {name: value for name in FILTERS if (value := request.GET.get(name, ""))}

    def href(**changed: str) -> str:
        return with_query("/problems", asked | changed)

    return {
        "question": question,
        "lines": lines,
        "asked": asked,
        "states": _states(question, href),
        "kinds": KINDS,
        "choices": problems.choices(),
        "narrowed": bool(asked.keys() - {"state", "limit"}),
        "clear": with_query("/problems", {"state": asked.get("state", "")}),
        "first": href(),
        "following": href(cursor=following) if following else "",
        "is_later": question.after is not None,
        "name": name_of(request),
    }


def _states(question: ProblemQuestion, href: Callable[..., str]) -> list[dict[str, Any]]:
    counted = problems.counts(question)
    return [
        {
            "word": state,
            "href": href(state="" if state == "open" else state),
            "current": question.state == state,
            "count": counted.get(state),
            "besides": _besides(question) if state == "open" else "",
        }
        for state in (*STATES, "all")
    ]


def _besides(question: ProblemQuestion) -> str:
    """Why fewer need a person than are open: `2 grey, 1 follows from another`."""
    grey, behind = problems.not_needing(question)
    told = [f"{grey:,} grey"] if grey and question.grey != "only" else []
    if behind:
        told.append(
            f"{behind:,} {'follows' if behind == 1 else 'follow'} from {'another' if behind == 1 else 'others'}"
        )
    return ", ".join(told)


def _tabs(address: str, is_now: bool, now: int, earlier: int) -> list[dict[str, Any]]:
    return [
        {"word": word, "count": count, "current": current, "href": with_query(address, {"flows": name})}
        for word, name, count, current in (
            ("wrong now", "now", now, is_now),
            ("no longer", "earlier", earlier, not is_now),
        )
    ]


def _as_json(
    found: Problem,
    cause: Problem | None,
    flows: Sequence[affected.Affected],
    following: affected.FlowPlace | None,
    told: Sequence[history.Entry],
) -> dict[str, Any]:
    return {
        "problem": found.as_json(settings.URL)
        | {
            "all_flows": found.all_flows,
            "flaps": found.flaps,
            "quieted": stringed(found.quieted) or None,
            "evidence": stringed(found.evidence),
        },
        "cause": cause.as_json(settings.URL) if cause else None,
        "effects": [effect.as_json(settings.URL) for effect in found.effects],
        "flows": [one.as_json(settings.URL) for one in flows],
        "next": str(following) if following else None,
        "timeline": [
            {
                "at": str(entry.at_ns),
                "row": entry.what,
                "happened": entry.happened or None,
                "text": entry.text,
                "name": entry.name or None,
                "after": entry.after or None,
            }
            for entry in told
        ],
    }


def _plain(
    found: Problem,
    cause: Problem | None,
    flows: Sequence[affected.Affected],
    told: Sequence[history.Entry],
    asked: str,
) -> str:
    at_ns = now_ns()
    parts = [problemtext.head(found, at_ns, asked)]
    if cause:
        told_of = problemtext.problem_lines([cause], at_ns, asked)
        parts.append(f"{problemtext.heading('Follows from', asked)}\n{told_of}")
    if flows:
        listed = problemtext.flow_lines(flows[:MOST_FLOWS], at_ns, asked)
        all_of = f"Flows, {MOST_FLOWS} of {found.all_flows:,}" if len(flows) > MOST_FLOWS else "Flows"
        parts.append(f"{problemtext.heading(all_of, asked)}\n{listed}")
    parts.append(
        f"{problemtext.heading('Timeline', asked)}\n{problemtext.entry_lines(told[-MOST_ENTRIES:], asked)}"
    )
    return "\n\n".join([*parts, *filter(None, [problemtext.foot(found, asked)])])
