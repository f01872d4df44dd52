"""`/types` and `/types/<type>`: how flows of each type really go, who stands where, and how much is learned of it.

The watcher has counted and learned it (`timeline.queries.types`); `timeline.steps` makes lines of it. The pages
under a type, where people say what they know, are `timeline.views.typesettings` and `.expectations`.
"""

from collections import Counter
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from timeline import moments
from timeline.addresses import absolute, flow_url
from timeline.answers import NotFound, asked_format, json_answer, page_answer, text_answer
from timeline.plain import cell, one_line
from timeline.queries.types import LearnedStep, TypeLine, learned_steps, standings, type_lines
from timeline.steps import StepLine, learning_words, rhythm_words, seen_steps, step_lines, strip
from timeline.typeaddresses import flows_url, type_asked, type_url
from tracing.clock import now_ns
from tracing.people import ExpectationRule, TypeSettings
from tracing.values import storable
from tracing.watch.proposing import propose

COUNTS = ("open", "late", "stuck")


@require_safe
def types(request: HttpRequest) -> HttpResponse:
    asked = asked_format(request)
    lines = type_lines()
    if asked == "json":
        return json_answer({"types": [_line_json(line) for line in lines]})
    if asked != "html":
        return text_answer(
            "\n".join(_line_text(line, asked) for line in lines) or "No type is known yet.", asked
        )
    context = {"lines": [_linked(line) for line in lines], "default": settings.ENVIRONMENT}
    return page_answer(request, "types/list.html", context)


@require_safe
def type_page(request: HttpRequest, type: str) -> HttpResponse:
    type, asked = type_asked(request, type), asked_format(request)
    said = TypeSettings.objects.filter(type=type).first()
    rules = list(ExpectationRule.objects.filter(type=type).select_related("calendar"))
    places = type_lines(type)
    if not places and said is None and not rules:
        raise NotFound(f"No entity or workflow of type {type} was seen.", type)
    environment = chosen_environment(request, [line.environment for line in places])
    learned = learned_steps(type, environment)
    standing = standings(type, environment)
    lines = step_lines(learned, standing, said, _of(rules, environment))
    here = [line for line in places if line.environment == environment]
    told = _Told(type, environment, here, lines, learned)
    if asked == "json":
        return json_answer(told.as_json())
    if asked != "html":
        return text_answer(told.as_text(asked), asked)
    context = told.context() | {
        "series_rules": [rule for rule in _of(rules, environment) if rule.subject == "series"],
        "others": [
            (other, type_url(type, environment=other))
            for other in sorted({line.environment for line in places} - {environment})
        ],
        "questions": propose(seen_steps(lines), {}, said.answers if said else {}).questions,
        "counted_ns": max((one.counted_ns for one in standing), default=None),
        "learned_ns": max((one.learned_ns for one in learned), default=None),
    }
    return page_answer(request, "types/page.html", context)


def chosen_environment(request: HttpRequest, known: list[str]) -> str:
    """The one asked for; the default where the type is there, else the first it was seen in."""
    asked = storable(request.GET.get("env", ""))
    if asked:
        return asked
    return settings.ENVIRONMENT if settings.ENVIRONMENT in known or not known else sorted(known)[0]


