"""What everybody can use: axe-core without a violation at WCAG 2.2 AA, in both themes; reduced motion; no scripts."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.builders import T3, Service, batch, event
from tests.test_flow_page import order_4711
from tracing.storing import Store

pytestmark = [pytest.mark.browser]
ORDER = "/flow/entity/order/4711"
AA = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
VIEWS = {
    "flow": ORDER,
    "critical path": f"{ORDER}?critical=1",
    "record": f"{ORDER}?find=card&record=",  # of the first match
    "find": f"{ORDER}?find=card",
    "filtered": f"{ORDER}?status=error&only=errors",
    "nothing left": f"{ORDER}?service=nobody",
    "tries": f"/flow/request/trace/{T3.hex()}",
    "table": f"{ORDER}?view=table&sort=-took",
    "compare": f"/compare?a={ORDER}&b=/flow/request/trace/{T3.hex()}",
    "nothing to compare yet": "/compare",
    "flows": "/flows",
    "senders": "/settings/senders",
    "rules": "/settings/rules",
    "now": "/",
}


@pytest.fixture
def told(store: Store) -> None:
    shop = Service("payments")
    root = shop.span("pay", 0, 900, trace=T3)
    calls = [
        shop.span(f"charge {n % 2}" if n > 2 else "charge", 10 + 100 * n, 50, trace=T3, parent=root, id=f"c{n}", kind=3,
                  status=2 if n < 2 else 0, events=[event("exception", 10, exception__type="E")] if n < 2 else [])
        for n in range(9)
    ]  # fmt: skip
    store.put(batch(*order_4711(), root, *calls))


@pytest.fixture
def themed(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(color_scheme="light", reduced_motion="reduce")
    yield context.new_page()
    context.close()


def violations(page: Page) -> list[tuple[str, list[str]]]:
    """Everything in the light theme, and what depends on colours in the dark one too."""
    page.emulate_media(color_scheme="light")
    told: dict[str, Any] = Axe().run(page, options=AA).response
    assert told["passes"]
    page.emulate_media(color_scheme="dark")
    dark: dict[str, Any] = Axe().run(page, options=COLOURS).response
    return [
        (one["id"], [node["html"][:160] for node in one["nodes"][:3]])
        for one in (*told["violations"], *dark["violations"])
    ]


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing(themed: Page, served: str, view: str) -> None:
    themed.goto(served + VIEWS[view])
    if view == "record":
        themed.locator("[data-seek=next]").click()
        expect(themed.locator("#record h2")).to_be_visible()
    assert violations(themed) == []


@pytest.mark.usefixtures("told")
def test_axe_finds_nothing_in_the_sheet_of_keys(themed: Page, served: str) -> None:
    themed.goto(served + ORDER)
    themed.keyboard.press("?")
    expect(themed.get_by_role("dialog")).to_be_visible()
    assert violations(themed) == []


@pytest.mark.usefixtures("told")
def test_nothing_moves_for_who_asked_for_that(themed: Page, served: str) -> None:
    themed.goto(served + ORDER)
    running = themed.evaluate("document.getAnimations().length")
    assert running == 0
