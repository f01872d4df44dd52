"""Copying and noting in a browser: what lands in the clipboard, that it is said, and what remains without scripts."""

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.builders import BASE_NS
from timeline.summaries import find_flows
from tracing.people import Note

pytestmark = [pytest.mark.browser]


@pytest.fixture
def copier(reader: Page) -> Page:
    reader.context.grant_permissions(["clipboard-read", "clipboard-write"])
    return reader


def clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


def copies(page: Page, act: Callable[[], None], said: str) -> str:
    act()
    expect(page.locator("#said")).to_have_text(said)
    return clipboard(page)


@pytest.mark.parametrize(
    ("name", "begin"), [("text", "order 4711 (production)"), ("Markdown", "### [order 4711")]
)
def test_the_story_is_copied_and_the_page_stays(copier: Page, name: str, begin: str) -> None:
    where = copier.url
    copier.get_by_text("Copy ▾").click()
    link = copier.get_by_role("link", name=f"Copy as {name}")
    told = copies(copier, link.click, f"Copied as {name}")
    assert told.startswith(begin) and "charge card" in told
    assert copier.url == where
    expect(copier.locator(".copies")).not_to_have_attribute("open", "")


def test_copying_needs_no_mouse(copier: Page) -> None:
    copier.locator(".copies summary").focus()
    copier.keyboard.press("Enter")
    copier.keyboard.press("Tab")
    told = copies(copier, lambda: copier.keyboard.press("Enter"), "Copied as text")
    assert told.startswith("order 4711")
    assert copier.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_a_page_without_a_clipboard_copies_all_the_same(copier: Page) -> None:
    copier.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('not here')); }")
    copier.get_by_text("Copy ▾").click()
    told = copies(copier, copier.get_by_role("link", name="Copy as text").click, "Copied as text")
    assert told.startswith("order 4711")


def test_the_link_to_a_record_and_to_its_moment(copier: Page) -> None:
    copier.get_by_role("link", name="validate").click()
    record = copies(copier, copier.get_by_role("link", name="Copy link to this record").click, "Link copied")
    assert urlsplit(record).path.startswith("/record/")
    copier.wait_for_timeout(2700)
    moment = copies(copier, copier.get_by_role("link", name="Copy link to this moment").click, "Link copied")
    told = parse_qs(urlsplit(moment).query)
    assert urlsplit(moment).path == "/flow/entity/order/4711"
    assert int(told["from"][0]) < int(told["to"][0]) and told["record"][0].startswith("s-")
    copier.goto(urlsplit(copier.url)._replace(query=urlsplit(moment).query).geturl())
    expect(copier.locator(".row.open .name")).to_have_text("validate")


def test_the_moment_of_a_row_and_of_the_axis_by_key(copier: Page) -> None:
    copier.keyboard.press("j")
    row = copies(copier, lambda: copier.keyboard.press("C"), "Link to this moment copied")
    copier.wait_for_timeout(2700)
    plot = copier.locator(".axis[data-zoom] > svg")
    box = plot.bounding_box()
    assert box

    def click() -> None:
        copier.keyboard.down("Shift")
        copier.mouse.click(box["x"] + box["width"] * 0.02, box["y"] + 30)
        copier.keyboard.up("Shift")

    axis = copies(copier, click, "Link to this moment copied")
    for link in (row, axis):
        told = parse_qs(urlsplit(link).query)
        assert int(told["from"][0]) < int(told["to"][0])
    assert "record" not in parse_qs(urlsplit(axis).query)


def test_a_note_is_written_at_a_rows_moment_and_taken_back(copier: Page) -> None:
    copier.get_by_role("link", name="validate").click()
    copier.get_by_role("link", name="Note here").click()
    form = copier.locator("#note form").last
    expect(form.get_by_label("When")).to_have_value("2026-11-18 11:06:40.02")
    form.locator("textarea").fill("Asked the **carrier**: <https://wiki.example/run>")
    form.get_by_label("Your name").fill("Ann")
    form.get_by_role("button", name="Write it down").click()
    row = copier.locator(".row.noted .name")
    expect(row).to_have_text("Asked the carrier: https://wiki.example/run")
    row.click()
    expect(copier.locator("#record strong")).to_have_text("carrier")
    assert "note=" not in copier.url
    copier.locator("#record").get_by_text("Delete", exact=True).click()
    copier.locator("#record").get_by_role("button", name="Delete it for everybody").click()
    expect(copier.locator(".row.noted")).to_have_count(0)
    assert not Note.objects.exists()


SEEN = """button => {
    const box = button.getBoundingClientRect();
    const there = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    return box.top >= 0 && box.bottom <= innerHeight && button === there;
}"""


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 700), (390, 844)])
@pytest.mark.parametrize("way", ["in place", "by its address"])
def test_the_form_of_a_note_is_seen_at_once_however_much_was_noted(
    copier: Page, width: int, height: int, way: str
) -> None:
    order = find_flows("entity", "order", "4711")[0].identity
    for number in range(9):
        text = "\n\n".join(f"line {line} of {number}" for line in range(9))
        Note.objects.create(flow_id=order, at_ns=BASE_NS + number, text=text, name="Ann")
    copier.set_viewport_size({"width": width, "height": height})
    copier.reload()
    copier.locator(".row:not(.noted) .name").last.click()
    link = copier.get_by_role("link", name="Note here")
    if way == "in place":
        link.click()
    else:
        copier.goto(urljoin(copier.url, link.get_attribute("href") or ""))
    button = copier.get_by_role("button", name="Write it down")
    expect(button).to_be_visible()
    expect(copier.locator("#note-text")).to_be_focused()
    assert button.evaluate(SEEN)
    # Closed by hand it is not opened again by what arrives.
    copier.locator("#note > summary").click()
    expect(button).to_be_hidden()
    expect(copier).not_to_have_url(re.compile("[?&]note="))
    # Opened by hand it is seen, too.
    copier.locator("#note > summary").click()
    expect(button).to_be_in_viewport(ratio=1)
    assert copier.said == []  # type: ignore[attr-defined]


def test_without_scripts_the_links_lead_there(reader: Page, browser: Browser) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(reader.url)
        page.get_by_text("Copy ▾").click()
        page.get_by_role("link", name="As text").click()
        expect(page.locator("body")).to_contain_text("order 4711 (production)")
