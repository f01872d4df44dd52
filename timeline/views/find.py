"""`/find?q=`: from anything a person has at hand to its flow.

One flow is a redirect, several are a list, none is a page that says where it looked. `timeline.clues` reads the
text, `timeline.queries.find` looks it up.
"""

from urllib.parse import parse_qsl, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_safe

from timeline.addresses import with_query
from timeline.answers import BadFilter, asked_format, json_answer, page_answer, text_answer
from timeline.clues import MAX_TEXT, Clues, clues
from timeline.plain import flow_lines, flow_table, one_line
from timeline.queries.find import Answer, look_up

_CUT = "These are {}; more match, or may: say more of what you look for."


@require_safe
def find(request: HttpRequest) -> HttpResponse:
    asked = asked_format(request)
    text = request.GET.get("q", "")
    if len(text) > MAX_TEXT:
        raise BadFilter(
            "q", f"At most {MAX_TEXT:,} characters can be looked through; paste the line that matters."
        )
    sought = clues(text)
    own = _own_hosts(request)
    if page := _own_page(sought, own):
        return HttpResponseRedirect(page)
    answer = look_up(sought)
    elsewhere = next((host for host, _ in sought.pages if host not in own), "")
    if elsewhere and not answer.flows:
        answer.looked.insert(0, f"a page here: the address is of {elsewhere}, another installation")
    if len(answer.flows) == 1:
        return HttpResponseRedirect(_target(answer, "" if asked == "html" else asked))
    if asked == "json":
        told = {
            "flows": [flow.as_json(settings.URL) for flow in answer.flows],
            "looked": answer.looked,
            "cut": answer.is_cut,
        }
        return json_answer(told)
    if asked != "html":
        return text_answer(_plain(asked, sought.text, answer), asked)
    context = {
        "sought": sought.text,
        "answer": answer,
        "cut": _CUT.format(len(answer.flows)) if answer.is_cut else "",
    }
    return page_answer(request, "find/page.html", context)


def _own_page(sought: Clues, own: set[str]) -> str:
    """The page of ours that is named before any flow, as a flow's text in Markdown names its problems after it."""
    first = next(((host, path) for host, path in sought.addresses if host in own), ("", ""))
    return first[1] if first in sought.pages else ""


def _target(answer: Answer, asked: str) -> str:
    """The flow's page, with the record open that was meant; an address of ours keeps what it says about the view."""
    target = answer.address or _opened(answer)
    if not asked:
        return target
    address, _, query = target.partition("?")
    return with_query(address, {**dict(parse_qsl(query)), "format": asked})


def _own_hosts(request: HttpRequest) -> set[str]:
    """What an address begins with that is ours; a bare path has no host."""
    return {"", urlsplit(settings.URL).netloc.lower(), request.get_host().lower()}


def _opened(answer: Answer) -> str:
    address, _, query = answer.flows[0].path.partition("?")
    return with_query(address, {**dict(parse_qsl(query)), "record": answer.record})


def _plain(asked: str, text: str, answer: Answer) -> str:
    if not answer.flows:
        return f"Nothing found for {one_line(text, 60)}. Looked for:\n" + "\n".join(
            f"- {place}" for place in answer.looked
        )
    told = flow_table(answer.flows, settings.URL) if asked == "md" else flow_lines(answer.flows)
    above = " ".join(filter(None, (_CUT.format(len(answer.flows)) if answer.is_cut else "", answer.how)))
    return f"{above}\n\n{told}" if above else told
