"""Signing in, people, keys and one's account in a browser: with and without scripts, for everybody (axe), on a phone."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.cast import PASSWORD, make
from tests.test_browser_access import violations
from tracing.roles import Role

pytestmark = [pytest.mark.browser]


@pytest.fixture
def themed(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(
        color_scheme="light", reduced_motion="reduce", viewport={"width": 390, "height": 800}
    )
    yield context.new_page()
    context.close()


@pytest.fixture
def plain(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(java_script_enabled=False)
    yield context.new_page()
    context.close()


def sign_in(page: Page, served: str, name: str, path: str = "/") -> None:
    page.goto(served + path)
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.usefixtures("clean_store")
def test_signing_in_and_out_without_scripts(plain: Page, served: str) -> None:
    make("ada", Role.ADMINISTRATOR)
    sign_in(plain, served, "Ada", "/settings/people")
    expect(plain).to_have_url(f"{served}/settings/people")
    plain.locator(".me summary").click()
    plain.get_by_role("button", name="Sign out").click()
    expect(plain.get_by_role("heading", name="Sign in")).to_be_visible()
    plain.goto(f"{served}/flows")
    expect(plain).to_have_url(f"{served}/login?next=/flows")


@pytest.mark.usefixtures("clean_store")
def test_a_person_is_added_and_makes_a_password_of_their_own(
    page: Page, browser: Browser, served: str
) -> None:
    make("ada", Role.ADMINISTRATOR)
    sign_in(page, served, "ada", "/settings/people")
    page.get_by_label("Username").fill("vera")
    page.get_by_role("button", name="Add them").click()
    once = page.locator("#made code").inner_text()
    other = browser.new_context()
    theirs = other.new_page()
    theirs.goto(f"{served}/flows")
    theirs.get_by_label("Username").fill("vera")
    theirs.get_by_label("Password").fill(once)
    theirs.get_by_role("button", name="Sign in").click()
    expect(theirs).to_have_url(f"{served}/account/password?next=%2Fflows")
    theirs.get_by_label("Your password now").fill(once)
    theirs.get_by_label("A new one", exact=False).first.fill("a password of mine")
    theirs.get_by_label("The new one again").fill("a password of mine")
    theirs.get_by_role("button", name="Change it").click()
    expect(theirs).to_have_url(f"{served}/flows")
    page.goto(f"{served}/settings/people")
    page.get_by_role("button", name="Switch vera off").click()
    expect(page.get_by_role("button", name="Switch vera on")).to_be_visible()
    theirs.goto(f"{served}/flows")
    expect(theirs).to_have_url(re.compile("/login"))
    other.close()


@pytest.mark.usefixtures("clean_store")
def test_axe_finds_nothing_on_a_phone(themed: Page, served: str) -> None:
    make("ada", Role.ADMINISTRATOR)
    make("vera", Role.VIEWER)
    themed.goto(f"{served}/login")
    assert violations(themed) == []
    sign_in(themed, served, "ada", "/settings/people")
    for path in ("/settings/people", "/settings/keys", "/settings/audit", "/account", "/account/password"):
        themed.goto(served + path)
        assert violations(themed) == [], path
        width = themed.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, path
    themed.locator(".me summary").click()
    assert violations(themed) == []


@pytest.mark.usefixtures("clean_store")
def test_a_page_that_is_left_open_goes_to_signing_in(page: Page, served: str) -> None:
    make("ada", Role.ADMINISTRATOR)
    vera = make("vera", Role.VIEWER)
    sign_in(page, served, "vera", "/settings/audit")
    expect(page.get_by_text("This takes an administrator, and you are a viewer.")).to_be_visible()
    vera.delete()
    page.reload()
    expect(page).to_have_url(re.compile("/login"))
