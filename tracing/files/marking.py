"""What a written record must carry so that reading it gives the stored one again: found by reading it (pure).

Each record is read the way an import does and compared with what is stored. Where columns differ they are noted in
`threadline.exact`, where its digest does (redaction, ordinals of equal logs, what a form has no place for) in
`threadline.identity` (`tracing.otlp.carried`). So no writer has to know what it leaves out.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from tracing.files.otlpjson import Sent, resource_holder, scope_holder
from tracing.otlp import json
from tracing.otlp.attributes import memory_for
from tracing.otlp.carried import EXACT, IDENTITY, ORIGIN, origin_of, sealed
from tracing.otlp.finishing import Work
from tracing.otlp.forms import Form, difference, log_form, span_form
from tracing.otlp.identity import canonical
from tracing.records import Batch, Log, Resource, Scope, Span
from tracing.redaction import Redaction

Marks = dict[str, str]
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
    native: bytes  # its id as the holder alone tells it


class Marker:
    """Finds the marks of records; remembers resources and scopes, which come again and again."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._memory = memory_for(_REDACTION)
        self._resources: dict[bytes, Read] = {}
        self._scopes: dict[bytes, Read] = {}

    def span(self, stored: Span, sent: Sent) -> Marks:
        """The marks of a span that is written as `sent`, under its marked resource and scope."""
        work = self._work()
        json.read_span(work, sent, self.resource(stored.resource).value, self.scope(stored.scope).value)
        if not work.batch.spans:
            raise Unwritable(f"span {stored.span_id.hex()}: {work.batch.refusals}")
        read = work.batch.spans[0]
        form, origin = _apart(span_form(stored))
        return self._marks(stored.digest, read.digest, read.digest, span_form(read), form, origin)

    def log(self, stored: Log, sent: Sent, resource: Read | None = None, scope: Read | None = None) -> Marks:
        resource, scope = resource or self.resource(stored.resource), scope or self.scope(stored.scope)
        work = self._work()
        json.read_log(work, sent, resource.value, scope.value, resource.native + scope.value.scope_id)
        if not work.batch.logs:
            raise Unwritable(f"log {stored.log_id.hex()}: {work.batch.refusals}")
        read = work.batch.logs[0]
        ids = stored.digest + stored.log_id
        form, origin = _apart(log_form(stored))
        return self._marks(ids, read.digest + read.log_id, read.digest, log_form(read), form, origin)

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
        read, native = json.read_resource(self._work(), holder)
        form, origin = _apart(_resource_form(stored))
        columns = difference(_resource_form(read), form)
        exact = canonical(columns).decode() if columns else ""
        inner = holder.setdefault("resource", {})
        add_marks(inner, {EXACT: exact} if exact else {})
        read, _ = json.read_resource(self._work(), holder)
        if origin or read.resource_id != stored.resource_id:
            identity = origin or sealed(self._key, stored.resource_id, native, exact)
            add_marks(inner, {IDENTITY: identity})
            read, _ = json.read_resource(self._work(), holder)
        return Read(holder, read, native)

    def _marked_scope(self, stored: Scope) -> Read:
        holder = self._scope_holder(stored)
        read = json.read_scope(self._work(), holder)
        native = read.scope_id
        form, origin = _apart(_scope_form(stored))
        marks = self._marks(stored.scope_id, native, native, _scope_form(read), form, origin)
        if marks:
            add_marks(holder.setdefault("scope", {}), marks)
            read = json.read_scope(self._work(), holder)
        return Read(holder, read, native)

    def _marks(
        self, ids: bytes, read_ids: bytes, native: bytes, read: Form, stored: Form, origin: str = ""
    ) -> Marks:
        columns = difference(read, stored)
        marks = {EXACT: canonical(columns).decode()} if columns else {}
        if origin:
            return {IDENTITY: origin} | marks
        if columns or ids != read_ids:
            marks[IDENTITY] = sealed(self._key, ids, native, marks.get(EXACT, ""))
        return marks

    def _work(self) -> Work:
        return Work(self._key, self._memory, Batch(), from_file=True)


def add_marks(sent: Sent, marks: Marks) -> None:
    """Marks as further attributes."""
    if marks:
        told = [{"key": name, "value": {"stringValue": text}} for name, text in sorted(marks.items())]
        sent["attributes"] = [*sent.get("attributes", []), *told]


def _apart(form: Form) -> tuple[Form, str]:
    """A stored form without the identity of another installation, and that."""
    exact, attributes = dict(form.get("exact", {})), dict(form["attributes"])
    if "exact" in form:
        origin = exact.pop(ORIGIN, "")
        return form | {"exact": exact}, origin
    origin = origin_of(attributes.get(IDENTITY))
    if origin:
        del attributes[IDENTITY]
    return form | {"attributes": attributes}, origin


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
