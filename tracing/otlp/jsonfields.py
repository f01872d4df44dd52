"""Single fields and values of OTLP/JSON, as tolerant as the protobuf JSON mapping asks.

`json` builds records from them. A field that cannot be read raises `BadField` with a sentence; an attribute
value that cannot be read becomes {"$invalid": …} and costs nothing else.
"""

import base64
import binascii
import math
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tracing.otlp.attributes import ARRAY_DEPTH, MAP_DEPTH, MAX_DEPTH, PLAIN_TYPES, Memory, invalid, map_value
from tracing.values import is_storable, tag_bytes, tag_double, tag_text

KINDS = dict(Span.SpanKind.items())
STATUSES = dict(Status.StatusCode.items())
SEVERITIES = dict(SeverityNumber.items())
UINT32, UINT64 = (0, 2**32 - 1), (0, 2**64 - 1)
INT32, INT64 = (-(2**31), 2**31 - 1), (-(2**63), 2**63 - 1)
_ID_LENGTHS = (8, 16)
# More digits than any 64-bit number has, and nothing that makes Decimal work for long.
_LONGEST_NUMBER = 400
_LARGEST_EXPONENT = 30


class BadField(ValueError):
    """A field of the wrong type or beyond its range; the sentence names it."""


def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: "_" + letter.group().lower(), name)


class _SnakeNames(dict[str, str]):
    def __missing__(self, name: str) -> str:
        self[name] = _snake(name)
        return self[name]


_SNAKE = _SnakeNames()


def _field(holder: dict[str, Any], name: str) -> Any:
    value = holder.get(name)
    return value if value is not None else holder.get(_SNAKE[name])


