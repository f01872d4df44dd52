"""A reader with a browser at an order that stands still: its ghost, its lanes, its words, and a verdict that turns meanwhile."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import judged
from tests.builders import BASE_NS, MS, batch
from tests.test_browser_access import violations
from tracing.people import Channel, Closure, Note, TypeSettings
from tracing.storing import Store

pytestmark = [pytest.mark.browser]
ORDER = "/flow/entity/order/4711"


@pytest.fixture(autouse=True)
def order(store: Store, tmp_path: Path) -> Iterator[bytes]:
    store.put(batch(*judged.waiting_order()))
    TypeSettings.objects.create(type="order", phases=[["created"], ["paid"]], transitions=[["created", "x"]])
    with judged.at(tmp_path):
        one = judged.judge()
        judged.problem([one])
        judged.flip(
            one, 21 * judged.MINUTE, "due", "late", "Waiting for `shipment.created` from `wms` for 21 min."
        )
        judged.message(22 * judged.MINUTE, flow_id=one)
        judged.promise(by_ms=60_000, said_ms=6_000)
        judged.insert("awake", process=b"p" * 8, since_ns=BASE_NS, until_ns=BASE_NS + judged.HOUR * MS)
        yield one


@pytest.fixture
def stuck(page: Page, served: str) -> Page:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.said = said  # type: ignore[attr-defined]
    page.goto(served + ORDER)
    return page


def test_the_ghost_stands_last_and_reaches_now(stuck: Page) -> None:
    expect(stuck).to_have_title("order 4711: stuck · paid · Threadline")
    expect(stuck.get_by_role("heading", level=1)).to_contain_text("■ stuck 3 h 12 m")
    ghosts = stuck.locator(".row.ghost")
    expect(ghosts).to_have_count(2)
    expect(stuck.locator(".row").last).to_have_class(re.compile("ghost"))
    expect(ghosts.first).to_contain_text("shipment.created")
    expect(ghosts.first).to_contain_text("nothing yet")
    expect(ghosts.last).to_contain_text("abandoned")
    bar = ghosts.first.locator(".ghostbar").bounding_box()
    now = stuck.locator(".axis .now").bounding_box()
    assert bar is not None and now is not None
    assert abs(bar["x"] + bar["width"] - now["x"]) < 3
    assert stuck.said == []  # type: ignore[attr-defined]


SENTENCE = "Waiting for `shipment.created` from `wms` for 3 h 5 min. 97 % of 412 orders passed this point within 14 min. Learned."
SEEN = """told => {
    const plot = told.closest("svg").getBoundingClientRect(), first = document.createRange();
    first.setStart(told.firstChild, 0);
    first.setEnd(told.firstChild, 7);
    const [one, box] = [first.getBoundingClientRect(), told.getBoundingClientRect()];
    return one.width > 20 && one.left >= plot.left && box.left >= plot.left && box.right <= plot.right;
}"""


@pytest.mark.parametrize("minutes", [3, 21, 90, 185])
@pytest.mark.parametrize("width", [1280, 1440])
def test_a_sentence_is_read_from_its_beginning(stuck: Page, order: bytes, minutes: int, width: int) -> None:
    judged.flip(order, minutes * judged.MINUTE, "late", "stuck", SENTENCE)
    stuck.set_viewport_size({"width": width, "height": 900})
    stuck.reload()
    told = stuck.locator(".row.flip .remark", has_text="3 h 5 min")
    expect(told).to_be_visible()
    assert told.evaluate(SEEN)
    if width == 1280:
        # What the plot has no room for ends in an ellipsis, and stands in the row's title.
        assert told.evaluate("told => told.scrollWidth > told.clientWidth")
    title = stuck.locator(".row.flip", has_text="3 h 5 min").get_attribute("title")
    assert title and title.endswith("Learned.")
    assert stuck.said == []  # type: ignore[attr-defined]


def test_the_lanes_show_who_is_behind(stuck: Page) -> None:
    lane = stuck.locator(".lane", has_text="wms").first
    expect(lane).to_contain_text("! 3 h behind shop")
    expect(
        stuck.get_by_role("img", name="wms: created 3 h 11 m until now; ! 3 h behind shop")
    ).to_be_visible()
    expect(stuck.locator(".lane .oddly")).to_have_count(1)
    expect(stuck.locator(".row.transition", has_text="illegal")).to_have_count(1)
    expect(stuck.locator(".trust")).to_contain_text("blind")


@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_it_fits_and_no_labels_of_the_axis_collide(stuck: Page, width: int) -> None:
    stuck.set_viewport_size({"width": width, "height": 900})
    assert stuck.evaluate("document.documentElement.scrollWidth <= innerWidth")
    boxes = stuck.evaluate(
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


def test_closing_by_hand_and_opening_again(stuck: Page) -> None:
    stuck.get_by_text("Close ▾").click()
    stuck.get_by_label("Why it is over").fill("fixed outside")
    stuck.locator("#close-name").fill("Ann")
    stuck.get_by_role("button", name="Close it").click()
    stuck.get_by_text("Closed ▾").click()
    expect(stuck.locator("details.say[open]")).to_contain_text("Closed by Ann")
    assert Closure.objects.get().reason == "fixed outside"
    stuck.get_by_role("button", name="Reopen it").click()
    expect(stuck.get_by_text("Close ▾")).to_be_visible()
    stuck.get_by_text("Note · 1 ▾").click()  # that it was closed, by whom and why
    expect(stuck.locator("#note-name")).to_have_value("Ann")


def test_a_note_becomes_a_row(stuck: Page) -> None:
    stuck.get_by_text("Note ▾").click()
    stuck.locator("#note-text").fill("asked wms")
    stuck.locator("#note-name").fill("Ann")
    stuck.get_by_role("button", name="Write it down").click()
    row = stuck.locator(".row.noted")
    expect(row).to_contain_text("asked wms")
    expect(row).to_contain_text("✎ Ann")


def test_without_scripts_the_words_are_forms(browser: Browser, served: str) -> None:
    Channel.objects.create(label="ops", address="json://localhost")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(served + ORDER)
    page.get_by_text("Follow ▾").click()
    page.locator("#follow-name").fill("Ann")
    page.get_by_role("button", name="Follow it").click()
    expect(page.get_by_text("Followed · 1 ▾")).to_be_visible()
    context.close()


def test_a_verdict_that_turns_arrives_by_itself(stuck: Page, order: bytes) -> None:
    expect(stuck.locator(".row.aside")).to_have_count(1)
    judged.judge(verdict="ended", source=None, reason=None, step="delivered")
    judged.flip(order, 191 * judged.MINUTE, "stuck", "ended", "Ended: delivered")
    expect(stuck.get_by_role("heading", level=1)).to_contain_text("✓ ended")
    expect(stuck.locator(".row.aside")).to_have_count(2)
    expect(stuck.locator(".row.ghost")).to_have_count(0)
    assert stuck.said == []  # type: ignore[attr-defined]


def test_what_is_being_written_is_not_taken_away(stuck: Page, order: bytes) -> None:
    stuck.get_by_text("Note ▾").click()
    stuck.locator("#note-text").fill("half a sent")
    Note.objects.create(flow_id=order, at_ns=judged.NOW, text="another's", name="Ben")
    stuck.wait_for_timeout(2_500)
    expect(stuck.locator("#note-text")).to_have_value("half a sent")


@pytest.mark.parametrize("said", ["", "Close ▾", "Note ▾"])
def test_axe_finds_nothing(stuck: Page, said: str) -> None:
    if said:
        stuck.get_by_text(said).click()
    assert violations(stuck) == []


def test_axe_finds_nothing_in_the_list(stuck: Page, served: str) -> None:
    stuck.goto(served + "/flows")
    expect(stuck.locator("td.stands")).to_contain_text("■ stuck")
    assert violations(stuck) == []
