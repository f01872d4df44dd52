"""`/types/<type>/expectations`: a rule is tried before it is armed, and says where it cannot match."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client

from tests.builders import BASE_NS
from tests.test_pages_html import parsed
from tests.typed import MINUTE, ORDERS, fill_types
from tracing.clock import now_ns
from tracing.people import Calendar, ExpectationRule
from tracing.storing import Store

LIST = "/types/order/expectations"
NEW = f"{LIST}/new"
RULE = {
    "subject": "flow",
    "step": "paid",
    "awaited_step": "reserved",
    "awaited_system": "wms",
    "within_s": "1h",
    "grace_s": "5m",
    "from_start": "",
    "environment": "",
    "calendar": "",
    "name": "Ada Löve",
}


@pytest.fixture
def orders(store: Store) -> Store:
    """The latest began half an hour ago."""
    begun_ns = now_ns() - (ORDERS * 10 + 30) * MINUTE
    fill_types(store, begun_ms=(begun_ns - BASE_NS) // 1_000_000)
    return store


def words(answer: Any) -> str:
    return " ".join("".join(parsed(answer.content.decode()).itertext()).split())


def tried(client: Client, form: dict[str, str], path: str = NEW) -> str:
    """The mark of what was tried."""
    root = parsed(client.post(path, form | {"do": "try"}).content.decode())
    (mark,) = [str(one.get("value")) for one in root.iter("input") if one.get("name") == "tried"]
    return mark


def test_a_rule_is_tried_and_armed(client: Client, orders: Store) -> None:
    answer = client.post(NEW, RULE | {"do": "try"})
    page = words(answer)
    assert answer.status_code == 200 and ExpectationRule.objects.count() == 0
    assert "would have raised 32 alarms in 1 day, 20 never recovered" in page
    assert "order 4814: late at" in page and "never went on" in page
    assert "Arm it anyway" not in page
    armed = client.post(NEW, RULE | {"do": "arm", "tried": tried(client, RULE)})
    assert armed.status_code == 302 and armed["Location"] == f"{LIST}?armed=1"
    rule = ExpectationRule.objects.get()
    assert (rule.within_s, rule.grace_s, rule.enabled, rule.name) == (3600.0, 300.0, True, "Ada Löve")
    assert (rule.backtest or {}).get("alarms") == 32
    shown = words(client.get(LIST))
    assert "reserved from wms within 1 h + 5 m grace" in shown and "Ada Löve, just now" in shown
    assert "would have raised 32 alarms in 1 day" in shown
    assert 'value="Ada Löve"' in client.get(NEW).content.decode()


def test_what_is_armed_is_what_was_tried(client: Client, orders: Store) -> None:
    mark = tried(client, RULE)
    answer = client.post(NEW, RULE | {"within_s": "2m", "do": "arm", "tried": mark})
    assert answer.status_code == 200 and ExpectationRule.objects.count() == 0
    assert client.post(NEW, RULE | {"do": "arm"}).status_code == 200
    assert ExpectationRule.objects.count() == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"step": "pade"}, "No flow was ever at pade; did you mean paid?"),
        ({"awaited_step": "shipped"}, "shipped never came right after paid"),
        ({"awaited_system": "wmss"}, "did you mean wms?"),
    ],
)
def test_a_rule_that_cannot_match_says_so_and_may_be_armed(
    client: Client, orders: Store, change: dict[str, str], sentence: str
) -> None:
    form = RULE | change
    page = words(client.post(NEW, form | {"do": "try"}))
    assert sentence in page and "Arm it anyway" in page
    assert client.post(NEW, form | {"do": "arm", "tried": tried(client, form)}).status_code == 302
    assert ExpectationRule.objects.count() == 1


def test_a_type_never_seen_may_be_expected(client: Client, clean_store: None) -> None:
    form = RULE | {
        "subject": "series",
        "step": "",
        "awaited_step": "",
        "awaited_system": "",
        "within_s": "1d 2h",
    }
    page = words(client.post("/types/nightly-sync/expectations/new", form))
    assert "No flow of type nightly-sync was seen yet" in page


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"within_s": ""}, "within_s", "This field is required."),
        ({"within_s": "soon"}, "within_s", "“soon” is no length of time; write 15m, 2h, 1d 4h or seconds."),
        ({"within_s": "0"}, "within_s", "is no length of time"),
        ({"grace_s": "-1h"}, "grace_s", "is no length of time"),
        ({"from_start": "1"}, "step", "Counted from their beginning it does not matter where flows stand"),
        ({"subject": "series"}, "awaited_step", "A beginning has no step before it"),
        ({"subject": "other"}, "subject", "Select a valid choice"),
        ({"environment": "mars"}, "environment", "Select a valid choice"),
        ({"calendar": "999"}, "calendar", "Select a valid choice"),
    ],
)
def test_what_cannot_be_meant_is_told_at_its_field(
    client: Client, orders: Store, change: dict[str, str], field: str, sentence: str
) -> None:
    answer = client.post(NEW, RULE | change | {"do": "arm"})
    assert answer.status_code == 400 and sentence in words(answer)
    (shown,) = [one for one in parsed(answer.content.decode()).iter() if one.get("name") == field]
    assert shown.get("aria-invalid") == "true"


def test_a_calendar_that_never_opens_is_refused(client: Client, orders: Store) -> None:
    never = Calendar.objects.create(label="never", hours={})
    office = Calendar.objects.create(label="office", hours={"mon": [["09:00", "17:00"]]})
    answer = client.post(NEW, RULE | {"calendar": str(never.pk)})
    assert answer.status_code == 400 and "The calendar never opens" in words(answer)
    answer = client.post(NEW, RULE | {"calendar": str(office.pk)})
    assert answer.status_code == 200
    form = RULE | {"calendar": str(office.pk)}
    assert client.post(NEW, form | {"do": "arm", "tried": tried(client, form)}).status_code == 302
    assert "grace, office" in words(client.get(LIST))


def test_a_rule_is_changed_switched_off_and_deleted(client: Client, orders: Store) -> None:
    rule = ExpectationRule.objects.create(
        type="order", step="paid", within_s=5400, backtest={"alarms": 2, "days": 14}
    )
    page = client.get(f"{LIST}/{rule.pk}")
    assert 'value="1h 30m"' in page.content.decode() and "would have raised 2 alarms in 14 days" in words(
        page
    )
    form = RULE | {"step": "created", "awaited_step": "paid", "awaited_system": "billing"}
    mark = tried(client, form, f"{LIST}/{rule.pk}")
    assert client.post(f"{LIST}/{rule.pk}", form | {"do": "arm", "tried": mark}).status_code == 302
    rule.refresh_from_db()
    assert (rule.step, rule.awaited_step) == ("created", "paid") and ExpectationRule.objects.count() == 1
    assert client.post(f"{LIST}/{rule.pk}/switch")["Location"] == LIST
    rule.refresh_from_db()
    assert not rule.enabled and "○ off" in words(client.get(LIST))
    assert client.post(f"{LIST}/{rule.pk}/delete").status_code == 302
    assert "Nobody has said what to expect" in words(client.get(LIST))


def test_who_a_rule_holds_for_is_looked_at_in_time(client: Client, orders: Store) -> None:
    later = now_ns() + 10**15
    since = now_ns() - 90 * MINUTE

    def looked_at() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM expectation WHERE looks_ns < %s", [later])
            (count,) = cursor.fetchone()
            cursor.execute(
                "UPDATE expectation SET step = 'paid', verdict = 'moving', since_ns = %s, looks_ns = %s",
                [since, later],
            )
        return int(count)

    looked_at()
    client.post(NEW, RULE | {"do": "arm", "tried": tried(client, RULE)})
    assert looked_at() == ORDERS
    rule = ExpectationRule.objects.get()
    for action in ("switch", "delete"):
        client.post(f"{LIST}/{rule.pk}/{action}")
        assert looked_at() == ORDERS


@pytest.mark.parametrize("action", ["switch", "delete"])
def test_only_a_form_of_ours_changes_a_rule(clean_store: None, action: str) -> None:
    rule = ExpectationRule.objects.create(type="order", within_s=60)
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(f"{LIST}/{rule.pk}/{action}").status_code == 403
    assert strict.get(f"{LIST}/{rule.pk}/{action}").status_code == 405
    assert ExpectationRule.objects.filter(enabled=True).count() == 1


@pytest.mark.parametrize("number", [0, 2**31, 2**63, 10**30])
def test_what_does_not_exist(client: Client, clean_store: None, number: int) -> None:
    assert client.get(f"{LIST}/{number}").status_code == 404
    assert client.post(f"{LIST}/{number}/delete").status_code == 404


def test_a_rule_of_another_type_is_not_found(client: Client, clean_store: None) -> None:
    rule = ExpectationRule.objects.create(type="parcel", within_s=60)
    assert client.get(f"{LIST}/{rule.pk}").status_code == 404


def test_a_type_with_a_slash_has_all_of_its_pages(client: Client, clean_store: None) -> None:
    form = RULE | {"do": "arm"}
    address = "/types/-/expectations/new?type=a%2Fb"
    mark = tried(client, form, address)
    answer = client.post(address, form | {"tried": mark})
    assert answer["Location"] == "/types/-/expectations?type=a%2Fb&armed=1"
    rule = ExpectationRule.objects.get(type="a/b")
    page = client.get("/types/-/expectations?type=a%2Fb").content.decode()
    assert f"/types/-/expectations/{rule.pk}/switch?type=a%2Fb" in page
    assert client.post(f"/types/-/expectations/{rule.pk}/switch?type=a%2Fb").status_code == 302


@pytest.mark.parametrize(("path", "queries"), [(LIST, 7), (NEW, 9), (f"{NEW}?step=paid", 10)])
def test_a_page_takes_the_same_queries_however_much_there_is(
    client: Client, orders: Store, django_assert_num_queries: Any, path: str, queries: int
) -> None:
    office = Calendar.objects.create(label="office", hours={"mon": [["09:00", "17:00"]]})
    for number in range(20):
        ExpectationRule.objects.create(type="order", step=f"step {number}", within_s=60, calendar=office)
    with django_assert_num_queries(queries):
        client.get(path)


def filled(answer: Any) -> dict[str, str]:
    root = parsed(answer.content.decode())
    return {str(one.get("name")): str(one.get("value") or "") for one in root.iter("input")}


def test_what_was_learned_is_proposed(client: Client, orders: Store) -> None:
    """Learned of paid: 14 minutes or less in 99 of 100, late after 26; `reserved` and `ready` are still being learned."""
    answer = client.get(LIST)
    assert "Threadline would expect: reserved from wms within 15 m of paid (learned of 390)" in words(answer)
    assert "Threadline would expect: paid from billing within 15 m of created (learned of 412)" in words(
        answer
    )
    assert words(answer).count("would expect") == 2
    assert f'href="{NEW}?step=paid"' in answer.content.decode()
    form = filled(client.get(f"{NEW}?step=paid"))
    told = {
        "step": "paid",
        "awaited_step": "reserved",
        "awaited_system": "wms",
        "within_s": "15m",
        "grace_s": "15m",
    }
    assert {name: form[name] for name in told} == told
    ExpectationRule.objects.create(type="order", step="paid", within_s=60)
    assert words(client.get(LIST)).count("would expect") == 1


def test_of_what_nothing_is_learned_the_form_begins_empty(client: Client, orders: Store) -> None:
    for step in ("ready", "shipped", "nowhere"):
        form = filled(client.get(f"{NEW}?step={step}"))
        assert (form["step"], form["within_s"], form["awaited_step"]) == (step, "", "")
