"""`/compare?a=…&b=…`: two flows side by side, aligned by step, with what differs marked.

`a` and `b` are whatever the find box understands: addresses, keys, trace ids. `layout.compare` aligns, `views.flow` reads.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.views.decorators.http import require_safe

from timeline import comparetext, moments
from timeline.addresses import absolute, in_forms, with_query
from timeline.answers import BadFilter, NotFound, asked_format, json_answer, page_answer, text_answer
from timeline.asked import read_asked
from timeline.clues import MAX_TEXT, clues
from timeline.layout.compare import Pair, Step, aligned
from timeline.queries.find import look_up
from timeline.queries.pulse import read_pulse
from timeline.reading import Reading
from timeline.rows import Row
from timeline.sentences import mark_of
from timeline.sharing import own_address
from timeline.summaries import FlowSummary
from timeline.templatetags.threadline import reader_zone
from timeline.window import read

SORTS = ("", "difference")
LEAST_SAID_NS = 1_000_000  # less is no difference to a person
NUMBERS = re.compile(r"\b[0-9a-f]{8,}\b|\d+")


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two flows: its address or words as asked, and the rows that were compared."""

    asked: str
    reading: Reading

    @property
    def flow(self) -> FlowSummary:
        return self.reading.flow

    @property
    def cut(self) -> bool:
        """Whether it has more rows than are compared."""
        return self.reading.following is not None


@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    form = asked_format(request)
    texts = {name: request.GET.get(name, "").strip() for name in ("a", "b")}
    sort = request.GET.get("sort", "")
    if sort not in SORTS:
        raise BadFilter("sort", "Steps are sorted by difference, or stand in the order of the story.")
    if not all(texts.values()):
        if form != "html":
            raise BadFilter("a" if not texts["a"] else "b", "Two flows are compared: name both, a and b.")
        return page_answer(request, "compare/page.html", {"texts": texts, "sides": [], "pairs": []})
    first, second = (_side(request, name, text) for name, text in texts.items())
    pairs = list(aligned(_steps(first.reading), _steps(second.reading)))
    if sort:
        pairs.sort(key=lambda pair: -abs(pair.longer_ns or 0))
    if form == "json":
        return json_answer(_as_json(first, second, pairs))
    href = own_address(request, _href(texts["a"], texts["b"], sort))
    if form != "html":
        return text_answer(_as_text(first, second, pairs, href, form), form)
    context = {
        "texts": texts,
        "title": " and ".join(f"{side.flow.title}: {_state(side)}" for side in (first, second)),
        "link": absolute(href),
        "sides": [first, second],
        "pairs": [_drawn(pair, flat=bool(sort)) for pair in pairs],
        "differing": sum(pair.differs for pair in pairs),
        "longer": _words((second.flow.duration_ns or 0) - (first.flow.duration_ns or 0)),
        "sort": sort,
        "share_href": with_query("/share", {"of": _href(texts["a"], texts["b"], sort)}),
        "swap_href": _href(texts["b"], texts["a"], sort),
        "sort_href": _href(texts["a"], texts["b"], "" if sort else "difference"),
        **in_forms(href),
    }
    return page_answer(request, "compare/page.html", context)


def _side(request: HttpRequest, name: str, text: str) -> Side:
    if len(text) > MAX_TEXT:
        raise BadFilter(name, f"At most {MAX_TEXT:,} characters can be looked through.")
    found = look_up(clues(text)).flows
    if not found:
        raise NotFound(
            f"Nothing is known of {text[:80]}: {name} names no flow. Paste its address or key.", text
        )
    asked = read_asked(QueryDict("expand=all"), reader_zone(request))
    return Side(text, read(found[0], asked, read_pulse(found[0])))


def _steps(reading: Reading) -> list[Step]:
    """The rows as a tree of steps; numbers and ids in a name are those of its own flow, and make no difference."""
    began = min((row.drawn for row in reading.rows if row.drawn > 0), default=0)
    tops: list[Step] = []
    by_id: dict[str, Step] = {}
    for row in reading.rows:
        step = Step(
            (row.row, row.service, NUMBERS.sub("#", row.name)),
            row.drawn - began if row.drawn > 0 else None,
            row.duration,
            row.status == "error",
            row,
        )
        by_id[row.id] = step
        above = by_id.get(row.parent or "")
        (above.steps if above else tops).append(step)
    return tops


