"""Notifications in a browser, without JavaScript: from no channel to a message that arrived; and everybody can use it."""

from collections.abc import Iterator

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from tests import receivers
from tests.outbox import channel, routed
from tests.receivers import Hook
from tests.test_browser_access import violations
from tests.test_notifications_page import HOME, SECRET, message
from tracing.clock import now_ns
from tracing.people import Channel, Route

pytestmark = [pytest.mark.browser]


@pytest.fixture
def hook() -> Iterator[Hook]:
    with receivers.hooked() as made:
        yield made


@pytest.fixture
def plain(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(java_script_enabled=False)
    yield context.new_page()
    context.close()


def test_from_nobody_to_a_message(plain: Page, served: str, hook: Hook) -> None:
    plain.goto(served + HOME)
    plain.get_by_role("link", name="Add a channel").click()
    plain.get_by_label("Name").fill("ops")
    plain.get_by_label("Address").fill("pigeon://loft")
    plain.get_by_role("button", name="Add it").click()
    expect(plain.locator(".errorlist")).to_contain_text("Apprise does not know this address")
    plain.get_by_label("Address").fill(hook.address)
    plain.get_by_role("button", name="Add it").click()
    plain.get_by_role("button", name="Send a test to ops").click()
    expect(plain.get_by_role("status")).to_contain_text("The test was sent.")
    assert hook.titles == ["Threadline: a test"]
    plain.get_by_role("link", name="Add a route").first.click()
    plain.get_by_label("stuck").check()
    plain.get_by_label("Repeat while it stays open").fill("-1h")
    plain.get_by_role("button", name="Add it").click()
    expect(plain.locator(".errorlist")).to_contain_text("A time cannot be negative")
    plain.get_by_label("Repeat while it stays open").fill("2h")
    plain.get_by_role("button", name="Add it").click()
    expect(plain.locator("#routes")).to_contain_text("Problems of kind stuck, warnings too.")
    expect(plain.locator("#routes")).to_contain_text("again after 2 h")


def test_everybody_can_use_it(page: Page, served: str, worker: psycopg.Connection) -> None:
    page.goto(served + HOME)
    assert violations(page) == []
    ops, hooks = routed("ops", SECRET, position=1), routed("hooks", SECRET, position=2)
    channel("off", SECRET, enabled=False)
    Channel.objects.filter(pk=hooks.pk).update(failed_ns=now_ns(), error="It answered 500.")
    for state in ("sent", "failed", "waiting", "dropped"):
        message(
            worker, ops, subject=f"22 orders {state}", state=state, error="why" if state == "failed" else ""
        )
    for path in ("", f"/channels/{hooks.pk}", "/channels/new", f"/routes/{Route.objects.all()[0].pk}"):
        page.goto(served + HOME + path)
        assert violations(page) == [], path
