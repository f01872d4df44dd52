"""A type's pages in a real browser: steps, a proposal taken, a rule from its form over the back-test to armed."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.builders import BASE_NS
from tests.test_browser_access import violations
from tests.typed import MINUTE, ORDERS, fill_types
from tracing.clock import now_ns
from tracing.people import Calendar, ExpectationRule, Maintenance, TypeSettings
from tracing.storing import Store

pytestmark = pytest.mark.browser
PATHS = [
    "/types",
    "/types/order",
    "/types/order/settings?take=1",
    "/types/order/expectations",
    "/types/order/expectations/new",
    "/settings/calendars",
    "/settings/calendars/new",
    "/settings/maintenance",
]


@pytest.fixture
def orders(page: Page, store: Store, served: str) -> Iterator[str]:
    """The address of a shop whose orders are learned; whatever the browser complained about fails the test."""
    complaints: list[str] = []
    page.on(
        "console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    begun_ns = now_ns() - (ORDERS * 10 + 30) * MINUTE
    fill_types(store, begun_ms=(begun_ns - BASE_NS) // 1_000_000)
    office = Calendar.objects.create(label="office", hours={"mon": [["09:00", "17:00"]]})
    ExpectationRule.objects.create(
        type="order",
        step="created",
        within_s=600,
        calendar=office,
        backtest={"alarms": 1, "days": 14},
        name="Ada",
    )
    Maintenance.objects.create(
        service="wms", from_ns=now_ns(), until_ns=now_ns() + 60 * MINUTE, reason="moves"
    )
    yield served
    # A form that is refused is a 400, and the browser says so.
    assert [said for said in complaints if "400 (Bad Request)" not in said] == []


def test_from_the_list_to_the_flow_that_waits_longest(page: Page, orders: str) -> None:
    page.goto(orders)
    page.get_by_role("navigation", name="Sections").get_by_role("link", name="Types").click()
    page.get_by_role("link", name="order", exact=True).click()
    expect(page.locator("h1")).to_have_text("order")
    expect(page.locator("ol.strip li")).to_have_count(5)
    row = page.locator("tr", has_text="billing")
    expect(row).to_contain_text("late after 26 m")
    row.get_by_role("link", name="3 h 12 m").click()
    expect(page.locator("h1")).to_contain_text("order 4706")


def test_a_proposal_is_taken_and_confirmed(page: Page, orders: str) -> None:
    page.goto(f"{orders}/types/order")
    page.get_by_role("link", name="Is it an end?").click()
    page.get_by_role("button", name="No, ready is no end").click()
    expect(page.locator("#questions")).to_contain_text("You said: ready is no end.")
    page.get_by_role("link", name="Take the proposal").click()
    expect(page.get_by_label("Phases")).to_have_value("created\npaid\nreserved\nready\nshipped")
    assert TypeSettings.objects.get().phases == []
    page.get_by_label("Ends well at").fill("shiped")
    page.get_by_label("Your name").fill("Ada")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#doubts")).to_contain_text("did you mean shipped?")
    page.get_by_label("Ends well at").fill("shipped")
    page.get_by_role("button", name="Save what I changed").click()
    expect(page.locator(".note.ok")).to_contain_text("Saved")
    said = TypeSettings.objects.get()
    assert (said.good_ends, said.bad_ends, said.answers) == (["shipped"], ["cancelled"], {"ready": False})


def test_a_rule_is_tried_then_armed(page: Page, orders: str) -> None:
    page.goto(f"{orders}/types/order")
    page.get_by_role("link", name="Expect something").click()
    page.get_by_label("Flows that stand at").fill("paid")
    page.get_by_label("Within").fill("soon")
    page.get_by_role("button", name="Try it on the stored past").click()
    expect(page.locator(".errorlist")).to_contain_text("write 15m, 2h, 1d 4h or seconds")
    page.get_by_label("Within").fill("1h")
    page.get_by_label("Grace").fill("5m")
    page.get_by_label("Your name").fill("Ada")
    page.get_by_role("button", name="Try it on the stored past").click()
    trial = page.locator("#trial")
    expect(trial).to_contain_text("would have raised 32 alarms in 1 day, 20 never recovered")
    expect(trial.get_by_role("link")).to_have_count(5)
    assert ExpectationRule.objects.count() == 1
    page.get_by_role("button", name="Arm it").click()
    expect(page.locator(".note.ok")).to_contain_text("Armed")
    expect(page.locator("tr", has_text="paid")).to_contain_text("the next step within 1 h + 5 m grace")
    page.get_by_role("link", name="Steps").click()
    expect(page.locator("tr", has_text="billing")).to_contain_text("rule the next step within 1 h")


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_without_javascript_a_pause_is_declared_and_ended(page: Page, orders: str) -> None:
    page.goto(f"{orders}/settings/maintenance")
    page.get_by_label("Or a type of flows").fill("order")
    page.get_by_label("Reason").fill("the shop moves")
    page.get_by_label("Your name").fill("Ada")
    page.get_by_role("button", name="Declare maintenance").click()
    now = page.get_by_role("region", name="Now")
    expect(now).to_contain_text("the shop moves, Ada")
    page.get_by_role("button", name="End now: order").click()
    expect(page.get_by_role("region", name="Past")).to_contain_text("the shop moves, Ada")


@pytest.mark.browser_context_args(viewport={"width": 390, "height": 844})
@pytest.mark.parametrize("path", PATHS)
def test_nothing_sticks_out_at_390_pixels(page: Page, orders: str, path: str) -> None:
    page.goto(orders + path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    # Nor is it cut off inside its sheet.
    assert page.evaluate(
        "[...document.querySelectorAll('.scroll')].every(one => one.scrollWidth <= one.clientWidth)"
    )


@pytest.mark.parametrize("path", PATHS)
def test_axe_finds_nothing(page: Page, orders: str, path: str) -> None:
    page.goto(orders + path)
    assert violations(page) == []
