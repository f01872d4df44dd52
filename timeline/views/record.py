"""`/record/…`: one span or log with everything it carries, beside the rows or alone.

`queries.record` reads it, `grouping` sorts its attributes, `templates/record/` draws both forms from one part.
"""

import re
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from timeline import bodies, grouping, moments, signs
from timeline.addresses import flow_url, record_url
from timeline.answers import NotFound, asked_format, json_answer, page_answer, text_answer
from timeline.asked import sent_path
from timeline.download import FORMATS as FILES
from timeline.download import asked_file, download_record
from timeline.layout.ids import EVENT_ID, LOG_ID, NOTE_ID, SPAN_ID
from timeline.queries.record import LogRecord, SpanRecord, read_linking, read_log, read_versions
from timeline.summaries import FlowSummary
from tracing.otlp.carried import ORIGIN
from tracing.people import Note
from tracing.values import is_storable, json_bytes

TIMES = ("start", "end", "time", "observed")
MOST_EVENTS = 200  # drawn in a record; its JSON form has all
MOST_BODY = 200_000  # characters
# What JSON leaves as it is and a terminal obeys: controls beyond ASCII, directions of writing.
UNPRINTABLE = re.compile(r"[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
HEX = re.compile(r"[0-9a-fA-F]+")


def record(request: HttpRequest, trace_id: str, span_id: str) -> HttpResponseBase:
    versions = _versions(trace_id, span_id)
    if file := asked_file(request):
        return download_record(versions[0].trace_id, versions[0].span_id, file)
    form = asked_format(request, FILES)
    told = [version.as_json() for version in versions]
    if form != "html":
        return _plain({**told[0], "versions": told[1:], "records": versions[0].stored}, form)
    context = _span_context(versions, _rank(request.GET.get("version", "1"), len(versions)))
    return page_answer(request, "record/page.html", {"told": context})


def log(request: HttpRequest, log_id: str) -> HttpResponse:
    found = read_log(bytes.fromhex(log_id)) if re.fullmatch("[0-9a-fA-F]{32}", log_id) else None
    if found is None:
        raise NotFound("No log of this id is stored. It may be past retention.", log_id)
    form = asked_format(request)
    if form != "html":
        return _plain(found.as_json(), form)
    return page_answer(request, "record/page.html", {"told": _log_context(found)})


def record_part(request: HttpRequest, row_id: str, flow: FlowSummary | None = None) -> HttpResponse:
    """The drawer alone, for a page that is open already; `flow` is told where the row may be a note of it."""
    if not row_id:
        return HttpResponse()
    context = record_context(request, row_id, flow)
    query = request.GET.copy()
    query.pop("record", None)
    path = sent_path(request)
    close = f"{path}?{query.urlencode()}" if query else path
    return page_answer(
        request,
        "record/drawer.html",
        {"told": context, "close": close, "say_href": _said_to(request), **opened_in(request)},
    )


def opened_in(request: HttpRequest) -> dict[str, str]:
    """Addresses of the flow a record is opened in, up to what is looked for in it and up to the row that is open."""
    return {
        "find_base": _up_to(request, "find", "record", "find"),
        "row_base": _up_to(request, "record", "record"),
        "note_base": _up_to(request, "note", "note"),
        "moment_base": _up_to(request, "from", "from", "to").removesuffix("from="),
    }


def _said_to(request: HttpRequest) -> str:
    """Where words about the flow are posted: this view, from its beginning."""
    query = request.GET.copy()
    query.pop("cursor", None)
    return f"{sent_path(request)}?{query.urlencode()}" if query else sent_path(request)


def _up_to(request: HttpRequest, name: str, *gone: str) -> str:
    query = request.GET.copy()
    for parameter in (*gone, "cursor", "at"):
        query.pop(parameter, None)
    return f"{sent_path(request)}?{query.urlencode()}{'&' if query else ''}{name}="


def record_context(
    request: HttpRequest, row_id: str, flow: FlowSummary | None = None
) -> dict[str, Any] | None:
    """The record a row stands for, or the note; None for rows without one, and for what is gone."""
    if flow is not None and (match := NOTE_ID.fullmatch(row_id)):
        written = Note.objects.filter(flow_id=flow.identity, pk=int(match[1])).first()
        return {"kind": "note", "note": written} if written else None
    if match := SPAN_ID.fullmatch(row_id) or EVENT_ID.fullmatch(row_id):
        versions = read_versions(bytes.fromhex(match[1]), bytes.fromhex(match[2]))
        return _span_context(versions, _rank(match[3] or "1", len(versions))) if versions else None
    if match := LOG_ID.fullmatch(row_id):
        found = read_log(bytes.fromhex(match[1]))
        return _log_context(found) if found else None
    return None


def _versions(trace_id: str, span_id: str) -> list[SpanRecord]:
    sound = (
        HEX.fullmatch(trace_id)
        and HEX.fullmatch(span_id)
        and len(span_id) == 16
        and len(trace_id) in (16, 32)
    )
    found = read_versions(bytes.fromhex(trace_id.rjust(32, "0")), bytes.fromhex(span_id)) if sound else []
    if not found:
        raise NotFound(
            "No span of these ids is stored. It may not have come yet, or be past retention.", trace_id
        )
    return found


def _rank(text: str, count: int) -> int:
    return (
        min(int(text), count)
        if text.isascii() and text.isdecimal() and 0 < len(text) < 6 and int(text)
        else 1
    )


def _plain(told: dict[str, Any], form: str) -> HttpResponse:
    if form == "json":
        return json_answer(told)
    text = UNPRINTABLE.sub(_escaped, json_bytes(told, indented=True).decode())
    return text_answer(text if form == "txt" else f"```json\n{text}\n```", form)


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _span_context(versions: list[SpanRecord], rank: int) -> dict[str, Any]:
    shown = versions[rank - 1]
    outward, inward = read_linking(shown)
    events = [_event(event, shown.start) for event in shown.events[:MOST_EVENTS]]
    own = record_url(shown.trace_id, shown.span_id)
    return {
        "kind": "span",
        "record": shown,
        "moment_ns": shown.start,
        "title": shown.name,
        "sort": shown.kind,
        "sign": signs.STATUS.get(shown.status, signs.STATUS["unset"]),
        "took_ns": shown.end - shown.start,
        "groups": _linked(grouping.groups(shown.attributes)),
        "thrown": [event for event in events if event["thrown"]],
        "events": [event for event in events if not event["thrown"]],
        "more_events": max(0, len(shown.events) - MOST_EVENTS),
        "outward": outward,
        "inward": inward,
        "versions": [
            {
                "rank": place,
                "record": version,
                "href": f"{own}?version={place}",
                "shown": place == rank,
                "differences": differences(shown, version),
            }
            for place, version in enumerate(versions, 1)
        ],
        "trace_href": flow_url("request", "trace", shown.trace_id),
        "parent_href": record_url(shown.trace_id, shown.parent_span_id) if shown.parent_span_id else "",
        "own_href": own if rank == 1 else f"{own}?version={rank}",
        **_carried(shown),
    }


def differences(shown: SpanRecord, other: SpanRecord) -> list[tuple[str, str, str]]:
    """Where two records under the same ids differ: what, how it is in the one shown, how in the other."""
    one, two = shown.as_json(), other.as_json()
    found = [
        (name.replace("_", " "), _compared(one[name]), _compared(two[name]))
        for name in (
            "name",
            "kind",
            "status",
            "status_message",
            "start",
            "end",
            "parent_span_id",
            "events",
            "links",
        )
        if one.get(name) != two.get(name)
    ]
    ours, theirs = shown.attributes, other.attributes
    for name in sorted(ours.keys() | theirs.keys()):
        if name not in ours or name not in theirs or ours[name] != theirs[name]:
            sides = (grouping.as_text(side[name]) if name in side else "–" for side in (ours, theirs))
            found.append((name, *map(grouping.shortened, sides)))  # type: ignore[arg-type]
    return found


def _compared(value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value)} of them"
    return grouping.shortened("–" if value is None else str(value))