def object_in(holder: dict[str, Any], name: str) -> dict[str, Any]:
    value = _field(holder, name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadField(f"{name} is not an object")
    return value


def list_in(holder: dict[str, Any], name: str) -> list[Any]:
    value = _field(holder, name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadField(f"{name} is not a list")
    return value


def text_in(holder: dict[str, Any], name: str) -> str:
    value = _field(holder, name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadField(f"{name} is not a string")
    return value


def number_in(holder: dict[str, Any], name: str, limits: tuple[int, int]) -> int:
    value = _field(holder, name)
    if value is None:
        return 0
    try:
        return integer(value, limits)
    except ValueError:
        raise BadField(f"{name} is not a whole number between {limits[0]} and {limits[1]}") from None


def enum_in(holder: dict[str, Any], name: str, names: Mapping[str, int]) -> int:
    """An enum by number (unknown ones kept) or by name."""
    value = _field(holder, name)
    if isinstance(value, str) and value in names:
        return names[value]
    return number_in(holder, name, INT32)


def id_in(holder: dict[str, Any], name: str) -> bytes:
    """An id from hex of any case. What is no hex comes back as bytes of no valid length, never as an id."""
    text = text_in(holder, name)
    try:
        return binascii.unhexlify(text)
    except ValueError:
        raw = text.encode("utf-8", "surrogatepass")
        return raw + b"?" if len(raw) in _ID_LENGTHS else raw


def integer(value: Any, limits: tuple[int, int]) -> int:
    """An integer given as number, string, or either with an exponent. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError("not a number")
    if isinstance(value, str):
        value = _from_text(value)
    elif isinstance(value, float):
        if not value.is_integer():
            raise ValueError("not whole")
        value = int(value)
    if not limits[0] <= value <= limits[1]:
        raise ValueError("out of range")
    return int(value)


def _from_text(text: str) -> int:
    if len(text) > _LONGEST_NUMBER or "_" in text:
        raise ValueError("not a number")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError("not a number") from None
    if (
        not number.is_finite()
        or number.adjusted() > _LARGEST_EXPONENT
        or number != number.to_integral_value()
    ):
        raise ValueError("not a whole number")
    return int(number)


def attributes_in(memory: Memory, holder: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a record, tagged; the last of equal keys wins."""
    found: dict[str, Any] = {}
    ordinary = memory.ordinary
    for pair in list_in(holder, "attributes"):
        key, value = _short_text(pair) or _attribute(pair)
        found[key] = value
        if type(value) not in PLAIN_TYPES or key not in ordinary:
            memory.note(key, value)
    return found


def _short_text(pair: Any) -> tuple[str, str] | None:
    """A key with a text in exactly the usual form, which is most of them."""
    try:
        key, sent = pair["key"], pair["value"]
        text = sent["stringValue"]
    except (KeyError, TypeError):
        return None
    if type(key) is not str or type(text) is not str or len(sent) != 1 or not is_storable(text):
        return None
    return key, text


def _attribute(pair: Any) -> tuple[str, Any]:
    if not isinstance(pair, dict):
        raise BadField("an attribute is not an object")
    return text_in(pair, "key"), value_in(pair.get("value"))


def value_in(sent: Any) -> Any:
    """The tagged value of an AnyValue; None for an empty or absent one, {"$invalid": …} for an unreadable one."""
    try:
        return _tagged(sent, 0)
    except (ValueError, OverflowError):
        return invalid(_written(sent))


def _written(sent: Any) -> bytes:
    try:
        return orjson.dumps(sent)
    except TypeError:
        return repr(sent)[:1000].encode("utf-8", "backslashreplace")


def _tagged(sent: Any, depth: int) -> Any:
    if sent is None:
        return None
    if depth > MAX_DEPTH:
        raise BadField("a value is nested too deep")
    if not isinstance(sent, dict):
        raise BadField("a value is not an object")
    for name, value in sent.items():
        read = _READERS.get(name)
        if read is not None and value is not None:
            return read(value)
        nested = _NESTED.get(name)
        if nested is not None and value is not None:
            return nested(value, depth)
    return None


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise BadField("stringValue is not a string")
    if is_storable(value):
        return value
    try:
        value.encode("utf-8", "strict")
    except UnicodeEncodeError:
        return _surrogates(value)
    return tag_text(value)


def _surrogates(value: str) -> Any:
    """Bytes that were not UTF-8 came in as low surrogates; other lone surrogates were written as escapes."""
    try:
        return invalid(value.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        return tag_text(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadField("boolValue is neither true nor false")
    return value


def _double(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)) or value == "":
        raise BadField("doubleValue is not a number")
    number = float(value)
    if isinstance(value, str) and math.isinf(number) and not value.lstrip("+-").lower().startswith("inf"):
        raise BadField("doubleValue is out of range")
    return tag_double(number)


def _bytes(value: Any) -> Any:
    if not isinstance(value, str):
        raise BadField("bytesValue is not base64")
    text = value.rstrip("=").replace("-", "+").replace("_", "/")
    return tag_bytes(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))


def _array(value: Any, depth: int) -> Any:
    if not isinstance(value, dict):
        raise BadField("arrayValue is not an object")
    return [_tagged(item, depth + ARRAY_DEPTH) for item in list_in(value, "values")]


def _map(value: Any, depth: int) -> Any:
    if not isinstance(value, dict):
        raise BadField("kvlistValue is not an object")
    items = {}
    for pair in list_in(value, "values"):
        if not isinstance(pair, dict):
            raise BadField("an entry of kvlistValue is not an object")
        items[text_in(pair, "key")] = _tagged(pair.get("value"), depth + MAP_DEPTH)
    return map_value(items)


def _integer(value: Any) -> int:
    return integer(value, INT64)


_BY_NAME = {
    "stringValue": _text,
    "boolValue": _truth,
    "intValue": _integer,
    "doubleValue": _double,
    "bytesValue": _bytes,
}
_READERS = {**_BY_NAME, **{_snake(name): read for name, read in _BY_NAME.items()}}
_NESTED = {"arrayValue": _array, "array_value": _array, "kvlistValue": _map, "kvlist_value": _map}
