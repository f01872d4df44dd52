"""OTLP values as JSON that loses nothing.

Plain jsonb cannot tell bytes from text, NaN from "NaN", 1e22 from its integer, or -0.0 from 0; it refuses NUL
and lone surrogates. Those rare kinds become a one-key object whose key starts with "$"; everything else stays
plain, so that it can be searched. `tag_*` is used by `otlp.decode`, `plain` by whatever shows values.

    bytes            {"$bytes": "<base64>"}
    NaN, ±inf, -0.0, |double| >= 2**53   {"$double": "NaN" | "Infinity" | "-Infinity" | "-0.0" | repr}
    text with NUL or lone surrogates     {"$text": "<base64 of UTF-8, surrogates passed>"}
    text that was not valid UTF-8        {"$invalid": "<base64 of the bytes>"}
    map holding a key that starts "$"    {"$map": [[key, value], …]}
    a value replaced on arrival          {"$redacted": true}
"""

import base64
import json
import math
from typing import Any

import orjson

REDACTED: dict[str, Any] = {"$redacted": True}
# Values in values; what is sent is cut long before.
DEEPEST = 200


def tag_bytes(value: bytes) -> dict[str, str]:
    return {"$bytes": base64.b64encode(value).decode()}


def tag_double(value: float) -> Any:
    """A double as a plain number where jsonb gives the same double back, else tagged."""
    if value != value:
        return {"$double": "NaN"}
    if math.isinf(value):
        return {"$double": "Infinity" if value > 0 else "-Infinity"}
    if abs(value) >= 2**53 or (value == 0 and math.copysign(1.0, value) < 0):
        return {"$double": repr(value)}
    return value


def tag_text(value: str) -> Any:
    """Text as it is, or tagged where PostgreSQL would refuse it."""
    if "\x00" not in value and (value.isascii() or _is_unicode(value)):
        return value
    return {"$text": base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()}


def tag_map(value: dict[str, Any]) -> Any:
    """A map of values that are tagged already."""
    if any(key.startswith("$") or not is_storable(key) for key in value):
        return {"$map": [[tag_text(key), item] for key, item in value.items()]}
    return value


def opened(value: dict[str, Any]) -> dict[str, Any]:
    """A tagged map by name again, so that one odd key does not hide the others; keys that are tagged are left out."""
    if "$map" in value and len(value) == 1:
        return {key: item for key, item in value["$map"] if isinstance(key, str)}
    return value


def is_storable(text: str) -> bool:
    """Whether PostgreSQL takes this text as it is."""
    return "\x00" not in text and (text.isascii() or _is_unicode(text))


def storable(text: str) -> str:
    """Text for a text column: NUL and lone surrogates become U+FFFD."""
    if is_storable(text):
        return text
    return text.replace("\x00", "�").encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def is_tagged(value: Any, depth: int = 0) -> bool:
    """Whether this is a value as the store holds it, and one that PostgreSQL takes."""
    if isinstance(value, list | dict):
        return depth <= DEEPEST and _is_nested(value, depth + 1)
    if isinstance(value, str):
        return is_storable(value)
    if isinstance(value, bool) or value is None:
        return True
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return isinstance(value, float) and math.isfinite(value)


def _is_nested(value: list[Any] | dict[str, Any], depth: int) -> bool:
    if isinstance(value, list):
        return all(is_tagged(item, depth) for item in value)
    if any(key.startswith("$") for key in value):
        return len(value) == 1 and _is_tag(*next(iter(value.items())), depth)
    return all(is_storable(key) and is_tagged(item, depth) for key, item in value.items())


def _is_tag(key: str, item: Any, depth: int) -> bool:
    if key == "$redacted":
        return item is True
    if key == "$map":
        pairs = isinstance(item, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in item)
        return pairs and all(_is_text(name) and is_tagged(inner, depth) for name, inner in item)
    if not isinstance(item, str):
        return False
    try:
        if key == "$double":
            float(item)
        elif key in ("$bytes", "$text", "$invalid"):
            raw = base64.b64decode(item, validate=True)
            _ = raw.decode("utf-8", "surrogatepass") if key == "$text" else ""
        else:
            return False
    except ValueError:
        return False
    return True


def _is_text(value: Any) -> bool:
    return (isinstance(value, str) and is_storable(value)) or (
        isinstance(value, dict) and value.keys() == {"$text"} and is_tagged(value)
    )


def plain(value: Any) -> Any:
    """A tagged value as the contract shows it: bytes as base64, NaN and infinities as strings, int64 beyond 2^53 as strings."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value) if abs(value) > 2**53 else value
    if isinstance(value, dict):
        return _plain_map(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def json_bytes(value: Any, *, indented: bool = False) -> bytes:
    """A plain value as JSON; orjson refuses lone surrogates, which the standard library escapes as they came."""
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2 if indented else None)
    except TypeError:
        return json.dumps(value, default=str, indent=2 if indented else None).encode()


def _plain_map(value: dict[str, Any]) -> Any:
    if len(value) == 1:
        ((key, item),) = value.items()
        if key == "$double":
            number = float(item)
            return item if number != number or math.isinf(number) else number
        if key == "$bytes":
            return item
        if key in ("$text", "$invalid"):
            return base64.b64decode(item).decode("utf-8", "surrogatepass" if key == "$text" else "replace")
        if key == "$redacted":
            return "[redacted]"
        if key == "$map":
            return {str(plain(name)): plain(inner) for name, inner in item}
    return {name: plain(item) for name, item in value.items()}


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
