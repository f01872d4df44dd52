"""Every key of a flow's page in a browser: where the focus goes, what is drawn, what the address says."""

import re

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import Page, expect

from tests.builders import Service, batch, trace_id
from tests.test_flow_page import order_4711
from tracing.storing import Store

pytestmark = [pytest.mark.browser]


def focused(page: Page) -> str:
    """The name of the row with the focus."""
    return str(
        page.evaluate("document.activeElement.closest('.row')?.querySelector('.name')?.textContent ?? ''")
    )


def press(page: Page, *keys: str) -> str:
    for key in keys:
        page.keyboard.press(key)
    return focused(page)


def expect_focus(page: Page, name: str) -> None:
    """After an update: the focus is back on the row once the page has settled."""
    page.wait_for_function(
        "name => document.activeElement.closest('.row')?.querySelector('.name')?.textContent === name",
        arg=name,
    )


def count(page: Page) -> int:
    return page.locator(".row").count()


def test_rows_and_chapters_are_walked(reader: Page) -> None:
    assert press(reader, "j") == "POST /orders"
    assert press(reader, "j", "j") == "validate"
    assert press(reader, "k") == "POST /orders"
    assert press(reader, "ArrowDown", "ArrowDown") == "charge card"
    assert press(reader, "ArrowUp") == "validate"
    assert press(reader, "]") == "consume order.paid"
    assert press(reader, "]") == "send mail"
    assert press(reader, "[", "[") == "POST /orders"
    assert reader.evaluate("document.activeElement.ariaLevel") == "1"
    press(reader, "[")
    expect(reader.locator("#said")).to_have_text("No chapter above")


def test_a_row_folds_and_unfolds_and_keeps_the_focus(reader: Page) -> None:
    press(reader, "j", "ArrowLeft")
    expect(reader.locator(".row")).to_have_count(10)
    expect_focus(reader, "POST /orders")
    press(reader, "ArrowRight")
    expect(reader.locator(".row")).to_have_count(18)
    expect_focus(reader, "POST /orders")
    assert press(reader, "ArrowRight", "ArrowRight") == "validate"
    assert press(reader, "ArrowLeft") == "POST /orders"  # a row without an inside goes to the one it is in
    reader.go_back()
    expect(reader.locator(".row")).to_have_count(10)


def test_a_record_opens_and_closes(reader: Page) -> None:
    press(reader, "j", "j", "j", "j")
    assert focused(reader) == "charge card"
    press(reader, "Enter")
    expect(reader.locator("#record")).to_contain_text("CardDeclined")
    expect(reader).to_have_url(re.compile("record=s-"))
    press(reader, "Escape")
    expect(reader.locator("#record")).to_be_hidden()
    assert press(reader, "j") == "CardDeclined: issuer said no"
    press(reader, "[", "Enter")  # on a chapter it folds
    expect(reader.locator(".row")).to_have_count(10)


def test_errors_are_gone_to(reader: Page) -> None:
    assert press(reader, "e") == "charge card"
    assert press(reader, "e") == "CardDeclined: issuer said no"
    assert press(reader, "E") == "charge card"
    press(reader, "E")
    expect(reader.locator("#said")).to_have_text("No error above")


def test_idle_stretches_are_passed(reader: Page) -> None:
    press(reader, "j")
    passed = press(reader, "g")
    assert passed == "consume order.paid"
    press(reader, "g", "g", "g", "g", "g")
    expect(reader.locator("#said")).to_contain_text("No idle stretch after this row")


def test_time_is_zoomed(reader: Page) -> None:
    press(reader, "e", "z")
    expect(reader).to_have_url(re.compile(r"from=\d{19}&to=\d{19}"))
    expect(reader.locator(".row.chapter")).to_have_count(1)
    expect_focus(reader, "charge card")
    press(reader, "-")
    expect(reader.locator(".row", has_text="validate")).to_have_count(1)
    press(reader, "+")
    expect(reader.locator(".row", has_text="validate")).to_have_count(0)
    press(reader, "-", "+", "-", "0")  # faster than pages come: the last one counts
    expect(reader).not_to_have_url(re.compile("from="))
    expect(reader.locator(".row")).to_have_count(18)


def test_find_in_flow(reader: Page) -> None:
    press(reader, "f")
    expect(reader.locator("#seek")).to_be_focused()
    reader.keyboard.type("card")
    reader.keyboard.press("Enter")
    expect(reader.locator(".seek")).to_contain_text("3 matches")
    expect_focus(reader, "charge card")  # the first match; the box is left
    press(reader, "n")
    expect(reader.locator(".seek")).to_contain_text("1 of 3 matches")
    press(reader, "n")
    expect(reader.locator(".seek")).to_contain_text("2 of 3 matches")
    press(reader, "N")
    expect(reader.locator(".seek")).to_contain_text("1 of 3 matches")
    press(reader, "N")
    expect(reader.locator("#said")).to_have_text("No further match")


