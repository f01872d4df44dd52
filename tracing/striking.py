"""How a flow that is to be forgotten is named in texts, in whatever spelling, and what is left of them without it (pure).

What belongs to the flow, to its problems or to a link to it loses the key wherever it stands as a word; elsewhere only where
it is named as this flow (`order 4711`, its address, its id), because 4711 may be anything. An address that a link leads to
is compared as a whole: that of another flow stays, however alike. `scrubbing` says which texts there are.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlencode

ERASED = "[forgotten]"
# Where a link leads that led to the flow: nowhere.
NOWHERE = f"/flow/entity/forgotten/{quote(ERASED, safe='')}"
# A key that was cut off at the end of a text is known by so many of its characters.
LEAST_CUT = 16
LONGEST_QUOTED = 300
LONGEST_BEFORE = 200  # a type and what stands between it and the key
# Parameters of a view that look for words.
_SOUGHT = ("find", "q")
_OTHERS = ("/flow/entity", "/flow/workflow", "/compare?")
# Before a type stands no word, but what an address writes before it.
_BEGIN = r"(?:(?<![\w-])|(?<=%2[Ff0])|(?<=%252[Ff0])|(?<=%3[DdAa]))"
# Between a type and a key: as people write it, in an address, and in an address within an address.
_BETWEEN = r"(?:[._](?:id|key|no|number))?(?:[ /=:+#\"']{1,4}|%(?:25)?(?:20|2[Ff]|3[AaDd]))"
_ADDRESSED = r"(?:/|%(?:25)?2[Ff])"
# After a key: nothing that could make it a longer one. In an address that is more than among words.
_END = r"(?![\w-]|[.:/@]\d)"
_ADDRESS_END = r"(?![\w-]|[.:/@]\w|%(?!(?:25)?(?:2[0-479Cc]|26|3[BbFf]))[0-9A-Fa-f]{2})"


@dataclass(frozen=True, slots=True)
class Target:
    """A flow to forget; `path` is that of its page, as links carry it."""

    flow_id: bytes
    type: str
    key: str
    path: str


def sought(target: Target) -> set[str]:
    """What stands wherever the flow is named, however it is written.

    JSON writes some characters another way, so of the key its longest part without these; and a long key may be cut off.
    """
    part = max(re.split(r'["\\\\\x00-\x1f]', target.key), key=len) or target.key
    cut = {part[:LEAST_CUT]} if len(part) > LEAST_CUT else set()
    return {target.flow_id.hex()}.union(*(_spellings(one) for one in {part, *cut}))


class Pen:
    """Strikes one flow's name out of texts."""

    def __init__(self, target: Target) -> None:
        keys, types = _pattern(_spellings(target.key)), _pattern(_spellings(target.type))
        self.target = target
        self.named = [
            re.compile(rf"(?P<before>{_BEGIN}(?:{types}){_ADDRESSED})(?:{keys}){_ADDRESS_END}"),
            re.compile(rf"(?P<before>{_BEGIN}(?i:{types})(?!{_ADDRESSED}){_BETWEEN})(?:{keys}){_END}"),
            re.compile(
                rf"(?P<before>(?:[?&]|%3[Ff]|%26)type(?:=|%3[Dd])(?:{types})(?:&|&amp;|%26)key(?:=|%3[Dd]))(?:{keys})"
                f"{_ADDRESS_END}"
            ),
            re.compile(target.flow_id.hex()),
        ]
        self.anywhere = [*self.named, re.compile(rf"(?<![\w-]){re.escape(target.key)}(?![\w-])")]
        self.before = re.compile(rf"{_BEGIN}(?i:{types}){_BETWEEN}")
        # What the audit repeats: titles as its subjects, reasons as details.
        self.titles: dict[str, str] = {}
        self.reasons: dict[str, str] = {}

    def row(self, values: Sequence[Any], is_own: bool) -> list[Any]:
        return [self.without(value, is_own) for value in values]

    def audit(self, subject: str, detail: str) -> list[Any]:
        """What was said of the flow, its problems, links and copies tells it in their own words."""
        is_own = subject in self.titles or subject == f"{self.target.type} {self.target.key}"
        return [
            self.titles.get(subject) or self.without(subject, is_own),
            self.reasons.get(detail) or self.without(detail, is_own),
        ]

    def page(self, values: Sequence[Any], problems: Sequence[bytes], is_own: bool) -> list[Any]:
        """A link or a copy. That of another flow keeps its address and its title, which may be of the same name elsewhere."""
        path, title, reason, *query = values
        left = self.path(path)
        is_own = is_own or left != path or path.removeprefix("/problems/") in {one.hex() for one in problems}
        is_another = not is_own and path.startswith(_OTHERS)
        told = title if is_another else self.without(title, is_own)
        return [left, told, self.without(reason, is_own), *map(self._query, query)]

    def path(self, path: str) -> str:
        """Where it leads to; nowhere where that was this flow, alone or beside another."""
        if path == self.target.path:
            return NOWHERE
        if not path.startswith("/compare?"):
            return path
        sides = parse_qsl(path.partition("?")[2], keep_blank_values=True)
        left = [(name, NOWHERE if side == self.target.path else side) for name, side in sides]
        return path if left == sides else f"/compare?{urlencode(left, quote_via=quote)}"

    def _query(self, query: str) -> str:
        """What a view was narrowed to: a number in it is no key, but what is looked for may be."""
        asked = parse_qsl(query, keep_blank_values=True)
        left = [(name, self.without(one, name in _SOUGHT)) for name, one in asked]
        return query if left == asked else urlencode(left, quote_via=quote)

    def without(self, value: Any, is_own: bool) -> Any:
        """The same without the key; examples that are this flow go whole."""
        if isinstance(value, str):
            return self._text(value, is_own)
        if isinstance(value, dict):
            told: dict[str, Any] = {}
            for name, one in value.items():
                left = self.without(name, is_own)
                # Two that were told apart by what is struck out stay two.
                while left in told:
                    left += "'"
                told[left] = self.without(one, is_own)
            return told
        if isinstance(value, list):
            flow_hex = self.target.flow_id.hex()
            kept = [one for one in value if not (isinstance(one, dict) and one.get("flow") == flow_hex)]
            return [self.without(one, is_own) for one in kept]
        return value

    def _text(self, text: str, is_own: bool) -> str:
        for pattern in self.anywhere if is_own else self.named:
            text = pattern.sub(_erased, text)
        return self._without_cut_off(text, is_own)

    def _without_cut_off(self, text: str, is_own: bool) -> str:
        """Where a text is cut, by an ellipsis or by its column, the beginning of the key may stand before."""
        ends = [at for at, letter in enumerate(text) if letter == "…"][::-1]
        for end in [len(text), *ends] if len(text) >= LONGEST_QUOTED else ends:
            key = self.target.key
            longest = min(len(key) - 1, end)
            length = next((n for n in range(longest, LEAST_CUT - 1, -1) if text.endswith(key[:n], 0, end)), 0)
            if length and (is_own or self._is_named(text, end - length)):
                text = f"{text[: end - length]}{ERASED}{text[end:]}"
        return text

    def _is_named(self, text: str, begin: int) -> bool:
        """Whether the type stands before that place."""
        near = max(0, begin - LONGEST_BEFORE)
        return any(found.end() == begin for found in self.before.finditer(text, near, begin))

    def remember(self, old: str, new: str, *, is_reason: bool) -> None:
        """What the audit may have repeated: a title of a problem, a link or a copy, or the reason of one."""
        if old != new:
            told = self.reasons if is_reason else self.titles
            told[old] = told[old[:LONGEST_QUOTED]] = new[:LONGEST_QUOTED]


def _spellings(text: str) -> set[str]:
    """A text as it is written, in an address, and in an address within an address; escapes in either case."""
    once = {quote(text, safe=""), quote(text), quote_plus(text)}
    ways = {text, *once, *(quote(one, safe="") for one in once)}
    return ways | {re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), one) for one in ways}


def _pattern(ways: set[str]) -> str:
    return "|".join(map(re.escape, sorted(ways, key=len, reverse=True)))


def _erased(found: re.Match[str]) -> str:
    return found.groupdict().get("before", "") + ERASED
