"""Sharing in a real browser: the link is made, opened by a stranger, revoked; a pin is looked at; no fault is found."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser


@pytest.fixture
def stranger(browser: Browser) -> Iterator[Page]:
    """Somebody else's browser, without a cookie of ours."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


def share(reader: Page, *choices: str) -> str:
    reader.get_by_role("link", name="Share").click()
    for choice in choices:
        reader.get_by_label(choice).check()
    reader.get_by_label("What for").fill("incident 12")
    reader.get_by_label("Your name").fill("Ann")
    reader.get_by_role("button", name="Make the link").click()
    return reader.get_by_label("The link").input_value()


def path_of(served: str, address: str) -> str:
    """At the server of the test: links name the product's public address."""
    return served + "/s/" + address.rpartition("/")[2]


def test_a_link_is_made_opened_and_revoked(reader: Page, served: str, stranger: Page) -> None:
    address = path_of(served, share(reader, "anyone with the link"))
    stranger.goto(address)
    expect(stranger.locator("h1")).to_contain_text("order 4711")
    expect(stranger.locator(".shown")).to_contain_text("Frozen")
    expect(stranger.locator(".shown")).to_contain_text("by Ann: incident 12")
    expect(stranger.get_by_role("link", name="Share")).to_have_count(0)
    # Its rows open and close without leaving the link.
    stranger.get_by_role("link", name="charge card", exact=True).first.click()
    expect(stranger.locator("#record")).to_contain_text("CardDeclined")
    assert "/s/" in stranger.url
    reader.get_by_role("button", name="Revoke it").click()
    expect(reader.locator("h1")).to_have_text("Shares")
    stranger.goto(address)
    expect(stranger.locator("h1")).to_have_text("Not found")
    assert reader.said == []  # type: ignore[attr-defined]


def test_a_live_link_moves(reader: Page, served: str, stranger: Page) -> None:
    address = path_of(served, share(reader, "anyone with the link", "live: as it goes on"))
    stranger.goto(address)
    expect(stranger.locator(".shown")).to_contain_text("Live")
    assert stranger.locator("#timeline").get_attribute("data-pulse")


def test_a_pin_is_kept_and_let_go(reader: Page) -> None:
    reader.get_by_role("link", name="Pin").click()
    reader.get_by_label("Your name").fill("Ann")
    reader.get_by_role("button", name="Pin it").click()
    expect(reader.locator(".shown")).to_contain_text("Frozen")
    reader.get_by_role("link", name="Live page").click()
    expect(reader.locator(".near").first).to_contain_text("frozen copy")
    reader.goto(reader.url.split("/flow/")[0] + "/settings/shares")
    reader.get_by_role("button", name="Let go").click()
    expect(reader.get_by_text("Nothing is pinned.")).to_be_visible()
    assert reader.said == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_of_sharing_are_accessible(reader: Page, served: str, stranger: Page, theme: str) -> None:
    address = path_of(served, share(reader, "anyone with the link"))
    reader.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    stranger.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    stranger.goto(address)
    found = [stranger]
    for path in ("/settings/shares", "/share?of=/flow/entity/order/4711", "/pin?of=/flow/entity/order/4711"):
        reader.goto(served + path)
        assert problems(reader) == [], path
    assert problems(found[0]) == []


def problems(page: Page) -> list[str]:
    told = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in told.response["violations"]]
