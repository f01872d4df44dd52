"""Where messages go: one attempt to deliver one message through apprise, or as e-mail through Django.

`sending` decides when and keeps what came of it. An address may hold a secret: `shown` is what pages say of it, and
no error leaves here with a part of it. What cannot work is refused by `check` when a person sets it.
"""

import logging
import re
import smtplib
import threading
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, get_connection
from django.core.validators import validate_email

from tracing.unfit import Unfit
from tracing.watch import wording

LONGEST_ERROR = 300
READ_TIMEOUT_S = 9.0
# Their addresses are any web server's: the host may be shown, and may be ours.
PLAIN = {"json": 80, "jsons": 443, "xml": 80, "xmls": 443, "form": 80, "forms": 443}
LOOPBACK = ("localhost", "127.0.0.1", "::1", "0.0.0.0")
# The request was out when the answer failed to come: whoever was asked may have taken it.
IN_DOUBT = re.compile(
    "read timed? ?out|connection aborted|remotedisconnected|reset by peer|broken pipe|incompleteread|unexpectedly closed",
    re.I,
)
CAUSES = {
    "connection refused": "nobody listens there",
    "name or service not known": "there is no such host",
    "failed to resolve": "there is no such host",
    "certificate_verify_failed": "its certificate is not valid",
    "read timed out": "no answer in time",
    "connect timeout": "it cannot be reached in time",
    "remotedisconnected": "it hung up without an answer",
    "reset by peer": "it hung up without an answer",
}
_heard = threading.local()


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it goes out. `thread` names what it is about, so that mail programs keep them together."""

    message_id: str
    subject: str
    body: str
    url: str
    phase: str
    thread: str = ""
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt. `doubtful`: it failed, and may have arrived all the same."""

    error: str = ""
    doubtful: bool = False


class _Listener(logging.Handler):
    """Apprise answers with false and says why in its log: kept for the thread that asked."""

    def emit(self, record: logging.LogRecord) -> None:
        lines = getattr(_heard, "lines", None)
        if lines is not None:
            lines.append((record.levelno, record.getMessage()))


@cache
def _listen() -> None:
    log = logging.getLogger("apprise")
    log.addHandler(_Listener())
    log.setLevel(logging.DEBUG)
    # Its debug lines hold addresses.
    log.propagate = False


def check(address: str, by_mail: bool) -> None:
    """Raises Unfit for an address that cannot work, or leads back to Threadline."""
    if by_mail:
        _check_mail(address)
        return
    if not address.strip():
        raise Unfit(
            "address",
            "Say where messages go: an apprise address such as json://hooks.example.com/threadline.",
        )
    if address.partition("?")[0].count("://") > 1:
        raise Unfit("address", "One address a channel: make another channel for the second.")
    service = _service(address)
    if service is None:
        raise Unfit(
            "address",
            "Apprise does not know this address. It starts with the service's name, such as"
            " slack://, msteams://, pagerduty:// or json://; see appriseit.com/services.",
        )
    if _is_ours(address):
        raise Unfit("address", "This is Threadline itself: it would send its messages round in a loop.")


def _check_mail(address: str) -> None:
    if not settings.EMAIL:
        raise Unfit("by_mail", "E-mail needs a server: set THREADLINE_EMAIL_URL and start again.")
    receivers = recipients(address)
    if not receivers:
        raise Unfit("address", "Name at least one e-mail address, several separated by commas.")
    for receiver in receivers:
        try:
            validate_email(receiver)
        except ValidationError:
            raise Unfit("address", f"{receiver} is no e-mail address.") from None


def recipients(address: str) -> list[str]:
    return [one.strip().removeprefix("mailto:") for one in address.split(",") if one.strip()]


def shown(address: str, by_mail: bool) -> str:
    """What a page may say of an address: the receivers of e-mail, a web server's host, else only the service."""
    if by_mail:
        return ", ".join(recipients(address))
    scheme, _, rest = address.strip().partition("://")
    if not rest:
        return "…"
    scheme = scheme.lower()
    host = _host(address) if scheme in PLAIN else ""
    return f"{scheme}://{host}/…" if host else f"{scheme}://…"


def masked(text: str, address: str) -> str:
    """The text as one line, without any part of the address that `shown` keeps back."""
    scheme, _, rest = address.partition("://")
    public = {scheme.lower(), *(re.split(r"[^\w.-]+", _host(address)) if scheme.lower() in PLAIN else ())}
    pieces = {piece for part in (rest, unquote(rest)) for piece in re.split(r"[/:@?&=,;+#\s]+", part)}
    for piece in sorted(pieces - public, key=len, reverse=True):
        if len(piece) >= 3:
            text = text.replace(piece, "…")
    return wording.line(text, LONGEST_ERROR)


def deliver(address: str, by_mail: bool, letter: Letter) -> Outcome:
    """One attempt. It may take long: whoever calls limits the time. Raises nothing."""
    try:
        return _mail(address, letter) if by_mail else _notify(address, letter)
    except Exception as error:
        said = str(error) or type(error).__name__
        hidden = masked(said, address) if not by_mail else wording.line(said, LONGEST_ERROR)
        return Outcome(hidden, bool(IN_DOUBT.search(f"{type(error).__name__} {said}")))


