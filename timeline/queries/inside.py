"""Text looked for in one flow: over the names, attributes and bodies of its records, and what its systems said.

Upper and lower case are the same. `timeline.layout.plan` marks what was found; finding flows is `queries.find`'s.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from timeline.layout.forest import ASIDE, CHAPTER, EVENT, LOG, MOVE, SPAN, Forest, Mask
from timeline.layout.tables import Table, rows_of
from timeline.queries.bound import fetched
from timeline.queries.skeleton import SPAN_KEYS
from tracing.records import DAY_NS
from tracing.values import json_bytes, plain

# Texts stand in columns as they were sent and in JSON escaped. OFFSET 0 as in `queries.bykey`.
SPANS = """
    SELECT string_agg(key, ''::bytea) FILTER (WHERE itself), array_agg(key) FILTER (WHERE within),
           array_agg(events) FILTER (WHERE within)
    FROM (
        SELECT int4send(place::integer) || span_id || substr(digest, 1, 8) AS key, events,
               name ILIKE %(text)s OR status_message ILIKE %(text)s OR attributes::text ILIKE %(escaped)s AS itself,
               events::text ILIKE %(escaped)s AS within
        FROM unnest(%(traces)s::bytea[]) WITH ORDINALITY AS wanted(wanted_id, nth), LATERAL
            (SELECT nth - 1 AS place, * FROM span WHERE trace_id = wanted_id AND day = ANY(%(days)s::integer[]) OFFSET 0) AS span
    ) AS told
    WHERE itself OR within"""
MATCHING_LOG = (
    "event_name ILIKE %(text)s OR body::text ILIKE %(escaped)s OR attributes::text ILIKE %(escaped)s"
)
LOGS = f"""
    SELECT string_agg(log_id, ''::bytea) FROM log
    WHERE trace_id = ANY(%(traces)s::bytea[]) AND trace_id <> '' AND day = ANY(%(days)s::integer[]) AND ({MATCHING_LOG})"""
LOOSE_LOGS = f"""
    SELECT string_agg(log_id, ''::bytea) FROM log
    WHERE log_id = ANY(%(ids)s::bytea[]) AND day = ANY(%(days)s::integer[]) AND ({MATCHING_LOG})"""
_SPAN_HEAD = np.dtype([("trace", "i4"), ("span_id", "u8"), ("digest", "u8")])
_LOG_HEAD = np.dtype([("high", "u8"), ("low", "u8")])


def read_hits(forest: Forest, text: str) -> Mask:
    """The nodes of a forest whose record holds a text. What was not read of a flow is not looked into."""
    found = np.zeros(len(forest), np.bool_)
    asked = _asked(forest, text)
    if len(forest.spans):
        own, keys, events = fetched(SPANS, asked)[0]
        found[forest.bases[SPAN] + _rows(own or b"", forest.spans)] = True
        _mark_events(found, forest, keys or [], events or [], text)
    if len(forest.tables.logs):
        told = [fetched(LOGS, asked)[0][0], *(row[0] for row in _loose(forest, asked))]
        heads = _heads(b"".join(part for part in told if part), _LOG_HEAD)
        rows = rows_of(heads, forest.tables.logs, ("high", "low"))
        found[forest.bases[LOG] + rows[rows >= 0]] = True
    sought = text.lower()
    for row, move in enumerate(forest.tables.moves):
        found[forest.bases[MOVE] + row] = sought in move.state.lower() or sought in move.system.lower()
    for row, aside in enumerate(forest.asides):
        found[forest.bases[ASIDE] + row] = sought in f"{aside.name} {aside.text} {aside.service}".lower()
    found[forest.kinds == CHAPTER] = False
    return found & forest.shown


def _asked(forest: Forest, text: str) -> dict[str, Any]:
    times = np.concatenate((forest.spans["start"], forest.tables.logs["time"]))
    return {
        "traces": forest.tables.traces,
        "days": np.unique(times // DAY_NS).tolist(),
        "text": _pattern(text),
        "escaped": _pattern(json_bytes(text).decode()[1:-1]),
    }


def _pattern(text: str) -> str:
    """What LIKE takes for this text anywhere; it has three characters of its own."""
    for sign in "\\%_":
        text = text.replace(sign, f"\\{sign}")
    return f"%{text}%"


def _loose(forest: Forest, asked: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Logs without a trace are found by their ids only."""
    ids = sorted({log_id for chapter in forest.chapters for log_id in chapter.log_ids})
    return fetched(LOOSE_LOGS, asked | {"ids": ids}) if ids else []


def _heads(packed: bytes, kind: np.dtype[Any]) -> Table:
    return np.frombuffer(packed, kind.newbyteorder(">")).astype(kind)


def _rows(packed: bytes, spans: Table) -> NDArray[np.int64]:
    rows = rows_of(_heads(packed, _SPAN_HEAD), spans, SPAN_KEYS)
    return np.asarray(rows[rows >= 0])


def _mark_events(found: Mask, forest: Forest, keys: Sequence[bytes], told: Sequence[str], text: str) -> None:
    """Of spans with a matching event, which it is."""
    if not keys:
        return
    rows = rows_of(_heads(b"".join(keys), _SPAN_HEAD), forest.spans, SPAN_KEYS).tolist()
    sought = json_bytes(text).decode()[1:-1].lower()
    matching = {
        (row, ordinal)
        for row, events in zip(rows, told, strict=True)
        for ordinal, event in enumerate(orjson.loads(events))
        if sought in _said(event)
    }
    events = forest.tables.events
    for place in np.flatnonzero(np.isin(events["span"], [row for row, _ in matching])).tolist():
        key = (int(events[place]["span"]), int(events[place]["ordinal"]))
        found[forest.bases[EVENT] + place] = key in matching


def _said(event: dict[str, Any]) -> str:
    return json_bytes(plain([event.get("name"), event.get("attributes")])).decode().lower()
