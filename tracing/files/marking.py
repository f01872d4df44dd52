"""What a written record must carry so that reading it gives the stored one again: found by reading it (pure).

Each record is read the way an import does and compared with what is stored. Where columns differ they are noted in
`threadline.exact`, where with them its digest still does (redaction, ordinals of equal logs) in `threadline.identity`
(`tracing.otlp.carried`). So no writer has to know what it leaves out, and every form makes the same of a record.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from tracing.files.otlpjson import Sent, resource_holder, scope_holder
from tracing.otlp import json, restored
from tracing.otlp.attributes import memory_for
from tracing.otlp.carried import EXACT, IDENTITY, ORIGIN, origin_of, sealed, without_identity
from tracing.otlp.finishing import Work
from tracing.otlp.forms import Form, difference, log_form, span_form
from tracing.otlp.identity import canonical
from tracing.records import Batch, Log, Resource, Scope, Span
from tracing.redaction import Redaction

Marks = dict[str, str]
NO_MARKS: Marks = {}
# Without the names an installation adds: wherever a file is read, its redacted values stay redacted.
_REDACTION = Redaction()
_MOST_SENDERS = 10_000


class Unwritable(Exception):
    """A record that cannot be read back as it was written; a fault of ours."""


@dataclass(slots=True)
class Read:
    """A resource or a scope as a file holds it, and as it is read from there."""

    holder: Sent
    value: Any
    sent_id: bytes  # for the digests of logs: before redaction


class Marker:
    """Finds the marks of records; remembers resources and scopes, which come again and again."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._memory = memory_for(_REDACTION)
        self._resources: dict[bytes, Read] = {}
        self._scopes: dict[bytes, Read] = {}

    def span(self, stored: Span, sent: Sent) -> Marks:
        """The marks of a span that is written as `sent`, under its marked resource and scope."""
        form, origin = _apart(span_form(stored))
        read = self._read_span(stored, sent)
        marks = _exact(difference(span_form(read), form))
        if not origin:
            read = self._read_span(stored, sent, marks) if marks else read
            if read.digest == stored.digest:
                return marks
            origin = sealed(self._key, stored.digest, restored.told_span(self._key, read, span_form(read)))
        return marks | {IDENTITY: origin}

    def log(self, stored: Log, sent: Sent, resource: Read | None = None, scope: Read | None = None) -> Marks:
        resource, scope = resource or self.resource(stored.resource), scope or self.scope(stored.scope)
        form, origin = _apart(log_form(stored))
        read = self._read_log(stored, sent, resource, scope)
        marks = _exact(difference(log_form(read), form))
        if not origin:
            read = self._read_log(stored, sent, resource, scope, marks) if marks else read
            ids = stored.digest + stored.log_id
            if read.digest + read.log_id == ids:
                return marks
            origin = sealed(self._key, ids, restored.told_log(self._key, read, log_form(read)))
        return marks | {IDENTITY: origin}

    def _read_span(self, stored: Span, sent: Sent, marks: Marks = NO_MARKS) -> Span:
        work = self._work()
        resource, scope = self.resource(stored.resource), self.scope(stored.scope)
        json.read_span(work, _with_marks(sent, marks), resource.value, scope.value)
        if not work.batch.spans:
            raise Unwritable(f"span {stored.span_id.hex()}: {work.batch.refusals}")
        return work.batch.spans[0]

    def _read_log(self, stored: Log, sent: Sent, resource: Read, scope: Read, marks: Marks = NO_MARKS) -> Log:
        work = self._work()
        sender = resource.sent_id + scope.sent_id
        json.read_log(work, _with_marks(sent, marks), resource.value, scope.value, sender)
        if not work.batch.logs:
            raise Unwritable(f"log {stored.log_id.hex()}: {work.batch.refusals}")
        return work.batch.logs[0]

    def resource(self, stored: Resource) -> Read:
        """The resource's holder with its marks."""
        found = self._resources.get(stored.resource_id)
        if found is None:
            _bound(self._resources)
            found = self._resources[stored.resource_id] = self._marked_resource(stored)
        return found

    def scope(self, stored: Scope) -> Read:
        found = self._scopes.get(stored.scope_id)
        if found is None:
            _bound(self._scopes)
            found = self._scopes[stored.scope_id] = self._marked_scope(stored)
        return found

    def _resource_holder(self, stored: Resource) -> Sent:
        return resource_holder(stored)

    def _scope_holder(self, stored: Scope) -> Sent:
        return scope_holder(stored)

    def _marked_resource(self, stored: Resource) -> Read:
        holder = self._resource_holder(stored)
        form, origin = _apart(_resource_form(stored))
        marks = _exact(difference(_resource_form(self._read_resource(holder).value), form))
        inner = holder.setdefault("resource", {})
        add_marks(inner, marks)
        if not origin and self._read_resource(holder).value.resource_id != stored.resource_id:
            origin = sealed(self._key, stored.resource_id, restored.told_holder(self._key, b"resource", form))
        add_marks(inner, {IDENTITY: origin} if origin else {})
        return self._read_resource(holder)

    def _marked_scope(self, stored: Scope) -> Read:
        holder = self._scope_holder(stored)
        form, origin = _apart(_scope_form(stored))
        marks = _exact(difference(_scope_form(self._read_scope(holder).value), form))
        inner = holder.setdefault("scope", {})
        add_marks(inner, marks)
        if not origin and self._read_scope(holder).value.scope_id != stored.scope_id:
            origin = sealed(self._key, stored.scope_id, restored.told_holder(self._key, b"scope", form))
        add_marks(inner, {IDENTITY: origin} if origin else {})
        return self._read_scope(holder)

    def _read_resource(self, holder: Sent) -> Read:
        return Read(holder, *json.read_resource(self._work(), holder))

    def _read_scope(self, holder: Sent) -> Read:
        scope = json.read_scope(self._work(), holder)
        return Read(holder, scope, scope.scope_id)

    def _work(self) -> Work:
        return Work(self._key, self._memory, Batch(), from_file=True)


def _exact(columns: Form) -> Marks:
    return {EXACT: canonical(columns).decode()} if columns else {}


def _with_marks(sent: Sent, marks: Marks) -> Sent:
    marked = dict(sent)
    add_marks(marked, marks)
    return marked


def add_marks(sent: Sent, marks: Marks) -> None:
    """Marks as further attributes."""
    if marks:
        told = [{"key": name, "value": {"stringValue": text}} for name, text in sorted(marks.items())]
        sent["attributes"] = [*sent.get("attributes", []), *told]


def _apart(form: Form) -> tuple[Form, str]:
    """A stored form without the identity of another installation, and that."""
    if "exact" in form:
        exact = dict(form["exact"])
        origin = exact.pop(ORIGIN, "")
        return form | {"exact": exact}, origin
    origin = origin_of(form["attributes"])
    return form | {"attributes": without_identity(form["attributes"])} if origin else form, origin


def _resource_form(resource: Resource) -> Form:
    return {
        "attributes": resource.attributes,
        "dropped": resource.dropped,
        "schema_url": resource.schema_url,
    }


def _scope_form(scope: Scope) -> Form:
    return {
        "name": scope.name,
        "version": scope.version,
        "schema_url": scope.schema_url,
        "dropped": scope.dropped,
        "attributes": orjson.loads(scope.attributes_json),
    }


def _bound(known: dict[bytes, Read]) -> None:
    if len(known) >= _MOST_SENDERS:
        known.clear()
