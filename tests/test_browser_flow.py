"""A reader with a browser: an order, a request, the drawer; links that keep the view, Back, and no scripts at all."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.builders import T1, Service, batch, trace_id
from tests.test_flow_page import order_4711
from tracing.storing import Store

pytestmark = [pytest.mark.browser]
ORDER = "/flow/entity/order/4711"


def test_an_order_is_read_and_its_record_opened_in_place(reader: Page) -> None:
    expect(reader.get_by_role("heading", level=1)).to_contain_text("order 4711")
    grid = reader.get_by_role("treegrid")
    expect(grid.get_by_role("row")).to_have_count(19)  # the axis is one
    before = reader.evaluate("window.marked = 1")
    assert before == 1
    grid.get_by_role("link", name="charge card", exact=True).click()
    drawer = reader.locator("#record")
    expect(drawer).to_contain_text("CardDeclined")
    expect(reader).to_have_url(re.compile(r"\?record=s-"))
    expect(reader.locator(".row.open")).to_contain_text("charge card")
    assert reader.evaluate("window.marked") == 1  # the page stayed
    reader.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(reader).not_to_have_url(re.compile("record="))
    reader.go_back()
    expect(reader.locator("#record")).to_contain_text("CardDeclined")
    assert reader.said == []  # type: ignore[attr-defined]


def test_chapters_fold_in_place_and_the_address_says_so(reader: Page) -> None:
    reader.get_by_role("link", name="fold POST /orders").first.click()
    expect(reader.get_by_role("treegrid").get_by_role("row")).to_have_count(11)
    expect(reader).to_have_url(re.compile("fold=c-"))
    reader.reload()
    expect(reader.get_by_role("treegrid").get_by_role("row")).to_have_count(11)
    reader.get_by_role("link", name="unfold POST /orders").first.click()
    expect(reader.get_by_role("treegrid").get_by_role("row")).to_have_count(19)


def test_a_bar_of_the_overview_opens_its_stretch_of_time(reader: Page) -> None:
    reader.locator(".overview a").last.click()
    expect(reader).to_have_url(re.compile(r"from=\d{19}.*to=\d{19}"))
    expect(reader.locator(".row.log")).to_have_count(1)
    reader.locator(".bar-tools a", has_text="✕").click()
    expect(reader.get_by_role("treegrid").get_by_role("row")).to_have_count(19)


def test_filters_and_ways_on(reader: Page, served: str) -> None:
    reader.get_by_role("link", name=re.compile("errors with their path")).click()
    expect(reader.locator(".row.log, .row.event, .row.span")).to_have_count(4)
    reader.get_by_text("services ▾").click()
    reader.locator(".menu a", has_text="wms").click()
    expect(reader.get_by_text("No row matches.")).to_be_visible()
    reader.get_by_role("link", name="Show everything").click()
    reader.get_by_role("link", name="payment p-9").click()
    expect(reader.get_by_role("heading", level=1)).to_contain_text("payment p-9")
    reader.goto(served + f"/trace/{T1.hex()}")
    expect(reader.get_by_role("heading", level=1)).to_contain_text("POST /orders")
    expect(reader.locator(".row.span")).to_have_count(3)


@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_is_wider_than_the_screen_and_no_labels_collide(reader: Page, width: int) -> None:
    reader.set_viewport_size({"width": width, "height": 900})
    reader.locator(".row.span a.name").first.click()
    expect(reader.locator("#record h2")).to_be_visible()
    assert reader.evaluate("document.documentElement.scrollWidth <= innerWidth")
    boxes = reader.evaluate(
        "[...document.querySelectorAll('.axis text')].map(t => t.getBoundingClientRect())"
        ".filter(b => b.width).map(b => [b.left, b.right, b.top, b.bottom])"
    )
    assert boxes
    for index, one in enumerate(boxes):
        for other in boxes[index + 1 :]:
            apart = (
                one[1] <= other[0] or other[1] <= one[0] or one[3] <= other[2] + 1 or other[3] <= one[2] + 1
            )
            assert apart, (one, other)


def test_on_a_phone_the_record_lies_over_the_rows_and_its_row_stays_seen(reader: Page) -> None:
    reader.set_viewport_size({"width": 390, "height": 700})
    reader.locator(".row.log a.name").last.click()
    expect(reader.locator("#record h2")).to_be_in_viewport()
    sheet = reader.locator("#record").bounding_box()
    row = reader.locator(".row.open").bounding_box()
    assert sheet is not None and row is not None
    assert 0 < row["y"] < row["y"] + row["height"] <= sheet["y"]
    reader.reload()
    expect(reader.locator("#record h2")).to_be_in_viewport()
    row = reader.locator(".row.open").bounding_box()
    assert row is not None and 0 < row["y"] + row["height"] <= sheet["y"]


def test_without_scripts_every_link_is_a_page(browser: Browser, served: str, store: Store) -> None:
    store.put(batch(*order_4711()))
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(served + ORDER)
    page.locator("a.name", has_text="charge card").first.click()
    expect(page.locator("#record")).to_contain_text("CardDeclined")
    page.locator("a.twist").first.click()
    expect(page.locator(".row.span")).to_have_count(2)
    context.close()


def test_without_scripts_windows_are_links(browser: Browser, served: str, store: Store) -> None:
    path = long_request(store)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(served + path)
    expect(page.locator(".row")).to_have_count(500)
    page.get_by_role("link", name="next 500 rows").click()
    expect(page.locator(".pages")).to_contain_text("rows 501–1,000 of 1,101")
    page.get_by_role("link", name="next 500 rows").click()
    expect(page.locator(".row")).to_have_count(101)
    page.get_by_role("link", name="previous 500").click()
    expect(page.locator(".pages")).to_contain_text("rows 501–1,000 of 1,101")
    page.get_by_role("link", name="first", exact=True).click()
    expect(page.locator(".row").first).to_contain_text("root")
    page.get_by_role("link", name="last", exact=True).click()
    expect(page.locator(".row").last).to_contain_text("step 1099")
    context.close()


def test_scrolling_brings_the_next_windows_and_the_ones_before(page: Page, served: str, store: Store) -> None:
    page.goto(served + long_request(store))
    expect(page.locator(".row")).to_have_count(500)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(page.locator(".row")).to_have_count(1_000)
    expect(page.locator(".axis")).to_contain_text("1–1,000 shown")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(page.locator(".row")).to_have_count(1_101)
    ids = page.evaluate("[...document.querySelectorAll('.row')].map(row => row.id)")
    assert len(set(ids)) == 1_101
    assert [name.split("-")[0] for name in ids] == ["s"] * 1_101
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(page).to_have_url(re.compile(r"at=10\d\d"))  # the address follows what is seen
    page.reload()
    first = page.locator(".row").first
    expect(first).to_contain_text(re.compile(r"step 10\d\d"))
    page.mouse.wheel(0, -200)
    expect(page.locator(".pages")).to_contain_text(re.compile(r"rows 5\d\d–"))


def test_the_last_row_is_a_click_away(page: Page, served: str, store: Store) -> None:
    page.goto(served + long_request(store))
    page.evaluate("document.querySelector('.pages').scrollIntoView()")
    page.get_by_role("link", name="last", exact=True).click()
    expect(page.locator(".row", has_text="step 1099")).to_be_in_viewport()
    page.reload()
    expect(page.locator(".row", has_text="step 1099")).to_be_in_viewport()


def long_request(store: Store) -> str:
    shop, trace = Service("shop"), trace_id("long")
    root = shop.span("root", 0, 5_000, trace=trace)
    steps = (shop.span(f"step {n}", n * 4, 3, trace=trace, parent=root) for n in range(1_100))
    store.put(batch(root, *steps))
    return f"/flow/request/trace/{trace.hex()}"