def _event(event: dict[str, Any], start: int) -> dict[str, Any]:
    attributes = event["attributes"]
    return {
        "name": event["name"],
        "after": moments.took(int(event["time"]) - start),
        "thrown": grouping.thrown(attributes),
        "attributes": [
            grouping.attribute(name, value)
            for name, value in sorted(attributes.items())
            if not name.startswith("exception.")
        ],
        "dropped": event.get("dropped") or 0,
        "exact": event.get("exact_name", ""),
    }


def _log_context(shown: LogRecord) -> dict[str, Any]:
    body = grouping.shortened(bodies.readable(grouping.as_text(shown.body)), MOST_BODY)
    laid_out = bodies.laid_out(shown.body)
    return {
        "kind": "log",
        "record": shown,
        "moment_ns": shown.time if shown.time_source != "none" else 0,
        "title": shown.event_name or body.strip().split("\n", 1)[0][:200] or "log",
        "sort": bodies.severity_word(shown.severity, shown.severity_text) or "log",
        "failed": shown.severity >= 17,
        "sign": signs.ERROR,
        "body": laid_out or body,
        "body_lines": (laid_out or body).count("\n") + 1,
        "is_json": laid_out is not None,
        "groups": _linked(
            grouping.groups({k: v for k, v in shown.attributes.items() if k != "exception.stacktrace"})
        ),
        "thrown": [{"thrown": thrown}] if (thrown := grouping.thrown(shown.attributes)) else [],
        "trace_href": flow_url("request", "trace", shown.trace_id) if shown.trace_id else "",
        "span_href": record_url(shown.trace_id, shown.span_id) if shown.trace_id and shown.span_id else "",
        "own_href": f"/record/log/{shown.log_id}",
        **_carried(shown),
    }


