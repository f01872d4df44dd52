"""Attributes that look like keys and lead nowhere: what the page of rules proposes.

It looks at what was stored last, a few records a sender, so that a quiet service is seen beside a busy one; wherever
`correlation` would find a key, one is looked for.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.conf import settings

from tracing import rulebook
from tracing.database import conninfo
from tracing.keys import CONVENTIONAL, flat, key_part
from tracing.reading import latest_records
from tracing.records import Log, Resource, Span
from tracing.values import opened

MOST = 30
LOOKS_LIKE_A_KEY = re.compile(
    r"(?:[._](?:id|key|no|nr|num|number|uuid|guid|ref|reference|code)|Id|ID|Key|No|Number|Uuid|Ref|Reference)$"
)


@dataclass(slots=True)
class Candidate:
    """An attribute that looks like a key and has no rule; how many of the records looked at carry it."""

    name: str
    records: int = 0
    values: set[str] = field(default_factory=set)
    services: set[str] = field(default_factory=set)

    @property
    def example(self) -> str:
        return min(self.values)


def candidates() -> list[Candidate]:
    """The attributes that look most like keys: with many values first, then the most frequent."""
    found: dict[str, Candidate] = {}
    # A connection of one's own: Django's gives jsonb as text.
    with psycopg.connect(conninfo(), autocommit=True) as reader:
        book = rulebook.load(reader, settings.ENVIRONMENT)
        resources: dict[bytes, Resource] = {}
        for record in latest_records(reader):
            resources[record.resource.resource_id] = record.resource
            for name, value in _said(record):
                if _is_sought(name) and not book.hits(name):
                    _note(found, name, value, record.resource.service)
        for resource in resources.values():
            for name, value in opened(resource.attributes).items():
                if _is_sought(name) and not book.hits(name):
                    _note(found, name, value, resource.service)
    useful = [one for one in found.values() if len(one.values) > 1 or one.records == 1]
    return sorted(useful, key=lambda one: (len(one.values) == 1, -one.records, one.name))[:MOST]


def _said(record: Span | Log) -> Iterator[tuple[str, Any]]:
    """Everything inside a record that a rule would look at."""
    yield from opened(record.attributes).items()
    if isinstance(record, Span):
        for event in record.events:
            yield from opened(event.attributes).items()
    elif isinstance(record.body, dict):
        yield from flat(opened(record.body)).items()


def _is_sought(name: str) -> bool:
    return bool(LOOKS_LIKE_A_KEY.search(name)) and name.split(".", 1)[0] not in CONVENTIONAL


def _note(found: dict[str, Candidate], name: str, value: Any, service: str) -> None:
    part = key_part(value)
    if part is None:
        return
    candidate = found.setdefault(name, Candidate(name))
    candidate.records += 1
    candidate.services.add(service)
    if len(candidate.values) < 1_000:
        candidate.values.add(part)
