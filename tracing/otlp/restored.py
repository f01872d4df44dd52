"""Who a record is that was read from a file of ours, in whichever form it came (pure).

Its form is what the file says with what it carries beside, before anything is redacted. `sent_*` is the identity which
just that has where it is received. `told_*` is what a seal is over: without what every installation redacts, for
that is not in every file, and without how much that was.
"""

from typing import Any

from tracing.otlp import identity
from tracing.otlp.carried import without_identity
from tracing.otlp.fitting import log_as_sent, span_as_sent
from tracing.otlp.forms import Form
from tracing.records import Log, Span
from tracing.redaction import Redaction
from tracing.values import storable

# Without the names an installation adds: what they replaced is carried.
_REDACTION = Redaction()


def sent_span(key: bytes, span: Span, form: Form) -> bytes | None:
    """The digest of a span that was received so; None where none is stored so."""
    sent = span_as_sent(span, form)
    if sent is None:
        return None
    return identity.span_digest(key, sent, sent.links_json or b"", span.scope.scope_id)


def sent_log(key: bytes, log: Log, form: Form, sender: bytes) -> Log | None:
    """The log that was received so, with its digest."""
    sent = log_as_sent(log, form)
    if sent is not None:
        sent.digest = identity.log_digest(key, sent, sender, sent.time_ns)
    return sent


def sent_holder(key: bytes, kind: bytes, form: Form) -> bytes:
    """The id of a resource or a scope, as it is taken on arrival."""
    texts = (identity.raw_text(form[name]) for name in ("name", "version", "schema_url") if name in form)
    rest = (str(form["dropped"]).encode(), *texts)
    return identity.digest(key, kind, identity.canonical(form["attributes"]), *rest)


def told_span(key: bytes, span: Span, form: Form) -> bytes:
    ids = span.trace_id + span.span_id + span.scope.scope_id
    return identity.digest(key, b"told", ids, identity.canonical(_without_secrets(form)))


def told_log(key: bytes, log: Log, form: Form) -> bytes:
    sender = log.resource.resource_id + log.scope.scope_id
    return identity.digest(key, b"told", sender, identity.canonical(_without_secrets(form)))


def told_holder(key: bytes, kind: bytes, form: Form) -> bytes:
    """Without an attribute of a sender's that has the name of ours: where an origin is kept it has no place."""
    form = form | {"attributes": without_identity(form["attributes"])}
    texts = {name: storable(value) for name, value in form.items() if isinstance(value, str)}
    return identity.digest(key, b"told", kind, identity.canonical(_without_secrets(form | texts)))


def _without_secrets(form: Form) -> Form:
    found = {name: value for name, value in form.items() if name != "redacted"}
    for name in ("attributes", "body"):
        if name in form:
            found[name] = _clean(form[name])
    for name in ("events", "links"):
        if name in form:
            found[name] = [row | {"attributes": _clean(row.get("attributes", {}))} for row in form[name]]
    return found


def _clean(value: Any) -> Any:
    return _REDACTION.without_secrets(value)[0]
