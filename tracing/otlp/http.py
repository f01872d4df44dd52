"""OTLP over HTTP as a bare WSGI callable: who are you, what is asked, how long is it, what is in it, store it, answer.

No middleware and no host check, because collectors reach us by service names. `receiving` stores, `limits`
counts, `answers` words what is said; `tracing.server` carries the bytes.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from tracing import chunks, keyring
from tracing.keyring import secret_in
from tracing.otlp import cors, limits
from tracing.otlp.answers import (
    INVALID_ARGUMENT,
    NOT_FOUND,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNIMPLEMENTED,
    Failure,
    Success,
)
from tracing.otlp.receiving import Admitting, Receiver, Signal, Storing

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from tracing.senders import Senders

logger = logging.getLogger(__name__)

Encoding = Literal["protobuf", "json"]
SIGNALS: dict[str, Signal] = {"/v1/traces": "traces", "/v1/logs": "logs", "/v1/metrics": "metrics"}
TYPES: dict[str, Encoding] = {"application/x-protobuf": "protobuf", "application/json": "json"}
PACKINGS = {"": "", "identity": "", "gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
LISTED = "/v1/traces, /v1/logs and /v1/metrics"
ALLOW = "POST, OPTIONS"
NOT_HTTP_1 = (
    "this port speaks HTTP/1.1, and an exporter came with HTTP/2: OTLP over gRPC has a port of its own, 4317 unless"
    " THREADLINE_GRPC_PORT says otherwise"
)


class Reply(NamedTuple):
    status: str
    content: Success | Failure | None = None
    headers: Sequence[tuple[str, str]] = ()


class Refused(Exception):
    """A request answered before its body was looked at, or instead of it."""

    def __init__(self, status: str, code: int, sentence: str, *headers: tuple[str, str]) -> None:
        super().__init__(sentence)
        self.reply = Reply(status, Failure(code, sentence), headers)


class Endpoint:
    """The WSGI callable. One for a process: its requests share one budget."""

    def __init__(self, receiver: Receiver, origins: Sequence[str]) -> None:
        self._receiver = receiver
        self._origins = origins
        self._budget = limits.Budget()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        encoding = TYPES.get(_media_type(environ))
        try:
            reply = self._reply(environ)
        except Exception:
            # Whatever it was, the fault is ours and the data must come again.
            logger.exception("a request could not be answered")
            reply = _failed(Failure(UNAVAILABLE, "the request could not be read; send it again", 5))
        origin = environ.get("HTTP_ORIGIN", "")
        shared = [] if environ["REQUEST_METHOD"] == "OPTIONS" else cors.headers(self._origins, origin)
        return _answer(start_response, reply, encoding or "json", shared, environ["REQUEST_METHOD"])

    def worded(
        self, content_type: str, status: str, sentence: str
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        """What `tracing.server` answers by itself, as everything else is answered: a `google.rpc.Status`, and noted."""
        if status[:3] in ("500", "503"):
            reply = _failed(Failure(UNAVAILABLE, "the request could not be answered; send it again", 5))
        else:
            said = NOT_HTTP_1 if status[:3] == "505" else sentence or status[4:]
            failure = Failure(_CODES.get(status[:3], INVALID_ARGUMENT), said)
            reply = Reply(status, self._receiver.refused(failure, "http"))
        assert reply.content is not None
        described, body = _encoded(reply.content, TYPES.get(_bare(content_type), "json"))
        return reply.status, [*described, *reply.headers], body

    def _reply(self, environ: "WSGIEnvironment") -> Reply:
        try:
            signal = _signal(environ.get("PATH_INFO", ""))
            if environ["REQUEST_METHOD"] == "OPTIONS":
                return self._preflight(environ)
            return self._store(environ, signal)
        except Refused as refused:
            failure = refused.reply.content
            if isinstance(failure, Failure):
                self._receiver.refused(failure, "http")
            return refused.reply

    def _preflight(self, environ: "WSGIEnvironment") -> Reply:
        origin = environ.get("HTTP_ORIGIN", "")
        asked = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
        given = cors.preflight(self._origins, origin, asked)
        return Reply("204 No Content", headers=[*(given or [("Vary", "Origin")]), ("Allow", ALLOW)])

    def _store(self, environ: "WSGIEnvironment", signal: Signal) -> Reply:
        told = environ.get("HTTP_AUTHORIZATION", ""), environ.get("HTTP_X_THREADLINE_KEY", "")
        try:
            key = self._receiver.admit(secret_in(*told), "http")
        except Failure as failure:
            return _failed(failure)
        encoding, packing = _understood(environ)
        with limits.Share(self._budget) as share:
            body = _body(environ, packing, share)
            try:
                return Reply(
                    "200 OK", self._receiver.receive(signal, body, encoding, f"http/{encoding}", key)
                )
            except Failure as failure:
                return _failed(failure)


def application(
    store: Storing,
    origins: Sequence[str] | None = None,
    senders: "Senders | None" = None,
    keys: Admitting | None = None,
) -> Endpoint:
    """OTLP/HTTP into a store. Origins and redaction come from the settings unless given, keys from the table."""
    from django.conf import settings

    from tracing import senders as noted
    from tracing.redaction import Redaction

    receiver = Receiver(
        store, Redaction(settings.REDACT), senders or noted.shared(), keys or keyring.shared()
    )
    return Endpoint(receiver, settings.CORS_ORIGINS if origins is None else origins)


def _signal(path: str) -> Signal:
    if path in SIGNALS:
        return SIGNALS[path]
    meant = next((known for known in SIGNALS if known in path), None)
    hint = (
        f"send to {meant}, without anything before or after it" if meant else f"OTLP is received at {LISTED}"
    )
    raise Refused("404 Not Found", NOT_FOUND, f"nothing is received at this address; {hint}")


def _media_type(environ: "WSGIEnvironment") -> str:
    return _bare(str(environ.get("CONTENT_TYPE", "")))


def _bare(content_type: str) -> str:
    return content_type.split(";", 1)[0].strip().lower()


def _understood(environ: "WSGIEnvironment") -> tuple[Encoding, str]:
    """Encoding and packing of the body. Raises `Refused` for a method, type or packing that is not known."""
    if environ["REQUEST_METHOD"] != "POST":
        raise Refused("405 Method Not Allowed", UNIMPLEMENTED, "OTLP is sent with POST", ("Allow", ALLOW))
    encoding = TYPES.get(_media_type(environ))
    if encoding is None:
        raise Refused(
            "415 Unsupported Media Type",
            INVALID_ARGUMENT,
            "the Content-Type must be application/x-protobuf or application/json",
            ("Accept", ", ".join(TYPES)),
        )
    packing = PACKINGS.get(str(environ.get("HTTP_CONTENT_ENCODING", "")).strip().lower())
    if packing is None:
        raise Refused(
            "415 Unsupported Media Type",
            INVALID_ARGUMENT,
            "the Content-Encoding must be gzip, deflate or identity",
            ("Accept-Encoding", "gzip, deflate, identity"),
        )
    return encoding, packing


def _body(environ: "WSGIEnvironment", packing: str, share: limits.Share) -> bytes:
    """The body, unpacked. Raises `Refused`."""
    parts = limits.pieces(environ["wsgi.input"], _length(environ))
    try:
        return limits.collected(limits.unpacked(parts, packing) if packing else parts, share)
    except limits.TooLarge as error:
        raise Refused("413 Content Too Large", RESOURCE_EXHAUSTED, error.sentence) from None
    except limits.Overloaded as error:
        failure = Failure(UNAVAILABLE, error.sentence, 1)
        refused = Refused("503 Service Unavailable", UNAVAILABLE, error.sentence)
        refused.reply = _failed(failure)
        raise refused from None
    except (limits.BadPacking, chunks.Malformed) as error:
        raise Refused("400 Bad Request", INVALID_ARGUMENT, str(error)) from None
    except limits.ClientGone:
        sentence = "the body ended before its Content-Length"
        raise Refused("400 Bad Request", INVALID_ARGUMENT, sentence, ("Connection", "close")) from None


def _length(environ: "WSGIEnvironment") -> int | None:
    """The length the client announced; None for a chunked body, which ends by itself."""
    if environ.get("wsgi.input_terminated"):
        return None
    try:
        return int(environ.get("CONTENT_LENGTH") or "")
    except ValueError:
        sentence = "the body needs a Content-Length or chunked transfer coding"
        raise Refused("411 Length Required", INVALID_ARGUMENT, sentence) from None


_STATUSES = {
    INVALID_ARGUMENT: "400 Bad Request",
    RESOURCE_EXHAUSTED: "413 Content Too Large",
    UNAVAILABLE: "503 Service Unavailable",
    UNAUTHENTICATED: "401 Unauthorized",
}


def _failed(failure: Failure) -> Reply:
    retry = failure.retry_after_s
    headers = [("Retry-After", str(retry))] if retry is not None else []
    if failure.code == UNAUTHENTICATED:
        headers.append(("WWW-Authenticate", "Bearer"))
    return Reply(_STATUSES[failure.code], failure, headers)


def _answer(
    start_response: "StartResponse",
    reply: Reply,
    encoding: Encoding,
    shared: Sequence[tuple[str, str]],
    method: str,
) -> Iterable[bytes]:
    headers = [*reply.headers, *shared]
    if reply.content is None:
        start_response(reply.status, headers)
        return []
    described, body = _encoded(reply.content, encoding)
    start_response(reply.status, [*described, *headers])
    return [] if method == "HEAD" else [body]


def _encoded(content: Success | Failure, encoding: Encoding) -> tuple[list[tuple[str, str]], bytes]:
    """A body and the headers that describe it."""
    body = content.json() if encoding == "json" else content.protobuf()
    kind = "application/json" if encoding == "json" else "application/x-protobuf"
    return [("Content-Type", kind), ("Content-Length", str(len(body)))], body


_CODES = {
    "405": UNIMPLEMENTED,
    "413": RESOURCE_EXHAUSTED,
    "414": RESOURCE_EXHAUSTED,
    "501": UNIMPLEMENTED,
    "505": UNIMPLEMENTED,
}