def _carried(shown: SpanRecord | LogRecord) -> dict[str, Any]:
    """What spans and logs carry alike."""
    dropped = [(name, count) for name, count in shown.dropped.items()]
    dropped += [("attributes of its resource", shown.resource_dropped)]
    dropped += [("attributes of its scope", shown.scope["dropped"])]
    return {
        "resource": _attributes(shown.resource),
        "scope": _attributes(shown.scope["attributes"]),
        "dropped": [f"{count:,} {name}" for name, count in dropped if count],
        "sent": [_as_sent(name, value) for name, value in sorted(shown.exact.items()) if name != ORIGIN],
        "raw": _raw(shown),
    }


def _attributes(told: dict[str, Any]) -> list[grouping.Attribute]:
    return [grouping.attribute(name, value) for name, value in sorted(told.items())]


def _as_sent(name: str, value: str) -> tuple[str, str]:
    """What a column could not hold, by the kinds that `queries.record` names."""
    label = name.replace("_", " ")
    if name in TIMES:
        return label, f"{value} ns"
    if name.endswith("_id"):
        return label, grouping.shortened(value)
    return f"{label}, bytes in base64", grouping.shortened(value)


def _raw(shown: SpanRecord | LogRecord) -> str:
    told = json_bytes(shown.as_json(), indented=True).decode()
    return grouping.shortened(told, MOST_BODY)


def _linked(
    told: list[tuple[str, list[grouping.Attribute]]],
) -> list[tuple[str, list[tuple[grouping.Attribute, str]]]]:
    """Each attribute with the address of the flows that have the same."""
    return [(name, [(one, _others(one)) for one in attributes]) for name, attributes in told]


def _others(one: grouping.Attribute) -> str:
    sound = len(one.text) <= 200 and is_storable(one.text)
    if one.redacted or not sound or not re.fullmatch(r"[A-Za-z_][\w./:@$-]*", one.name):
        return ""
    value = one.text.replace("\\", "\\\\").replace('"', '\\"')
    return "/flows?q=" + quote(f'{one.name}="{value}"', safe="")
