"""What a text typed or pasted into the find box may name (pure).

An order number, `order 4711`, `order.id=4711`, a trace or span id, a traceparent, an address of ours, or a whole
log line holding one of them; what other tools write is `timeline.pasted`. `timeline.queries.find` looks the clues up,
strongest first.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urlsplit

from timeline.pasted import addresses, pasted, trimmed

MAX_TEXT = 20_000
MAX_CLUES = 60
MAX_KEY = 400
MAX_ADDRESSES = 20
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
FLOWS = "/flow/"
# Pages that are no flow: an address of one is that page, and of no other installation.
_PAGES = re.compile(
    r"/(?:s/[A-Za-z0-9_-]{1,200}|record/log/[0-9a-f]{32}|problems(?:/[A-Za-z0-9_-]{1,100})?|compare|flows|types/[^/\\]+)",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Clues:
    """Each in the order of the text, without repeats. Ids are lower-case hex without dashes."""

    text: str
    # Host, and path with query, of addresses that may be of a flow or page of ours; a bare path has no host.
    addresses: tuple[tuple[str, str], ...]
    trace_ids: tuple[str, ...]
    span_ids: tuple[str, ...]
    named: tuple[tuple[str, str], ...]  # name and value: an attribute or a type, and a key
    words: tuple[str, ...]
    decimals: tuple[str, ...] = ()  # 64-bit ids as Datadog writes them

    @property
    def flows(self) -> tuple[str, ...]:
        """The addresses of flows. Their hosts say little: one store has many names."""
        return tuple(path for _, path in self.addresses if path.startswith(FLOWS))

    @property
    def pages(self) -> tuple[tuple[str, str], ...]:
        """The others: what they name has to be looked for where they are from."""
        return tuple(one for one in self.addresses if not one[1].startswith(FLOWS))

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
    return Clues(
        text,
        tuple(dict.fromkeys(_ours(text)))[:MAX_ADDRESSES],
        _once([*traces, *told.traces]),
        _once([*spans, *told.spans]),
        _named(text),
        words,
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


def _ours(text: str) -> Iterator[tuple[str, str]]:
    for address in _addresses(text):
        try:
            parts = urlsplit(address)
        except ValueError:
            continue
        is_page = bool(_PAGES.fullmatch(parts.path))
        # Texts mention hosts for many reasons.
        is_first_page = bool(parts.netloc) and parts.path == "/" and address == text
        is_ours = parts.path.startswith(FLOWS) or is_page or is_first_page
        if is_ours and parts.scheme in ("", "http", "https"):
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
            yield parts.netloc.rpartition("@")[2].lower(), path


def _addresses(text: str) -> Iterator[str]:
    """The text itself where it may be an address or a path, and whole addresses in it: a path may be anybody's."""
    if not any(char.isspace() for char in text):
        # A key may end in a dot, and a sentence too: flows are looked for as both, other pages are opened unseen.
        whole = (text, trimmed(text))
        yield from reversed(whole) if "://" in text and FLOWS not in text else whole
    yield from (one for one in addresses(text) if not one.startswith("/"))
