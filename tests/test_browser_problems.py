"""A problem's life in a real browser: it shows on Now, is acknowledged, muted, noted, and resolves; by hand and alone."""

from collections.abc import Iterator

import pytest
from django.db import connection
from playwright.sync_api import Browser, Page, expect

from tests import wrongs
from tests.builders import batch
from tests.test_browser_access import violations
from tests.wrongs import HOUR_NS, order
from tracing.clock import now_ns
from tracing.storing import Store

pytestmark = pytest.mark.browser
TITLE = "3 orders wait for shipment.created from wms"
# A page asks again every ten seconds; a test has its clock, and lets them pass.
EVERY_MS = 11_000


@pytest.fixture
def wrong(store: Store) -> bytes:
    made = wrongs.waiting_orders(store, 3)
    wrongs.flip("open", now_ns() - 3 * HOUR_NS, f"{TITLE}. Learned.", problem_id=made)
    wrongs.problem("silent", title="mailer went quiet", kind="silent_service", type="", step="", system="mailer",
                   flows=0)  # fmt: skip
    wrongs.problem(
        "behind", title="9 invoices wait for sent from mailer", flows=9, cause="silent", kind="late"
    )
    wrongs.counted("paid", 3, stuck=3, oldest_id=wrongs.flow_of("o2"), oldest_ns=now_ns() - 3 * HOUR_NS)
    wrongs.learned("paid")
    wrongs.history("paid", list(range(96)))
    wrongs.judged(0)
    return made