def test_a_link_is_copied(reader: Page) -> None:
    reader.context.grant_permissions(["clipboard-read", "clipboard-write"])
    press(reader, "e", "c")
    expect(reader.locator("#said")).to_have_text("Link copied")
    link = reader.evaluate("navigator.clipboard.readText()")
    assert re.search(r"/flow/entity/order/4711\?record=s-[0-9a-f]{32}-[0-9a-f]{16}$", link)
    assert focused(reader) == "charge card"
    assert link.startswith(django_settings.URL)  # under the address that others reach it by
    reader.goto(link.replace(django_settings.URL, reader.url.partition("/flow/")[0]))
    expect(reader.locator(".row.open")).to_contain_text("charge card")


def test_help_and_the_other_find_box(reader: Page) -> None:
    press(reader, "?")
    expect(reader.get_by_role("dialog")).to_contain_text("next error")
    press(reader, "j")  # the sheet is open: keys do nothing behind it
    assert focused(reader) == ""
    press(reader, "Escape")
    expect(reader.get_by_role("dialog")).to_be_hidden()
    press(reader, "/")
    expect(reader.locator("#find")).to_be_focused()
    reader.keyboard.type("jez?")
    assert reader.locator("#find").input_value() == "jez?"
    press(reader, "Escape")
    assert press(reader, "j") == "POST /orders"  # the box was left, and keys are keys again


def test_rows_as_a_table(reader: Page) -> None:
    press(reader, "t")
    expect(reader.get_by_role("table")).to_be_visible()
    expect(reader).to_have_url(re.compile("view=table"))
    assert press(reader, "e") == "charge card"
    press(reader, "Enter")
    expect(reader.locator("#record")).to_contain_text("CardDeclined")
    reader.context.grant_permissions(["clipboard-read", "clipboard-write"])
    reader.get_by_role("button", name="Copy CSV").click()
    expect(reader.locator("#said")).to_have_text("Table copied as CSV")
    assert reader.evaluate("navigator.clipboard.readText()").startswith("row,id,parent,depth,start")
    press(reader, "t")
    expect(reader.get_by_role("treegrid")).to_be_visible()


def test_keys_of_the_browser_stay(reader: Page) -> None:
    press(reader, "Control+j", "Alt+e", "Meta+k")
    assert focused(reader) == ""


def test_dragging_zooms_and_a_click_stays_a_link(reader: Page) -> None:
    box = reader.locator(".axis > svg").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    reader.mouse.move(box["x"] + 2, middle)
    reader.mouse.down()
    reader.mouse.move(box["x"] + box["width"] * 0.15, middle, steps=4)
    expect(reader.locator(".brush")).to_have_count(1)
    reader.mouse.up()
    expect(reader).to_have_url(re.compile(r"from=\d{19}&to=\d{19}"))
    expect(reader.locator(".row.chapter")).to_have_count(1)
    reader.go_back()
    expect(reader.locator(".row.chapter")).to_have_count(5)
    reader.mouse.move(box["x"] + 2, middle)
    reader.mouse.down()
    reader.mouse.move(box["x"] + box["width"] * 0.15, middle, steps=4)
    press(reader, "Escape")  # lets go
    expect(reader.locator(".brush")).to_have_count(0)
    reader.mouse.up()
    expect(reader).not_to_have_url(re.compile("from="))
    bar = reader.locator(".overview a").first.bounding_box()
    assert bar is not None
    reader.mouse.move(bar["x"] + 1, bar["y"] + 20)
    reader.mouse.down()
    reader.mouse.move(bar["x"] + box["width"] * 0.1, bar["y"] + 20, steps=4)
    reader.mouse.up()
    expect(reader).to_have_url(re.compile(r"from=\d{19}&to=\d{19}"))


def test_the_next_error_of_another_window_is_gone_to(page: Page, served: str, store: Store) -> None:
    shop, trace = Service("shop"), trace_id("long")
    root = shop.span("root", 0, 5_000, trace=trace)
    steps = [
        shop.span(f"step {n}", n * 4, 3, trace=trace, parent=root, status=2 if n == 900 else 0)
        for n in range(1_000)
    ]
    store.put(batch(root, *steps))
    page.goto(f"{served}/flow/request/trace/{trace.hex()}")
    press(page, "e")
    expect(page.locator(".row.open")).to_contain_text("step 900")
    expect(page.locator(".row.open")).to_be_in_viewport()


def test_what_is_stored_arrives_without_moving_what_is_read(reader: Page, store: Store) -> None:
    # Enough rows that there is something above and below what is seen.
    shop = Service("shop")
    place = order_4711()[0]
    reader.set_viewport_size({"width": 1200, "height": 500})
    press(reader, "e")
    before = reader.evaluate("document.activeElement.getBoundingClientRect().top")
    late = [shop.log(f"told late {n}", 10 + n, span=place) for n in range(3)]  # type: ignore[arg-type]
    last = shop.log("told last", 20_000_000, attributes={"order.id": "4711"})
    store.put(batch(*late, last))
    expect(reader.locator(".row", has_text="told late")).to_have_count(3, timeout=4_000)
    assert focused(reader) == "charge card"
    after = reader.evaluate("document.activeElement.getBoundingClientRect().top")
    assert abs(after - before) < 2
    mark = reader.locator("#fresh")
    expect(mark).to_have_text(re.compile(r"\d new below"))
    mark.click()
    expect(reader.locator(".row.fresh").last).to_be_in_viewport()
    expect(mark).to_have_count(0)
    assert reader.said == []  # type: ignore[attr-defined]


