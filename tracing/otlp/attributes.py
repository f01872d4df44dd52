"""Protobuf attributes -> tagged values, remembering those seen before.

Services say the same things over and over, so the bytes of a key and value lead to both at once; `protobuf`
asks here for every attribute. A key that needs more work (a secret, a name jsonb refuses, a map holding a
secret) is `special`; `finishing` looks at records that hold one. Values beyond use become {"$invalid": …}.
"""

import base64
from typing import Any
from weakref import WeakKeyDictionary

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from tracing.otlp import wire
from tracing.redaction import Redaction
from tracing.values import is_storable, tag_bytes, tag_double, tag_map, tag_text

# Messages within one value: upb's own limit, so that JSON, which has none, gives the same. An array is two
# deep, a map three. Values beyond it are kept as their bytes.
MAX_DEPTH, ARRAY_DEPTH, MAP_DEPTH = 100, 2, 3
# About 8 MB at most; unique values must not push out the repeated ones for long.
_REMEMBERED = 16_000
_LONGEST_REMEMBERED = 160


class Malformed(Exception):
    """A body that is no OTLP request at all; the sentence is for its sender."""


def invalid(value: bytes) -> dict[str, str]:
    """A value that could not be read, kept as it came."""
    return {"$invalid": base64.b64encode(value).decode()}


def text_of(value: bytes) -> str:
    """Text for a column. Bytes that are not UTF-8 become surrogates, which `finishing` replaces and keeps in `exact`."""
    return value.decode("utf-8", "surrogateescape")


class Memory:
    """What was parsed before. Filled by several threads at once; every step is one dict operation."""

    def __init__(self, redaction: Redaction) -> None:
        self.redaction = redaction
        self.special: set[str] = set()
        self.ordinary: set[str] = set()
        self.pairs = _Pairs(self)
        self.texts = _Texts()
        self.statuses = _Statuses()

    @property
    def is_full(self) -> bool:
        return len(self.pairs) >= _REMEMBERED or len(self.special) >= _REMEMBERED

    def note(self, key: str, value: Any) -> None:
        """Remember a key that makes its records special; its value is tagged already."""
        if key in self.special:
            return
        if (
            key.startswith("$")
            or self.redaction.hides(key)
            or not is_storable(key)
            or (isinstance(value, (dict, list)) and self.redaction.without_secrets(value)[1])
        ):
            self.special.add(key)
        elif len(self.ordinary) < _REMEMBERED:
            self.ordinary.add(key)


class _Pairs(dict[bytes, tuple[str, Any]]):
    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._seen: set[int] = set()

    def __missing__(self, raw: bytes) -> tuple[str, Any]:
        found = self._short_text(raw) or _read_pair(raw)
        key, value = found
        if type(value) not in PLAIN_TYPES or key not in self._memory.ordinary:
            self._memory.note(key, value)
        if len(raw) <= _LONGEST_REMEMBERED and len(self) < _REMEMBERED:
            self._remember(raw, found)
        return found

    def _remember(self, raw: bytes, found: tuple[str, Any]) -> None:
        """Keep what came before: most values that are new come only once, and would only fill the memory."""
        seen, mark = self._seen, hash(raw)
        if mark in seen:
            self[raw] = found
        elif len(seen) < _REMEMBERED:
            seen.add(mark)
        else:
            seen.clear()

    def _short_text(self, raw: bytes) -> tuple[str, Any] | None:
        """A key with a short text, the usual pair, read off its bytes: half the time of a message."""
        length = len(raw)
        if not 6 < length < 128 or raw[0] != _KEY:
            return None
        end = raw[1] + 2
        if end + 4 >= length or raw[end] != _VALUE or raw[end + 1] != length - end - 2:
            return None
        if raw[end + 2] != _TEXT or raw[end + 3] != length - end - 4:
            return None
        try:
            text = raw[end + 4 :].decode()
        except UnicodeDecodeError:
            return None
        return None if "\x00" in text else (self._memory.texts[raw[2:end]], text)


def _read_pair(raw: bytes) -> tuple[str, Any]:
    try:
        pair = KeyValue.FromString(raw)
    except DecodeError:
        return _lenient_pair(raw)
    return pair.key, _scalar(pair.value, raw)


# Tags of a KeyValue's key and value, and of a text in it.
_KEY, _VALUE, _TEXT = 0x0A, 0x12, 0x0A
# Values that cannot hold a secret of their own.
PLAIN_TYPES = {str, int, bool, float, type(None)}


def _scalar(value: AnyValue, raw: bytes) -> Any:
    """A valid value by its short way; what nests goes the long way, from the bytes of its pair."""
    kind = value.WhichOneof("value")
    if kind == "int_value":
        return value.int_value
    if kind == "string_value":
        return tag_text(value.string_value)
    if kind == "double_value":
        return tag_double(value.double_value)
    if kind == "bool_value":
        return value.bool_value
    return _lenient_pair(raw)[1]


def _lenient_pair(raw: bytes) -> tuple[str, Any]:
    try:
        pair = wire.Pair.FromString(raw)
    except DecodeError as error:
        raise Malformed("an attribute is not valid protobuf") from error
    return text_of(pair.key), value_of(pair.value)


class _Statuses(dict[bytes, tuple[int, str]]):
    """Code and message of a span's status."""

    def __missing__(self, raw: bytes) -> tuple[int, str]:
        try:
            sent = wire.Status.FromString(raw)
        except DecodeError as error:
            raise Malformed("its status is not valid protobuf") from error
        found = (sent.code, text_of(sent.message))
        if len(raw) <= _LONGEST_REMEMBERED and len(self) < _REMEMBERED:
            self[raw] = found
        return found


class _Texts(dict[bytes, str]):
    def __missing__(self, raw: bytes) -> str:
        text = text_of(raw)
        if len(raw) <= _LONGEST_REMEMBERED and len(self) < _REMEMBERED:
            self[raw] = text
        return text


_memories: WeakKeyDictionary[Redaction, Memory] = WeakKeyDictionary()


def memory_for(redaction: Redaction) -> Memory:
    """The memory to use for one request. A full one is left to those still using it, never emptied under them."""
    memory = _memories.get(redaction)
    if memory is None or memory.is_full:
        memory = _memories[redaction] = Memory(redaction)
    return memory


def value_of(raw: bytes) -> Any:
    """The tagged value of an AnyValue's bytes; None for an empty or absent one."""
    if not raw:
        return None
    try:
        return _tagged(wire.AnyValue.FromString(raw))
    except DecodeError:
        return invalid(raw)


def _tagged(message: Any) -> Any:
    kind = message.WhichOneof("value")
    if kind == "string_value":
        return text_value(message.string_value)
    if kind in ("int_value", "bool_value"):
        return getattr(message, kind)
    if kind == "double_value":
        return tag_double(message.double_value)
    if kind == "bytes_value":
        return tag_bytes(message.bytes_value)
    if kind == "array_value":
        return [_tagged(item) for item in message.array_value.values]
    if kind == "kvlist_value":
        pairs = message.kvlist_value.values
        return map_value({text_of(pair.key): _tagged(pair.value) for pair in pairs})
    return None


def text_value(raw: bytes) -> Any:
    try:
        return tag_text(raw.decode())
    except UnicodeDecodeError:
        return invalid(raw)


def map_value(items: dict[str, Any]) -> Any:
    """A map, tagged in key order where it needs a tag, so that equal maps stay equal."""
    tagged = tag_map(items)
    return tagged if tagged is items else tag_map(dict(sorted(items.items())))