@pytest.fixture
def now(page: Page, wrong: bytes, served: str) -> Iterator[Page]:
    """Now is open; whatever the browser complained about fails the test."""
    complaints: list[str] = []
    page.on(
        "console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.clock.install()
    page.goto(served)
    yield page
    assert complaints == []


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_problem_is_acknowledged_where_it_is_read(now: Page) -> None:
    expect(now).to_have_title("(2) Now · Threadline")
    line = now.locator("li", has_text=TITLE)
    line.get_by_text("Acknowledge", exact=True).first.click()
    line.get_by_label("Why").fill("asking the carrier")
    line.get_by_label("Your name").fill("Ada Ünal")
    line.get_by_role("button", name="Acknowledge", exact=True).click()
    expect(now.locator("h1")).to_have_text("1 problem needs a person")
    expect(now).to_have_title("(1) Now · Threadline")
    now.get_by_role("link", name="1 acknowledged problem").click()
    now.get_by_role("link", name=TITLE).click()
    expect(now.locator(".note", has_text="Acknowledged")).to_contain_text("by Ada Ünal")
    now.get_by_role("button", name="Open again").click()
    expect(now.locator("h1")).to_contain_text(TITLE)
    expect(now.locator(".story li").first).to_contain_text("Open again by Ada Ünal")


def test_a_problem_is_muted_until_more_and_noted(now: Page) -> None:
    now.get_by_role("link", name=f"Mute until…: {TITLE}").click()
    now.get_by_label("this many flows more").check()
    now.get_by_label("Flows more", exact=True).fill("50")
    now.get_by_label("Why").fill("known until the carrier is back")
    now.get_by_label("Your name").fill("Grace")
    now.get_by_role("button", name="Mute", exact=True).click()
    expect(now.locator("h1")).to_have_text("1 problem needs a person")
    now.goto(now.url.rstrip("/") + "/problems?state=muted")
    now.get_by_role("link", name=TITLE).click()
    expect(now.locator(".note", has_text="Muted")).to_contain_text("until 50 more flows")
    now.get_by_text("Add a note").click()
    now.get_by_label("Note", exact=True).fill("carrier says 15:30")
    expect(now.locator("#add-note").get_by_label("Your name")).to_have_value("Grace")
    now.get_by_role("button", name="Add").click()
    expect(now.locator(".story li").first).to_contain_text("Grace carrier says 15:30")
    now.get_by_role("button", name="Unmute").click()
    expect(now.locator(".facts")).to_contain_text("open")


def test_what_resolves_leaves_the_page_by_itself(now: Page) -> None:
    expect(now.locator("#needing")).to_contain_text("2")
    sql(
        "UPDATE problem SET state = 'resolved', flows = 0, resolved_ns = opened_ns + 1 WHERE type = 'order' AND cause_id IS NULL"
    )
    sql("DELETE FROM backlog")
    now.evaluate("window.sameDocument = true")
    now.clock.fast_forward(EVERY_MS)
    expect(now.locator("h1")).to_have_text("1 problem needs a person")
    expect(now.locator(".motion")).to_have_count(0)
    expect(now).to_have_title("(1) Now · Threadline")
    expect(now.locator("#icon")).to_have_attribute("href", "/mark.svg?n=1")
    expect(now.locator("#needing")).to_contain_text("1")
    assert now.evaluate("window.sameDocument")


def test_what_is_read_or_written_is_not_taken_away(now: Page) -> None:
    line = now.locator("li", has_text="mailer went quiet")
    line.locator("summary", has_text="follow").click()
    now.get_by_role("link", name=TITLE, exact=True).focus()
    wrongs.problem("new", title="a third")
    now.clock.fast_forward(EVERY_MS)
    expect(now.locator("h1")).to_have_text("3 problems need a person")
    # Unfolded stays unfolded, and the focus where it was.
    expect(now.get_by_role("link", name="9 invoices wait")).to_be_visible()
    expect(now.get_by_role("link", name=TITLE, exact=True)).to_be_focused()
    form = now.locator("li", has_text=TITLE)
    form.get_by_text("Acknowledge", exact=True).first.click()
    form.get_by_label("Why").fill("half a sen")
    wrongs.problem("newer", title="a fourth")
    for _ in range(3):
        now.clock.fast_forward(EVERY_MS)
    expect(form.get_by_label("Why")).to_have_value("half a sen")
    expect(now.locator("h1")).to_have_text("3 problems need a person")
    form.get_by_text("Acknowledge", exact=True).first.click()
    now.clock.fast_forward(EVERY_MS)
    expect(now.locator("h1")).to_have_text("4 problems need a person")


def test_a_page_that_hears_nothing_says_so(page: Page, wrong: bytes, served: str) -> None:
    page.clock.install()
    page.goto(served)
    page.route("**/*", lambda route: route.abort())
    for _ in range(3):
        page.clock.fast_forward(EVERY_MS)
    expect(page.locator("#stale")).to_contain_text("Threadline does not answer")
    page.unroute("**/*")
    page.clock.fast_forward(EVERY_MS)
    expect(page.locator("#stale")).to_be_hidden()


def test_the_first_span_turns_the_first_page(page: Page, store: Store, served: str) -> None:
    page.clock.install()
    page.goto(served)
    expect(page.locator("h1")).to_have_text("Nothing was received yet")
    store.put(batch(order("o1", "paid")))
    page.clock.fast_forward(EVERY_MS)
    expect(page.locator("h1")).to_have_text("Nobody judges")


def test_filters_of_the_list_change_the_address(now: Page, served: str) -> None:
    now.goto(f"{served}/problems")
    now.evaluate("window.sameDocument = true")
    now.select_option("#kind", "stuck")
    now.get_by_role("button", name="Show").click()
    expect(now.locator("#problems .need > li")).to_have_count(1)
    now.wait_for_url("**/problems?kind=stuck")
    now.get_by_role("link", name="resolved").click()
    expect(now.locator(".empty")).to_contain_text("No problem matches")
    assert now.evaluate("window.sameDocument")
    now.go_back()
    expect(now.locator("#problems .need > li")).to_have_count(1)


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_without_javascript(page: Page, wrong: bytes, served: str) -> None:
    page.goto(served)
    line = page.locator("li", has_text=TITLE)
    line.get_by_text("Acknowledge", exact=True).first.click()
    line.get_by_label("Why").fill("at it")
    line.get_by_label("Your name").fill("Ada")
    line.get_by_role("button", name="Acknowledge", exact=True).click()
    expect(page.locator("h1")).to_have_text("1 problem needs a person")


PAGES = ("/", "/problems?state=all", "/problems/{id}", "/problems/{id}/mute", "/problems/{id}/acknowledge")


@pytest.mark.parametrize("width", [390, 1024])
def test_nothing_sticks_out(page: Page, wrong: bytes, served: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    for path in PAGES:
        page.goto(served + path.format(id=wrong.hex()))
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_what_is_in_motion_is_read_whole_on_a_phone(page: Page, wrong: bytes, served: str) -> None:
    """Also a step with a long name, none of whose numbers may hide beyond the edge."""
    wrongs.counted("mailer.tasks.send_receipt waits for its next try of many", 1_853, late=12, stuck=345)
    wrongs.counted("shipped", 557)
    wrongs.learned(
        "shipped", passed=1_853, waiting=1_800, threshold_ns=None, level="", facts={"needed": 10**6}
    )
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(served)
    cells = page.locator(".motion td:visible")
    assert cells.count() > 9
    beyond = "all => all.filter(one => one.getBoundingClientRect().right > 390 || one.scrollWidth > one.clientWidth + 1)"
    assert cells.evaluate_all(f"all => ({beyond})(all).map(one => one.textContent)") == []


def test_the_acknowledging_card_lies_within_a_phone(page: Page, wrong: bytes, served: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(served)
    page.locator("summary.btn").first.click()
    box = page.locator(".card").first.bounding_box()
    assert box and box["x"] >= 0 and box["x"] + box["width"] <= 390


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing(browser: Browser, wrong: bytes, served: str, path: str) -> None:
    wrongs.note(wrong, "carrier says 15:30", now_ns())
    wrongs.message(wrong, "failed", now_ns(), error="It answered 404.")
    wrongs.problem("muted", state="muted")
    wrongs.problem("over", state="resolved", resolved_ns=now_ns())
    context = browser.new_context(color_scheme="light", reduced_motion="reduce")
    page = context.new_page()
    page.goto(served + path.format(id=wrong.hex()))
    page.locator("details.act").evaluate_all("all => all.slice(0, 2).forEach(one => one.open = true)")
    found = violations(page)
    context.close()
    assert found == []
