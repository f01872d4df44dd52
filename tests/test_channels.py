"""Addresses refused, shown without their secrets, and e-mail through a real mail server."""

import logging
from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from tests import receivers
from tests.receivers import Mailbox
from tracing import mail
from tracing.unfit import Unfit
from tracing.watch import channels
from tracing.watch.channels import Letter, Outcome

LETTER = Letter("0a1b2c", "22 orders wait", "They wait.\nhttp://t/problems/00", "http://t", "opened", "7072")
SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general"

REFUSED = [
    ("", "Say where messages go"),
    ("carrier-pigeon://loft", "Apprise does not know this address"),
    ("not an address", "Apprise does not know this address"),
    ("json://:0", "Apprise does not know this address"),
    ("json://a.example/x, json://b.example/x", "One address a channel"),
    ("json://localhost:4318/v1/logs", "loop"),
    ("json://127.0.0.1:8000/", "loop"),
    ("form://[::1]:4317", "loop"),
    ("xml://127.9.9.9:4318/v1/traces", "loop"),
]


@pytest.mark.parametrize(("address", "sentence"), REFUSED)
def test_an_address_that_cannot_work_is_refused(address: str, sentence: str) -> None:
    with pytest.raises(Unfit, match=sentence) as refused:
        channels.check(address, by_mail=False)
    assert refused.value.field == "address"


@pytest.mark.parametrize(
    ("address", "is_ours"),
    [
        ("jsons://threadline.example.com/hook", True),
        ("json://threadline.example.com:4318/v1/logs", True),
        ("json://threadline.example.com/hook", False),
        ("json://localhost:9999/hook", False),
        ("json://hooks.example.com:8000/", False),
    ],
)
def test_the_public_address_is_ours_too(settings: Settings, address: str, is_ours: bool) -> None:
    settings.URL = "https://threadline.example.com"
    if is_ours:
        with pytest.raises(Unfit, match="loop"):
            channels.check(address, by_mail=False)
    else:
        channels.check(address, by_mail=False)


SHOWN = [
    (SLACK, False, "slack://…"),
    ("json://ann:s3cret@hooks.example.com:81/s3cret?+X-Key=s3cret", False, "json://hooks.example.com:81/…"),
    ("jsons://hooks.example.com", False, "jsons://hooks.example.com/…"),
    ("nothing", False, "…"),
    ("json://[bad", False, "json://…"),
    ("ann@example.com,bob@example.com", True, "ann@example.com, bob@example.com"),
]


@pytest.mark.parametrize(("address", "by_mail", "text"), SHOWN)
def test_an_address_is_shown_without_its_secret(address: str, by_mail: bool, text: str) -> None:
    assert channels.shown(address, by_mail) == text


def test_no_error_holds_a_part_of_an_address() -> None:
    address = "json://ann:p%40ssw0rd@127.0.0.1:1/hooks/s3cret-path?+X-Key=t0ken"
    said = "url: /hooks/s3cret-path p@ssw0rd p%40ssw0rd t0ken at 127.0.0.1:1\n(ann)"
    assert channels.masked(said, address) == "url: /…/… p@… … … at 127.0.0.1:1 (…)"
    assert "FQ" not in channels.masked("TIiajkdnlazkcOXrIdevi7FQ failed", SLACK)


def test_nobody_there_is_said_and_logged_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    address = "json://ann:passw0rd@127.0.0.1:1/s3cret"
    outcome = channels.deliver(address, False, LETTER)
    assert outcome.error.endswith("to 127.0.0.1: nobody listens there.") and not outcome.doubtful
    assert not logging.getLogger("apprise").propagate
    assert "s3cret" not in "".join(capfd.readouterr())


def test_a_receiver_that_hangs_up_may_have_taken_it() -> None:
    import socket
    import threading

    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            one, _ = server.accept()
            with one:
                one.recv(65_536)

        threading.Thread(target=hang_up, daemon=True).start()
        outcome = channels.deliver(f"json://127.0.0.1:{server.getsockname()[1]}/x", False, LETTER)
    assert outcome.doubtful and "hung up without an answer" in outcome.error


def test_a_broken_service_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(address: str) -> None:
        raise RuntimeError("the plugin fell over s3cret")

    monkeypatch.setattr(channels, "_service", breaks)
    outcome = channels.deliver("json://h/s3cret", False, LETTER)
    assert outcome == Outcome("the plugin fell over …")


@pytest.fixture
def box(settings: Settings) -> Iterator[Mailbox]:
    with receivers.mailbox() as made:
        settings.EMAIL = mail.parse("X", f"smtp://127.0.0.1:{made.port}")
        for name, value in settings.EMAIL.items():
            setattr(settings, name, value)
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_FROM = "threadline@example.com"
        yield made


def test_mail_goes_through_a_real_server(box: Mailbox) -> None:
    assert channels.deliver("ann@example.com, mailto:bob@example.com", True, LETTER) == Outcome()
    ((receivers_, text),) = box.got
    assert receivers_ == ["ann@example.com", "bob@example.com"]
    assert "Subject: 22 orders wait" in text and "From: threadline@example.com" in text
    assert "Message-ID: <0a1b2c@127.0.0.1>" in text and "References: <7072@127.0.0.1>" in text
    assert "They wait." in text and "(message 0a1b2c)" in text


def test_a_mail_server_that_refuses_or_is_away(box: Mailbox, settings: Settings) -> None:
    box.refuse = True
    refused = channels.deliver("ann@example.com", True, LETTER)
    assert refused.error.startswith("The mail server refused it") and not refused.doubtful
    settings.EMAIL_PORT = 1
    away = channels.deliver("ann@example.com", True, LETTER)
    assert away == Outcome("The mail server cannot be reached: Connection refused")


@pytest.mark.parametrize(
    ("address", "field", "sentence"),
    [
        ("", "address", "at least one e-mail address"),
        ("ann", "address", "ann is no e-mail address"),
        ("ann@example.com, b@", "address", "b@ is no e-mail address"),
    ],
)
def test_odd_receivers_are_refused(box: Mailbox, address: str, field: str, sentence: str) -> None:
    with pytest.raises(Unfit, match=sentence) as refused:
        channels.check(address, by_mail=True)
    assert refused.value.field == field


def test_mail_needs_a_server(settings: Settings) -> None:
    settings.EMAIL = {}
    with pytest.raises(Unfit, match="THREADLINE_EMAIL_URL"):
        channels.check("ann@example.com", by_mail=True)
    assert "THREADLINE_EMAIL_URL" in channels.deliver("ann@example.com", True, LETTER).error
