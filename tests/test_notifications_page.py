"""`/settings/notifications`: channels, routes, the test button, messages and the dead-man; by forms, as a person does it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests import receivers
from tests.outbox import Time, Watch, channel, insert, routed
from tests.receivers import Hook
from tests.test_pages_html import EVIL, parsed
from tracing import clock
from tracing.clock import now_ns
from tracing.people import Channel, Follow, Route
from tracing.watch import deadman, routes

HOME = "/settings/notifications"
SECRET = "json://ann:passw0rd@hooks.example.com/s3cret"
ROUTE = {"severity": "2", "wait_s": "30", "interval_s": "5m", "repeat_s": "4 h", "enabled": "on"}


@pytest.fixture
def hook() -> Iterator[Hook]:
    with receivers.hooked() as made:
        yield made


def text(client: Client, path: str = HOME) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    parsed(answer.content.decode())
    return " ".join(answer.content.decode().split())


def refused(client: Client, path: str, form: dict[str, Any]) -> str:
    answer = client.post(path, form)
    assert answer.status_code == 400
    parsed(answer.content.decode())
    return answer.content.decode()


def message(connection: psycopg.Connection, to: Channel, **more: Any) -> None:
    values = {
        "message_id": more.get("subject", "m"), "channel_id": to.pk, "phase": "opened", "subject": "22 orders wait",
        "body": "", "url": "https://outside.example/problems/00ff", "at_ns": now_ns(), "not_before_ns": now_ns(),
        "state": "sent", "attempts": 1,
    } | more  # fmt: skip
    insert(connection, "message", values)


def test_an_empty_page_teaches(client: Client, clean_store: None) -> None:
    page = text(client)
    assert "Nobody is told yet" in page and "json://hooks.example.com/threadline" in page
    assert "Add a route" not in page.replace("Then add a route", "")
    assert "Nobody notices when the watcher dies" in page
    assert "0 routes to 0 channels" in text(client, "/settings/")
    assert "There is no channel to lead to" in text(client, f"{HOME}/routes/new")


def test_from_a_channel_to_a_message(client: Client, clean_store: None, hook: Hook) -> None:
    assert client.post(f"{HOME}/channels/new", {"label": "ops", "address": hook.address}).status_code == 302
    ops = Channel.objects.get()
    assert "No route leads to a channel" in text(client)
    answer = client.post(f"{HOME}/channels/{ops.pk}/test")
    page = text(client, answer.headers["Location"])
    assert "The test was sent." in page and hook.titles == ["Threadline: a test"]
    hook.status = 403
    page = text(client, client.post(f"{HOME}/channels/{ops.pk}/test").headers["Location"])
    assert "The test failed." in page and "403" in page and "■ failing" in page
    assert f'value="{ops.pk}" selected' in text(client, f"{HOME}/routes/new?channel={ops.pk}")
    assert client.post(f"{HOME}/routes/new", ROUTE | {"channel": str(ops.pk)}).status_code == 302
    page = text(client)
    assert "Every problem, warnings too." in page
    assert "30 s after it opens, more after 5 m, again after 4 h" in page and "No route leads" not in page


def test_a_secret_is_never_shown_again(client: Client, clean_store: None) -> None:
    ops = routed("ops", SECRET)
    for path in (HOME, f"{HOME}/channels/{ops.pk}", f"{HOME}/routes/{Route.objects.get().pk}"):
        page = text(client, path)
        assert "passw0rd" not in page and "s3cret" not in page
    assert "Leave it empty to keep the one it has: json://hooks.example.com/…" in text(
        client, f"{HOME}/channels/{ops.pk}"
    )
    assert client.post(f"{HOME}/channels/{ops.pk}", {"label": "pager", "address": ""}).status_code == 302
    ops.refresh_from_db()
    assert (ops.label, ops.address) == ("pager", SECRET)


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"label": "", "address": SECRET}, "This field is required."),
        ({"label": "taken", "address": SECRET}, "Another channel has this name."),
        ({"label": "a", "address": ""}, "Say where messages go"),
        ({"label": "a", "address": "pigeon://loft"}, "Apprise does not know this address"),
        ({"label": "a", "address": "json://localhost:4318/v1/logs"}, "in a loop"),
        ({"label": "a", "address": "ann@example.com", "by_mail": "on"}, "THREADLINE_EMAIL_URL"),
        ({"label": "a", "address": "x" * 1_001}, "at most 1000 characters"),
    ],
)
def test_an_unfit_channel_is_shown_again(
    client: Client, clean_store: None, form: dict[str, str], sentence: str
) -> None:
    channel("taken", SECRET)
    assert sentence in refused(client, f"{HOME}/channels/new", form)
    assert Channel.objects.count() == 1


def test_a_channel_changed_to_something_odd_keeps_what_it_was(client: Client, clean_store: None) -> None:
    ops = channel("ops", SECRET, error="it failed")
    page = refused(client, f"{HOME}/channels/{ops.pk}", {"label": "other", "address": "pigeon://loft"})
    assert "<h1>ops" in page
    ops.refresh_from_db()
    assert (ops.label, ops.address, ops.error) == ("ops", SECRET, "it failed")


def test_mail_is_a_channel(client: Client, clean_store: None, settings: Settings) -> None:
    settings.EMAIL = {"EMAIL_HOST": "mail.example.com"}
    form = {"label": "ann", "address": "ann@example.com", "by_mail": "on"}
    assert client.post(f"{HOME}/channels/new", form).status_code == 302
    assert "ann@example.com" in text(client)


def test_switching_off_and_deleting(client: Client, clean_store: None) -> None:
    ops = routed("ops", SECRET)
    Follow.objects.create(flow_id=b"f" * 16, channel=ops, since_ns=1)
    assert client.post(f"{HOME}/channels/{ops.pk}/switch").headers["Location"] == HOME
    page = text(client)
    assert "○ off" in page and "ops is switched off." in page
    assert "1 route and 1 follow go with it" in text(client, f"{HOME}/channels/{ops.pk}")
    client.post(f"{HOME}/channels/{ops.pk}/switch")
    assert "ops is switched off." not in text(client)
    client.post(f"{HOME}/channels/{ops.pk}/delete")
    assert not Channel.objects.exists() and not Route.objects.exists() and not Follow.objects.exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"channel": ""}, "This field is required."),
        ({"channel": "999"}, "Select a valid choice"),
        ({"severity": "1"}, "Select a valid choice"),
        ({"kinds": "stuk"}, "Select a valid choice"),
        ({"wait_s": "-1"}, "cannot be negative"),
        ({"interval_s": "5s"}, "At least 10 seconds, or 0 for never."),
        ({"repeat_s": "31d"}, "Longer than 30 days"),
        ({"repeat_s": "soon"}, "written 30s, 5m, 4h or 1d"),
        ({"wait_s": "9" * 30}, "written 30s, 5m, 4h or 1d"),
    ],
)
def test_an_unfit_route_is_shown_again(
    client: Client, clean_store: None, change: dict[str, str], sentence: str
) -> None:
    ops = channel("ops", SECRET)
    assert sentence in refused(client, f"{HOME}/routes/new", ROUTE | {"channel": str(ops.pk)} | change)
    assert not Route.objects.exists()


def test_a_route_says_in_words_what_it_tells(client: Client, clean_store: None) -> None:
    ops = channel("ops", SECRET)
    form = ROUTE | {
        "channel": str(ops.pk), "severity": "3", "types": "order, payment", "kinds": ["stuck", "retry_storm"],
        "environment": "staging", "wait_s": "0", "interval_s": "0s", "repeat_s": "0", "goes_on": "on",
    }  # fmt: skip
    client.post(f"{HOME}/routes/new", form)
    page = text(client)
    assert "Problems of kind stuck, retry storm of type order, payment in staging that need a person." in page
    assert "at once, no follow-ups, never repeated" in page and "on to the next" in page
    made = Route.objects.get()
    assert (made.wait_s, made.interval_s, made.repeat_s) == (0, 0, 0)
    page = text(client, f"{HOME}/routes/{made.pk}")
    assert 'value="order, payment"' in page and re.search(r'value="retry_storm"[^>]*checked', page)
    client.post(f"{HOME}/routes/{made.pk}", ROUTE | {"channel": str(ops.pk)})
    assert "Every problem, warnings too." in text(client)
    client.post(f"{HOME}/routes/{made.pk}/delete")
    assert not Route.objects.exists()


def test_routes_are_moved_and_warned_about(client: Client, clean_store: None) -> None:
    ops, dev = channel("ops", SECRET), channel("dev", SECRET)
    for to in (ops, dev):
        client.post(f"{HOME}/routes/new", ROUTE | {"channel": str(to.pk)})
    first, second = Route.objects.all()
    assert (first.channel_id, second.channel_id) == (ops.pk, dev.pk)
    assert routes.warnings([first, second]) == {
        second.pk: "Never reached: route 1 takes everything that would come here."
    }
    assert "Never reached: route 1" in text(client)
    client.post(f"{HOME}/routes/{second.pk}/move", {"to": "up"})
    assert [route.pk for route in Route.objects.all()] == [second.pk, first.pk]
    client.post(f"{HOME}/routes/{second.pk}/move", {"to": "up"})
    client.post(f"{HOME}/routes/{second.pk}/move", {"to": "down"})
    client.post(f"{HOME}/routes/{second.pk}/move", {"to": "down"})
    assert [route.pk for route in Route.objects.all()] == [first.pk, second.pk]


def test_a_route_that_comes_later_can_tell_what_is_open(
    client: Client, worker: psycopg.Connection, tmp_path: Path
) -> None:
    ops = routed("ops", "json://hooks.example.com/x", goes_on=True)
    pager = channel("pager", "json://hooks.example.com/y")
    watch = Watch(worker, Time(tmp_path / "clock", now_ns()))
    try:
        watch.problem()
        watch.flip("forming", "open")
        watch.tell()
        assert "Tell what is open" not in text(client)
        form = ROUTE | {"channel": str(pager.pk)}
        saved = client.post(f"{HOME}/routes/new", form).headers["Location"].partition("#")[0]
        page = text(client, saved)
        assert "1 problem that it would tell is open already, and pager was not told of it." in page
        assert page.count("Tell what is open</button>") == 2
        later = Route.objects.get(channel=pager)
        watch.tell()
        assert watch.messages("channel_id") == [(ops.pk,)]
        answer = client.post(f"{HOME}/routes/{later.pk}/tell")
        assert "1 open problem</b> is told now" in text(client, answer.headers["Location"].partition("#")[0])
        watch.tell()
        assert watch.messages("channel_id, phase") == [(ops.pk, "opened"), (pager.pk, "opened")]
        # Nothing is told twice, whoever presses again.
        assert "Tell what is open" not in text(client)
        client.post(f"{HOME}/routes/{later.pk}/tell")
        watch.tell()
        assert len(watch.messages("channel_id")) == 2
    finally:
        clock.follow(None)


def test_messages_are_listed_by_state(client: Client, worker: psycopg.Connection) -> None:
    ops = channel("ops", SECRET)
    message(worker, ops, subject="went out")
    message(worker, ops, subject="did not", state="failed", error="It answered 500.", attempts=6)
    message(worker, ops, subject="tries again", state="waiting", attempts=2, doubtful=True)
    message(worker, ops, subject="not needed", state="dropped", attempts=0, channel_id=999)
    message(worker, ops, subject="a follow begins", phase="follow", state="dropped", attempts=0)
    page = text(client)
    assert "a follow begins" not in page and '<a href="/problems/00ff">went out</a>' in page
    assert "It answered 500." in page and "possibly twice" in page and "deleted" in page
    failed = text(client, f"{HOME}?state=failed")
    assert "did not" in failed and "went out" not in failed and ">1 sent</a>" in failed
    theirs = text(client, f"{HOME}?channel={ops.pk}&state=sent")
    assert "to ops," in theirs and "went out" in theirs and "did not" not in theirs
    assert client.get(f"{HOME}?state=odd").status_code == 400


def call(connection: psycopg.Connection, duty: str, ended_ns: int, error: str | None = None) -> None:
    from psycopg.types.json import Jsonb

    connection.execute("DELETE FROM watch_round WHERE duty = %s", (duty,))
    facts = Jsonb({"error": error}) if error is not None else None
    values = {
        "duty": duty,
        "began_ns": ended_ns,
        "ended_ns": ended_ns,
        "took_ms": 1,
        "rows": 0,
        "facts": facts,
    }
    insert(connection, "watch_round", values)


def test_the_dead_mans_state(client: Client, worker: psycopg.Connection, settings: Settings) -> None:
    settings.DEADMAN_URL = "https://hc-ping.com/s3cret-check"
    assert "has not judged yet, so hc-ping.com is not called" in text(client)
    call(worker, deadman.JUDGE, now_ns())
    assert "hc-ping.com is called within the next minute" in text(client)
    call(worker, deadman.CALL, now_ns(), "")
    page = text(client)
    assert "● calling" in page and "s3cret-check" not in page
    call(worker, deadman.CALL, now_ns(), "It answered 500.")
    assert "It answered 500." in text(client)
    call(worker, deadman.JUDGE, now_ns() - 10 * deadman.WELL_NS)
    assert "▲ not called" in text(client)


def test_what_was_written_never_becomes_markup(client: Client, worker: psycopg.Connection) -> None:
    ops = routed(f"a {EVIL}"[:100], SECRET, types=[EVIL], environment=EVIL)
    Channel.objects.update(error=EVIL)
    message(worker, ops, subject=EVIL, error=EVIL, state="failed")
    for path in (HOME, f"{HOME}/channels/{ops.pk}", f"{HOME}/routes/{Route.objects.get().pk}"):
        answer = client.get(path).content.decode()
        parsed(answer)
        assert "alert(1)</script>" not in answer


def test_the_page_asks_a_fixed_number_of_questions(
    client: Client, worker: psycopg.Connection, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        message(worker, routed(f"c{number}", SECRET), subject=f"m{number}")
    with django_assert_max_num_queries(9):
        text(client)


ACTIONS = (
    "channels/{}/switch",
    "channels/{}/test",
    "channels/{}/delete",
    "routes/{}/move",
    "routes/{}/tell",
    "routes/{}/delete",
)


@pytest.mark.parametrize("action", ACTIONS)
def test_only_a_form_of_ours_changes_anything(clean_store: None, action: str) -> None:
    ops = routed("ops", SECRET)
    path = f"{HOME}/{action.format(ops.pk if action.startswith('c') else Route.objects.get().pk)}"
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(path).status_code == 403
    assert strict.get(path).status_code == 405
    assert Client().post(f"{HOME}/{action.format(99_999)}").status_code == 404
    assert Channel.objects.count() == Route.objects.count() == 1


@pytest.mark.parametrize(
    "query", ["tested=%00", "tested=zz", "channel=%00", "channel=9e9", f"channel={10**30}"]
)
def test_an_odd_address_is_answered(client: Client, clean_store: None, query: str) -> None:
    text(client, f"{HOME}?{query}")


@pytest.mark.parametrize("path", ["channels/99999", "routes/99999", f"routes/{10**30}"])
def test_what_does_not_exist(client: Client, clean_store: None, path: str) -> None:
    assert client.get(f"{HOME}/{path}").status_code == 404
