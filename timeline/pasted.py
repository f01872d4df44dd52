"""What an address, a header or an id of another tool says of a trace, in the ids OpenTelemetry has (pure).

Jaeger, Grafana, SigNoz, Zipkin, Honeycomb, X-Ray, Datadog and B3 write the same two ids in different places.
`timeline.clues` asks here for the ids of whatever was pasted. Only ids are taken of an address: nobody is sent there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

# Of an address in a text; brackets and quotes around it are not its own.
_ADDRESS = re.compile(r"""(?:https?://|(?<![\w/])/)[^\s"'<>`|]+""", re.I)
_XRAY = re.compile(r"(?<![0-9a-z-])1-([0-9a-f]{8})-([0-9a-f]{24})(?![0-9a-z])", re.I)
_XRAY_PARENT = re.compile(r"\bParent=([0-9a-f]{16})\b", re.I)
# b3: {trace}-{span}[-{sampled}[-{parent}]]
_B3 = re.compile(
    r"(?<![0-9a-f-])([0-9a-f]{32}|[0-9a-f]{16})-([0-9a-f]{16})(?:-[01d](?:-[0-9a-f]{16})?)?(?![0-9a-f-])",
    re.I,
)
_B3_TRACE = re.compile(r"\bx-b3-traceid['\"]?\s*[:=]\s*['\"]?([0-9a-f]{16,32})\b", re.I)
_B3_SPAN = re.compile(r"\bx-b3-spanid['\"]?\s*[:=]\s*['\"]?([0-9a-f]{16})\b", re.I)
_DATADOG = re.compile(
    r"\b(?:x-datadog-trace-id|dd\.trace_id|dd_trace_id)['\"]?\s*[:=]\s*['\"]?(\d{1,20})\b", re.I
)
_DATADOG_SPAN = re.compile(
    r"\b(?:x-datadog-parent-id|dd\.span_id|dd_span_id)['\"]?\s*[:=]\s*['\"]?(\d{1,20})\b", re.I
)
_DECIMAL = re.compile(r"\d{15,20}")
_ID = re.compile(r"(?:0x)?([0-9a-f]{32}|[0-9a-f]{16})", re.I)
_TRACE_NAMES = frozenset({"traceid", "trace_id", "trace.trace_id", "trace", "traceids"})
_SPAN_NAMES = frozenset({"spanid", "span_id", "uifind", "span", "trace.span_id", "focusspanid"})
# Parameters whose value is JSON with a query in it: Grafana's Explore, now and before.
_PACKED = frozenset({"panes", "left", "right"})
_DEEPEST = 12


@dataclass(frozen=True, slots=True)
class Pasted:
    """Ids in lower-case hex, 32 and 16 digits. `decimals` are Datadog's: the lower half of a trace id, or a span's."""

    traces: tuple[str, ...] = ()
    spans: tuple[str, ...] = ()
    decimals: tuple[str, ...] = ()


def pasted(text: str) -> Pasted:
    """Every id that a text says in another tool's words."""
    traces: list[str] = []
    spans: list[str] = []
    for named, value in _named(text):
        (traces if named == "trace" else spans).append(value.lower())
    decimals = [match[1] for match in (*_DATADOG.finditer(text), *_DATADOG_SPAN.finditer(text))]
    if _DECIMAL.fullmatch(text.strip()):
        decimals.append(text.strip())
    return Pasted(
        tuple(dict.fromkeys(one.rjust(32, "0") for one in traces)),
        tuple(dict.fromkeys(spans)),
        tuple(dict.fromkeys(one for one in decimals if 0 < int(one) < 2**64)),
    )


def addresses(text: str) -> Iterator[str]:
    """Addresses in a text, and paths, without the marks after them."""
    return (trimmed(match[0]) for match in _ADDRESS.finditer(text))


def trimmed(address: str) -> str:
    """An address without what a sentence or Markdown puts after it."""
    return address.rstrip(".,;:!)]}>|*…")


def _named(text: str) -> Iterator[tuple[str, str]]:
    """Which id it is, and the id."""
    xrays = [match[1] + match[2] for match in _XRAY.finditer(text)]
    yield from (("trace", one) for one in xrays)
    if xrays and (above := _XRAY_PARENT.search(text)):
        yield "span", above[1]
    for match in _B3.finditer(text):
        yield "trace", match[1]
        yield "span", match[2]
    for name, pattern in (("trace", _B3_TRACE), ("span", _B3_SPAN)):
        for match in pattern.finditer(text):
            yield name, match[1]
    for address in addresses(text):
        yield from _in_address(address)


def _in_address(address: str) -> Iterator[tuple[str, str]]:
    try:
        parts = urlsplit(address)
    except ValueError:
        return
    yield from _in_path(parts.path.split("/"))
    # What single-page tools keep behind the mark has the same form.
    fragment = parts.fragment.partition("?")
    yield from _in_path(fragment[0].split("/"))
    for query in (parts.query, fragment[2]):
        for name, value in parse_qsl(query, max_num_fields=200) if query.count("&") < 200 else ():
            yield from _in_parameter(name, value)


def _in_path(parts: list[str]) -> Iterator[tuple[str, str]]:
    for name, value in pairwise(parts):
        found = _ID.fullmatch(unquote(value))
        if found and name.lower() in ("trace", "traces", "apm", "redirect", "transaction"):
            yield "trace", found[1]


def _in_parameter(name: str, value: str) -> Iterator[tuple[str, str]]:
    found = _ID.fullmatch(value.strip())
    if found and name.lower() in _TRACE_NAMES:
        yield "trace", found[1]
    elif found and name.lower() in _SPAN_NAMES and len(found[1]) == 16:
        yield "span", found[1]
    elif name in _PACKED:
        try:
            told = orjson.loads(value)
        except orjson.JSONDecodeError:
            return
        yield from _in_panes(told, _DEEPEST)


def _in_panes(told: Any, deep: int) -> Iterator[tuple[str, str]]:
    """Queries of Grafana's Explore: a trace id is the query itself, a span is what its panel looks at."""
    if isinstance(told, list):
        for one in told if deep else ():
            yield from _in_panes(one, deep - 1)
    elif isinstance(told, dict) and deep:
        for name, value in told.items():
            if isinstance(value, str) and (found := _ID.fullmatch(value.strip())):
                is_span = name.lower() in _SPAN_NAMES
                if is_span or name.lower() in ("query", *_TRACE_NAMES):
                    yield "span" if is_span else "trace", found[1]
            else:
                yield from _in_panes(value, deep - 1)