def test_an_update_waits_while_somebody_types(reader: Page, store: Store) -> None:
    press(reader, "f")
    reader.keyboard.type("half a wor")
    store.put(batch(Service("shop").log("told last", 20_000_000, attributes={"order.id": "4711"})))
    reader.wait_for_timeout(2_500)
    assert count(reader) == 18
    assert reader.locator("#seek").input_value() == "half a wor"
    reader.locator("#seek").fill("")
    reader.locator("h1").click()
    expect(reader.locator(".row", has_text="told last")).to_have_count(1)


def test_an_open_record_stays_open_as_it_is_read(reader: Page, store: Store) -> None:
    press(reader, "e", "Enter")
    reader.locator("#record summary", has_text="Resource").click()
    expect(reader.locator("#record details[open]")).to_have_count(1)
    store.put(batch(Service("shop").log("told last", 20_000_000, attributes={"order.id": "4711"})))
    expect(reader.locator(".row", has_text="told last")).to_have_count(1, timeout=4_000)
    expect(reader.locator("#record details[open]")).to_have_count(1)
    expect(reader.locator(".row.open")).to_contain_text("charge card")


def test_a_value_of_a_record_is_copied_and_found_in_the_flow(reader: Page) -> None:
    reader.context.grant_permissions(["clipboard-read", "clipboard-write"])
    press(reader, "e", "Enter")
    reader.locator("#record dd", has_text="4711").first.hover()  # the signs beside a value show then
    reader.locator("#record").get_by_label("Copy order.id").click()
    expect(reader.locator("#said")).to_have_text("Copied")
    assert reader.evaluate("navigator.clipboard.readText()") == "4711"
    reader.locator("#record dd", has_text="p-9").first.hover()
    reader.locator("#record").get_by_label("Find the same payment.id in this flow").click()
    expect(reader.locator(".seek")).to_contain_text("1 match")
    expect(reader).to_have_url(re.compile("find=p-9"))


def test_unfolding_moves_nothing_that_was_above(reader: Page) -> None:
    reader.set_viewport_size({"width": 1200, "height": 420})
    reader.evaluate("scrollTo(0, 300)")
    link = reader.get_by_role("link", name="fold consume order.paid").first
    before = link.bounding_box()
    link.click()
    expect(reader.get_by_role("link", name="unfold consume order.paid")).to_have_count(1)
    after = reader.get_by_role("link", name="unfold consume order.paid").bounding_box()
    assert before is not None and after is not None
    assert abs(before["y"] - after["y"]) < 2


def test_an_idle_stretch_unfolds_on_a_click_and_folds_again(reader: Page) -> None:
    assert reader.locator(".axis .zig").count() > 1
    before = reader.locator(".axis .zig").count()
    reader.locator(".axis a").first.click()
    expect(reader.locator(".axis .zig")).to_have_count(before - 1)
    expect(reader).to_have_url(re.compile(r"gaps=\d{19}"))
    reader.get_by_role("link", name="idle time unfolded").click()
    expect(reader.locator(".axis .zig")).to_have_count(before)


def test_a_click_on_a_row_goes_to_it(reader: Page) -> None:
    row = reader.locator(".row", has_text="validate")
    row.locator("svg").click()
    assert focused(reader) == "validate"
    press(reader, "z")
    expect(reader).to_have_url(re.compile("from="))


def test_folded_failures_are_gone_to(reader: Page) -> None:
    press(reader, "j", "ArrowLeft")
    expect(reader.locator(".row")).to_have_count(10)
    press(reader, "k", "e")
    expect_focus(reader, "POST /orders")


def test_keys_of_the_axis_say_so_in_the_table(reader: Page) -> None:
    press(reader, "t")
    expect(reader.get_by_role("table")).to_be_visible()
    press(reader, "j", "z")
    expect(reader.locator("#said")).to_contain_text("belongs to the timeline")
    assert reader.said == []  # type: ignore[attr-defined]


def test_the_focus_on_a_filter_and_the_place_in_a_record_outlast_an_update(
    reader: Page, store: Store
) -> None:
    reader.set_viewport_size({"width": 1400, "height": 300})
    press(reader, "e", "Enter")
    expect(reader.locator("#record")).to_contain_text("CardDeclined")
    reader.evaluate("document.getElementById('record').scrollTop = 90")
    reader.get_by_role("link", name=re.compile("^logs")).focus()
    store.put(batch(Service("shop").log("told last", 20_000_000, attributes={"order.id": "4711"})))
    expect(reader.locator(".row", has_text="told last")).to_have_count(1, timeout=4_000)
    assert reader.evaluate("document.getElementById('record').scrollTop") == 90
    assert reader.evaluate("document.activeElement.textContent").startswith("logs")