def _notify(address: str, letter: Letter) -> Outcome:
    from apprise import NotifyFormat, NotifyType

    _heard.lines = []
    try:
        service = _service(address)
        if service is None:
            return Outcome("Apprise does not know this address.")
        _mark(service, letter)
        body = wording.signed(letter.body, letter.message_id, letter.doubtful)
        kind = NotifyType.SUCCESS if letter.phase == "resolved" else NotifyType.WARNING
        if service.notify(body=body, title=letter.subject, notify_type=kind, body_format=NotifyFormat.TEXT):
            return Outcome()
        return _why(_heard.lines, address)
    finally:
        _heard.lines = None


def _why(lines: list[tuple[int, str]], address: str) -> Outcome:
    """The last warning of apprise, with the cause that it tells as a debug line only."""
    said = " ".join(line for _, line in lines)
    warned = [line for level, line in lines if level >= logging.WARNING]
    cause = next((words for sign, words in CAUSES.items() if sign in said.lower()), "")
    sentence = masked(warned[-1] if warned else "The service did not take it.", address)
    return Outcome(f"{sentence.rstrip('.')}: {cause}." if cause else sentence, bool(IN_DOUBT.search(said)))


def _service(address: str) -> Any:
    """The apprise service behind an address; None for an unknown one."""
    # A third of a second and 20 MB, so only where somebody sends or sets a channel.
    import apprise

    _listen()
    made = apprise.Apprise.instantiate(address.strip(), suppress_exceptions=True)
    if made is not None and made.socket_read_timeout == type(made).socket_read_timeout:
        made.socket_read_timeout = READ_TIMEOUT_S
    return made


def _mark(service: Any, letter: Letter) -> None:
    """A program that receives JSON, XML or a form finds the id in a header and in a field of its own."""
    headers, extras = getattr(service, "headers", None), getattr(service, "payload_extras", None)
    if not isinstance(headers, dict) or not isinstance(extras, dict):
        return
    headers.setdefault("X-Threadline-Message", letter.message_id)
    doubt = "true" if letter.doubtful else "false"
    fields = {"message_id": letter.message_id, "phase": letter.phase, "url": letter.url, "repeated": doubt}
    for name, value in fields.items():
        extras.setdefault(name, value)


def _mail(address: str, letter: Letter) -> Outcome:
    if not settings.EMAIL:
        return Outcome("E-mail needs a server: THREADLINE_EMAIL_URL is not set.")
    host = urlsplit(settings.URL).hostname or "threadline"
    # The same message keeps its id, so that mail programs drop a repetition; all of one problem hang together.
    headers = {"Message-ID": f"<{letter.message_id}@{host}>", "X-Threadline-Message": letter.message_id}
    if letter.thread:
        headers["References"] = f"<{letter.thread}@{host}>"
    body = wording.signed(letter.body, letter.message_id, letter.doubtful)
    message = EmailMessage(
        letter.subject,
        body,
        settings.EMAIL_FROM,
        recipients(address),
        headers=headers,
        connection=get_connection(),
    )
    try:
        message.send()
    except smtplib.SMTPServerDisconnected as error:
        return Outcome(wording.line(f"The mail server hung up: {error}", LONGEST_ERROR), doubtful=True)
    except smtplib.SMTPException as error:
        return Outcome(wording.line(f"The mail server refused it: {_answer(error)}", LONGEST_ERROR))
    except TimeoutError:
        return Outcome("The mail server did not answer in time.", doubtful=True)
    except OSError as error:
        cause = error.strerror or str(error)
        return Outcome(wording.line(f"The mail server cannot be reached: {cause}", LONGEST_ERROR))
    return Outcome()


def _answer(error: smtplib.SMTPException) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        return f"{error.smtp_code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"
    return str(error)


def _is_ours(address: str) -> bool:
    """Whether a plain web address is one of this Threadline's ports."""
    scheme = address.strip().partition("://")[0].lower()
    if scheme not in PLAIN:
        return False
    parts = urlsplit(f"//{_host(address)}")
    port = parts.port or PLAIN[scheme]
    host = (parts.hostname or "").lower()
    outside = urlsplit(settings.URL)
    at_home = host in LOOPBACK or host.startswith("127.") or host == settings.HOST
    if at_home and port in (settings.PORT, settings.OTLP_PORT, settings.GRPC_PORT):
        return True
    known = outside.port or (443 if outside.scheme == "https" else 80)
    return host == (outside.hostname or "").lower() and port in (
        known,
        settings.OTLP_PORT,
        settings.GRPC_PORT,
    )


def _host(address: str) -> str:
    """Host and port of a plain web address, without user and password; empty where it cannot be told."""
    try:
        parts = urlsplit(address.strip())
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        return f"{host}{f':{parts.port}' if parts.port else ''}"
    except ValueError:
        return ""
