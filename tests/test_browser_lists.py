"""Lists, find and rules in a real browser: what JavaScript adds, and that the browser itself finds no fault."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.builders import Service, batch, trace_id
from tests.shop import fill
from tracing.storing import Store

pytestmark = pytest.mark.browser


@pytest.fixture
def shop(page: Page, store: Store, served: str) -> Iterator[str]:
    """A filled shop's address; whatever the browser complained about fails the test."""
    complaints: list[str] = []
    page.on(
        "console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    fill(store)
    yield served
    assert complaints == []


def test_the_slash_key_leads_to_find(page: Page, shop: str) -> None:
    page.goto(f"{shop}/flows")
    page.keyboard.press("/")
    page.keyboard.type("order 4711")
    page.keyboard.press("Enter")
    page.wait_for_url("**/flow/entity/order/4711")
    expect(page.locator("h1")).to_contain_text("order 4711")


def test_a_slash_inside_a_field_is_a_slash(page: Page, shop: str) -> None:
    page.goto(f"{shop}/flows")
    page.locator("#q").fill("")
    page.locator("#q").press_sequentially("pay/1")
    page.keyboard.press("Enter")
    expect(page.locator("table.list tbody tr")).to_have_count(1)
    assert "q=pay%2F1" in page.url


def test_filters_change_the_list_and_the_address_and_back_undoes_both(page: Page, shop: str) -> None:
    page.goto(f"{shop}/flows")
    rows = page.locator("table.list tbody tr")
    expect(rows).to_have_count(5)
    page.evaluate("window.sameDocument = true")
    page.select_option("#type", "payment")
    page.get_by_role("button", name="Show").click()
    expect(rows).to_have_count(1)
    page.wait_for_url("**/flows?type=payment")
    page.get_by_role("link", name="Requests").click()
    expect(page.locator("h1")).to_have_text("Flows")
    page.wait_for_url("**kind=request**")
    expect(rows).to_have_count(6)
    # All of it without loading the page again.
    assert page.evaluate("window.sameDocument")
    page.go_back()
    expect(rows).to_have_count(1)
    page.go_back()
    expect(rows).to_have_count(5)


def test_a_bar_selects_its_range(page: Page, shop: str) -> None:
    page.goto(f"{shop}/flows")
    page.locator("[data-range] a").last.click()
    page.wait_for_url("**from=**")
    expect(page.locator("table.list tbody tr")).to_have_count(1)
    expect(page.locator("td.title")).to_have_text("onboarding run-1")


def test_dragging_over_bars_selects_their_range(page: Page, shop: str) -> None:
    page.goto(f"{shop}/flows")
    bars = page.locator("[data-range] a .hit")
    first, last = bars.nth(0).bounding_box(), bars.nth(2).bounding_box()
    assert first and last
    page.mouse.move(first["x"] + 2, first["y"] + 20)
    page.mouse.down()
    page.mouse.move(last["x"] + 2, last["y"] + 25, steps=5)
    page.mouse.up()
    page.wait_for_url("**from=**")
    titles = page.locator("td.title").all_inner_texts()
    assert 0 < len(titles) < 5 and titles[-1].startswith("order 4711")
    page.get_by_role("link", name="all times").click()
    expect(page.locator("table.list tbody tr")).to_have_count(5)


def test_colours_are_kept_from_page_to_page(page: Page, shop: str) -> None:
    page.goto(f"{shop}/flows")
    root = page.locator("html")
    page.get_by_role("button", name="Colours").click()
    expect(root).to_have_attribute("data-theme", "light")
    page.get_by_role("button", name="Colours").click()
    expect(root).to_have_attribute("data-theme", "dark")
    page.goto(f"{shop}/settings/")
    expect(root).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 22, 26)"


@pytest.mark.browser_context_args(timezone_id="Asia/Kolkata")
def test_times_are_the_readers_own_once_known(page: Page, shop: str) -> None:
    page.goto(f"{shop}/flows")
    page.goto(f"{shop}/flows")
    expect(page.locator("footer")).to_contain_text("Times are +05:30")
    page.get_by_role("button", name="show UTC").click()
    expect(page.locator("footer")).to_contain_text("Times are UTC")


@pytest.mark.browser_context_args(viewport={"width": 390, "height": 844})
@pytest.mark.parametrize(
    "path", ["/", "/flows", "/find?q=47", "/settings/rules", "/settings/rules/1", "/settings/senders"]
)
def test_nothing_sticks_out_at_390_pixels(page: Page, shop: str, path: str) -> None:
    page.goto(shop + path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_without_javascript(page: Page, shop: str) -> None:
    page.goto(f"{shop}/flows")
    page.fill("#q", "4711")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name="order 4711", exact=True).click()
    expect(page.locator("h1")).to_contain_text("order 4711")


def test_a_rule_is_tried_published_and_applied(page: Page, shop: str, store: Store) -> None:
    parcel = Service("wms").span("scan", 0, 1, trace=trace_id("parcel"), attributes={"parcel.no": "P-1"})
    store.put(batch(parcel))
    page.goto(f"{shop}/settings/rules")
    page.locator("#candidates li", has_text="parcel.no").get_by_role("link", name="make a rule").click()
    page.get_by_role("button", name="Try it on stored data").click()
    expect(page.locator("#preview")).to_contain_text("1 stored record into 1 flow")
    page.get_by_role("button", name="Publish").click()
    expect(page.locator(".note.ok")).to_contain_text("Published")
    page.get_by_role("button", name="Apply to stored data").click()
    expect(page.locator(".job")).to_contain_text("waiting for the watcher")
    work_off(store)
    # The progress is asked for again by itself.
    expect(page.locator(".job")).to_contain_text("done")
    expect(page.locator("#made")).to_contain_text("Made 1 flow of 1 record")
    page.goto(f"{shop}/find?q=P-1")
    expect(page.locator("h1")).to_contain_text("parcel P-1")


def work_off(store: Store) -> None:
    """What the watcher does."""
    import psycopg

    from tracing import reapply
    from tracing.database import conninfo

    with psycopg.connect(conninfo(), autocommit=True) as connection:
        while reapply.work(connection, "production"):
            pass