def _drawn(pair: Pair, *, flat: bool) -> dict[str, Any]:
    step = pair.first or pair.second
    row = step.row if step else None
    assert isinstance(row, Row)
    longer = pair.longer_ns
    return {
        "row": row,
        "indent": "" if flat else f"d{min(pair.depth, 12)}",
        "sides": [_cell(pair.first), _cell(pair.second)],
        "longer": _signed(longer) if longer and (pair.differs or abs(longer) >= LEAST_SAID_NS) else "",
        "times": _times(pair),
        "css": _css(pair),
        "lone": "" if pair.first and pair.second else "first" if pair.first else "second",
    }


def _cell(step: Step | None) -> dict[str, Any] | None:
    if step is None:
        return None
    return {
        "at": f"+{moments.took(step.at_ns)}" if step.at_ns is not None else "",
        "took": moments.took(step.took_ns) if step.took_ns is not None else "",
        "failed": step.failed,
    }


def _times(pair: Pair) -> str:
    """`× 3.1`, where both took long enough for it to say something."""
    if not pair.differs or pair.longer_ns is None or not pair.first or not pair.second:
        return ""
    one, other = pair.first.took_ns or 0, pair.second.took_ns or 0
    return f"× {other / one:.1f}" if one > 1_000 and other * 20 > one else ""


def _css(pair: Pair) -> str:
    if not pair.differs:
        return ""
    if not pair.first or not pair.second:
        return "alone"
    return "slower" if (pair.longer_ns or 0) > 0 or pair.second.failed else "faster"


def _signed(ns: int) -> str:
    return f"{'+' if ns > 0 else '−' if ns < 0 else '±'}{moments.took(abs(ns))}"


def _words(ns: int) -> str:
    return f"{moments.took(abs(ns))} {'longer' if ns > 0 else 'less'}" if ns else "as long"


def _href(first: str, second: str, sort: str) -> str:
    query = QueryDict(mutable=True)
    query.update({"a": first, "b": second, **({"sort": sort} if sort else {})})
    return f"/compare?{query.urlencode()}"


def _state(side: Side) -> str:
    mark = mark_of(side.flow, side.reading.first_error is not None)
    return " · ".join(part for part in (mark.word, side.flow.standing) if part)


def _as_text(first: Side, second: Side, pairs: Sequence[Pair], href: str, form: str) -> str:
    differing = [_told(_drawn(pair, flat=True)) for pair in pairs if pair.differs]
    longer = _words((second.flow.duration_ns or 0) - (first.flow.duration_ns or 0))
    flows = (first.flow, second.flow)
    return comparetext.write(flows, differing, len(pairs) - len(differing), longer, absolute(href), form)


def _told(drawn: dict[str, Any]) -> comparetext.Told:
    row = drawn["row"]
    first, second = (
        f"{'✕ ' if side['failed'] else ''}{side['took'] or side['at']}" if side else "–"
        for side in drawn["sides"]
    )
    only = {"first": "only in a", "second": "only in b"}.get(drawn["lone"], "")
    longer = " ".join(part for part in (drawn["longer"] or only, drawn["times"]) if part)
    name = f"{row.name} · {row.service}" if row.service else row.name
    return comparetext.Told(name, first, second, longer)


def _as_json(first: Side, second: Side, pairs: Sequence[Pair]) -> dict[str, Any]:
    return {
        "a": first.flow.as_json(settings.URL),
        "b": second.flow.as_json(settings.URL),
        "cut": first.cut or second.cut,
        "steps": [
            {
                "depth": pair.depth,
                "a": _step_json(pair.first),
                "b": _step_json(pair.second),
                "longer": None if pair.longer_ns is None else str(pair.longer_ns),
                "differs": pair.differs,
            }
            for pair in pairs
        ],
    }


def _step_json(step: Step | None) -> dict[str, Any] | None:
    if step is None:
        return None
    assert isinstance(step.row, Row)
    return step.row.as_json() | {"after": None if step.at_ns is None else str(step.at_ns)}