class _Told:
    """One type in one environment, in every form it is asked for."""

    def __init__(
        self,
        type: str,
        environment: str,
        here: list[TypeLine],
        lines: list[StepLine],
        learned: list[LearnedStep],
    ) -> None:
        self.type, self.environment, self.lines = type, environment, lines
        wholes = [one for one in learned if not one.step and one.source != "series"]
        self.whole = max(wholes, key=lambda one: one.passed, default=None)
        self.series = next((one for one in learned if one.source == "series"), None)
        self.flows = sum(line.flows for line in here)
        self.is_cut = any(line.is_cut for line in here)
        self.kind = here[0].kind if here else ""
        counted = [line.standing for line in lines if line.standing]
        self.counts = {name: sum(getattr(one, name) for one in counted) for name in COUNTS} if counted else {}
        self.known = sum(
            line.learned is not None and (bool(line.end) or _has_threshold(line)) for line in lines
        )

    @property
    def learning(self) -> str:
        return f"{self.known} of {len(self.lines)} step{'' if len(self.lines) == 1 else 's'} learned"

    def context(self) -> dict[str, Any]:
        counts = [
            {"name": name, "count": count, "href": flows_url(self.type, self.environment, "", name)}
            for name, count in self.counts.items()
        ]
        return {
            "type": self.type,
            "environment": self.environment,
            "is_default": self.environment == settings.ENVIRONMENT,
            "kind": self.kind,
            "flows": self.flows,
            "is_cut": self.is_cut,
            "flows_href": flows_url(self.type, self.environment),
            "counts": counts,
            "learning": self.learning,
            "lines": [self._linked(line) for line in self.lines],
            "strip": strip(self.lines),
            "whole": learning_words(self.whole) if self.whole else "",
            "rhythm": rhythm_words(self.series),
            "links": page_links(self.type, self.environment),
        }

    def _linked(self, line: StepLine) -> dict[str, Any]:
        standing = line.standing
        # Where others were counted, nobody stands here; where nobody was, it is not known.
        uncounted = 0 if self.counts else None
        cells = [
            {
                "name": name,
                "count": getattr(standing, name) if standing else uncounted,
                "href": flows_url(self.type, self.environment, line.name, name),
            }
            for name in COUNTS
        ]
        oldest = ""
        if standing and standing.oldest_key is not None:
            oldest = flow_url(standing.kind, self.type, standing.oldest_key, self.environment)
        steps = {other.name: other.number for other in self.lines}
        # Systems may call their steps alike: then it is told whose.
        names = Counter(way.step for way, _ in line.ways) + Counter([line.name])
        ways = [
            (way, share, steps.get(way.step), way.system if names[way.step] > 1 else "")
            for way, share in line.ways
        ]
        return {
            "line": line,
            "cells": cells,
            "oldest": oldest,
            "ways": ways,
            "width": round(56 * (line.share or 0), 1),
        }

    def as_json(self) -> dict[str, Any]:
        return {
            "type": self.type,
            "environment": self.environment,
            "kind": self.kind or None,
            "url": absolute(type_url(self.type, environment=self.environment)),
            "flows": self.flows,
            "flows_complete": not self.is_cut,
            **{name: self.counts.get(name) for name in COUNTS},
            "learning": self.learning,
            "rhythm": rhythm_words(self.series) or None,
            "steps": [line.as_json() for line in self.lines],
        }

    def as_text(self, asked: str) -> str:
        told = ", ".join(f"{count:,} {name}" for name, count in self.counts.items())
        head = f"{self.type} ({self.environment}): {_number(self.flows, self.is_cut)} flows"
        parts = [f"{head}{', ' + told if told else ''}. {self.learning}."]
        at_ns = now_ns()
        lines = [text for line in self.lines for text in _step_text(line, at_ns)]
        if asked == "md":
            return "\n".join([cell(parts[0]), "", *(f"{'  ' * deep}- {cell(text)}" for deep, text in lines)])
        return "\n".join(
            [one_line(parts[0], 100), *(one_line("    " * deep + text, 100) for deep, text in lines)]
        )


def page_links(type: str, environment: str) -> dict[str, str]:
    """The addresses of a type's pages."""
    return {
        "steps": type_url(type, environment=environment),
        "settings": type_url(type, "settings", environment=environment),
        "expectations": type_url(type, "expectations", environment=environment),
        "new": type_url(type, "expectations", "new", environment=environment),
    }


def _of(rules: list[ExpectationRule], environment: str) -> list[ExpectationRule]:
    return [rule for rule in rules if rule.enabled and rule.environment in ("", environment)]


def _has_threshold(line: StepLine) -> bool:
    return line.learned is not None and line.learned.threshold_ns is not None


def _linked(line: TypeLine) -> dict[str, Any]:
    cells = [
        {"name": name, "count": getattr(line, name), "href": flows_url(line.type, line.environment, "", name)}
        for name in COUNTS
    ]
    return {
        "line": line,
        "href": type_url(line.type, environment=line.environment),
        "flows_href": flows_url(line.type, line.environment),
        "cells": cells,
    }


def _number(count: int, is_cut: bool) -> str:
    return f"{count:,} or more" if is_cut else f"{count:,}"


def _line_json(line: TypeLine) -> dict[str, Any]:
    return {
        "type": line.type,
        "environment": line.environment,
        "kind": line.kind,
        "url": absolute(type_url(line.type, environment=line.environment)),
        "flows": line.flows,
        "flows_complete": not line.is_cut,
        "open": line.open,
        "late": line.late,
        "stuck": line.stuck,
        "oldest": None if line.oldest_ns is None else str(line.oldest_ns),
        "steps": line.steps,
        "learned": line.learned,
    }


def _line_text(line: TypeLine, asked: str) -> str:
    counts = ", ".join(
        f"{getattr(line, name):,} {name}" for name in COUNTS if getattr(line, name) is not None
    )
    text = f"{line.type} ({line.environment}): {_number(line.flows, line.is_cut)} flows"
    text += f", {counts}" if counts else ""
    text += f"; {line.learned} of {line.steps} steps learned"
    return f"- {cell(text)}" if asked == "md" else one_line(text, 100)


def _step_text(line: StepLine, at_ns: int) -> list[tuple[int, str]]:
    """A step's lines, and how deep each stands."""
    ways = ", ".join(f"{way.step} {share}" for way, share in line.ways)
    usual = f", usually {line.usual} ({line.usual_of})" if line.usual else ""
    told = [(0, f"{line.name}: {line.percent} of flows{usual}{f', then {ways}' if ways else ''}")]
    if line.standing and line.standing.open:
        counts = ", ".join(f"{getattr(line.standing, name):,} {name}" for name in COUNTS)
        oldest = line.standing.oldest_ns
        told.append((1, counts + (f", oldest {moments.took(at_ns - oldest)}" if oldest is not None else "")))
    told.append((1, f"{line.words}{f'; {line.backtest}' if line.backtest else ''}"))
    return told
