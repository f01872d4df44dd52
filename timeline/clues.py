"""What a text typed or pasted into the find box may name (pure).

An order number, `order 4711`, `order.id=4711`, a trace or span id, a traceparent, an address of ours, or a whole
log line holding one of them; what other tools write is `timeline.pasted`. `timeline.queries.find` looks the clues up,
strongest first.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import SplitResult, urlsplit

from timeline.pasted import pasted

MAX_TEXT = 20_000
MAX_CLUES = 60
MAX_KEY = 400
_TRACEPARENT = re.compile(
    r"(?<![0-9a-f-])[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?![0-9a-f])", re.I
)
_DASHED = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_TRACE = re.compile(rf"(?<![0-9a-z])(?:0x)?([0-9a-f]{{32}}|{_DASHED})(?![0-9a-z])", re.I)
_SPAN = re.compile(r"(?<![0-9a-z-])(?:0x)?([0-9a-f]{16})(?![0-9a-z-])", re.I)
# `order.id=4711`, `--order:4711`, `"order_id": "4711"`, `order #4711` is two words. Only where a name can begin, and
# possessive, so that nothing is tried anew from each of its letters.
_NAMED = re.compile(
    r"""(?<![\w.\-/])[\d.\-/]*+([^\W\d][\w.\-/]*+)["']?\s*+[=:]\s*+"""
    r"""(?:"([^"]+)"|'([^']+)'|([^\s,;"'{}\[\]()]+))"""
)
_WORD = re.compile(r"""[^\s,;"'{}\[\]()<>=]+""")
_TRIM = ".,:;!?#*|…"
OUR_PATHS = ("/flow/", "/record/", "/trace/")
# Pages that are no flow: an address of one is that page, and of no other installation.
_PAGES = re.compile(
    r"/(?:s/[A-Za-z0-9_-]{1,200}|record/log/[0-9a-f]{32}|problems(?:/[A-Za-z0-9_-]{1,100})?|compare|flows|types/[^/\\]+)",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Clues:
    """Each in the order of the text, without repeats. Ids are lower-case hex without dashes."""

    text: str
    path: str  # the path and query of an address that may be ours, or ""
    trace_ids: tuple[str, ...]
    span_ids: tuple[str, ...]
    named: tuple[tuple[str, str], ...]  # name and value: an attribute or a type, and a key
    words: tuple[str, ...]
    page: str = ""  # the path and query of a page of ours that is no flow
    host: str = ""  # of the address that `page` is of; "" for a bare path
    decimals: tuple[str, ...] = ()  # 64-bit ids as Datadog writes them

    @property
    def is_one_word(self) -> bool:
        return len(self.words) == 1


def clues(text: str) -> Clues:
    """Everything a text may name; any text is fine."""
    text = text.replace("\x00", " ").strip()[:MAX_TEXT]
    words = _once(word.strip(_TRIM) for word in _WORD.findall(text))
    traces = [match[1].replace("-", "").lower() for match in _TRACEPARENT.finditer(text)]
    traces += [match[1].replace("-", "").lower() for match in _TRACE.finditer(text)]
    spans = [match[2].lower() for match in _TRACEPARENT.finditer(text)]
    spans += [match[1].lower() for match in _SPAN.finditer(text)]
    told = pasted(text)
    host, page = _page(text)
    return Clues(
        text,
        _path(text),
        _once([*traces, *told.traces]),
        _once([*spans, *told.spans]),
        _named(text),
        words,
        page,
        host,
        told.decimals,
    )


def fits(name: str, type: str) -> bool:
    """Whether a name before a value speaks of that type: `order`, `orders`, `order.id`, `app.order_id`, `orderId`."""
    plain = re.sub(r"([a-z])([A-Z])", r"\1.\2", name).lower()
    parts = re.split(r"[._\-/]+", plain)
    wanted = re.split(r"[._\-/ ]+", type.lower())
    spans = range(len(parts) - len(wanted) + 1)
    return any(_same(parts[at : at + len(wanted)], wanted) for at in spans)


def _same(parts: list[str], wanted: list[str]) -> bool:
    return parts == wanted or [*parts[:-1], parts[-1].removesuffix("s")] == wanted


def _named(text: str) -> tuple[tuple[str, str], ...]:
    found = [
        (match[1], (match[2] or match[3] or match[4]).strip().strip(_TRIM)) for match in _NAMED.finditer(text)
    ]
    words = [word.strip(_TRIM) for word in text.split()]
    found += [pair for pair in pairwise(words) if re.fullmatch(r"[A-Za-z][\w.\-]*", pair[0])]
    kept = dict.fromkeys((name, value) for name, value in found if value and len(value) <= MAX_KEY)
    return tuple(kept)[: MAX_CLUES * 2]


def _once(words: Iterable[str]) -> tuple[str, ...]:
    kept = dict.fromkeys(word for word in words if word and len(word) <= MAX_KEY)
    return tuple(kept)[:MAX_CLUES]


def _path(text: str) -> str:
    parts = _address(text)
    return _whole(parts) if parts and parts.path.startswith(OUR_PATHS) else ""


def _page(text: str) -> tuple[str, str]:
    """Host and path of an address that may be a page of ours."""
    parts = _address(text)
    if parts is None or not _PAGES.fullmatch(parts.path):
        return "", ""
    return parts.netloc.rpartition("@")[2].lower(), _whole(parts)


def _address(text: str) -> SplitResult | None:
    if any(char.isspace() for char in text):
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return parts if parts.scheme in ("", "http", "https") else None


def _whole(parts: SplitResult) -> str:
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
