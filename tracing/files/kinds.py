"""What a JSON document of a file is, as OTLP requests: OTLP's own, Jaeger's answers, traces and spans, arrays of them (pure).

`jaeger` makes a request of Jaeger's form. What is none of these is refused in a sentence that says what it seems to be.
"""

from collections.abc import Iterator
from typing import Any

from tracing.files import jaeger
from tracing.files.account import Account

OTLP, JAEGER = "OTLP JSON", "Jaeger JSON"
_REQUESTS = ("resourceSpans", "resource_spans", "resourceLogs", "resource_logs")
_SPAN_GROUPS, _LOG_GROUPS = ("scopeSpans", "scope_spans"), ("scopeLogs", "scope_logs")
_METRICS = ("resourceMetrics", "resource_metrics")
# Arrays in arrays, answers in answers.
_DEEPEST = 4

Request = dict[str, Any]


def requests(document: Any, place: str, account: Account, depth: int = 0) -> Iterator[Request]:
    """The requests in a document; what it holds beside them is refused."""
    if isinstance(document, list) and depth < _DEEPEST:
        yield from _in_list(document, place, account, depth)
    elif not isinstance(document, dict):
        account.refuse("this is neither a request nor a trace", place)
    elif (request := _otlp(document)) is not None:
        account.form = account.form or OTLP
        if any(document.get(name) for name in _METRICS):
            account.refuse("metrics are not kept: traces and logs only", place)
        yield request
    elif (inner := _wrapped(document)) is not None and depth < _DEEPEST:
        yield from requests(inner, place, account, depth + 1)
    elif jaeger.is_trace(document) or jaeger.is_span(document):
        account.form = account.form or JAEGER
        yield from jaeger.requests(document, place, account)
    else:
        account.refuse(_unknown(document), place)


def _in_list(document: list[Any], place: str, account: Account, depth: int) -> Iterator[Request]:
    """Many spans of Jaeger are one trace; everything else is by itself."""
    if document and all(isinstance(one, dict) and jaeger.is_span(one) for one in document):
        yield from requests({"spans": document}, place, account, depth + 1)
        return
    for number, one in enumerate(document, 1):
        where = f"{place}, element {number}" if place else f"element {number}"
        yield from requests(one, where, account, depth + 1)


def _otlp(document: Request) -> Request | None:
    if any(name in document for name in _REQUESTS):
        return document
    if any(name in document for name in _SPAN_GROUPS):
        return {"resourceSpans": [document]}
    if any(name in document for name in _LOG_GROUPS):
        return {"resourceLogs": [document]}
    return None


def _wrapped(document: Request) -> Any:
    """What an answer of Jaeger, of Elasticsearch or of a trace store is wrapped around; None where it is none."""
    for name in ("data", "trace", "result", "hits", "_source"):
        if isinstance(document.get(name), list | dict):
            return document[name]
    return None


def _unknown(document: Request) -> str:
    if any(name in document for name in _METRICS):
        return "metrics are not kept: traces and logs only"
    if "traceEvents" in document:
        return "this is Chrome's trace format, not OTLP JSON or Jaeger JSON"
    if "traceId" in document and "id" in document:
        return "this is Zipkin's form, not OTLP JSON or Jaeger JSON"
    return "this is neither OTLP JSON nor Jaeger JSON"
