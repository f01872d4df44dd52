"""`/settings/rules`: list, candidates, preview, publish, apply with progress, undo; by forms, as a person does it."""

import psycopg
import pytest
from django.test import Client

from tests.builders import Service, batch, trace_id
from tracing import reapply
from tracing.models import Rule, RuleJob
from tracing.storing import Store

SHOP = Service("shop")
PARCEL = {"name": "parcel", "kind": "entity", "type": "parcel", "keys": "parcel.no", "any_prefix": "on"}


@pytest.fixture
def parcels(store: Store) -> Store:
    """Twelve records of three parcels, which no rule knows."""
    store.put(
        batch(
            *(
                SHOP.span(
                    "scan",
                    number,
                    1,
                    trace=trace_id(f"s{number}"),
                    attributes={"parcel.no": f"P{number % 3}", "parcel.phase": "packed"},
                )
                for number in range(12)
            )
        )
    )
    return store


def text(client: Client, path: str = "/settings/rules") -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def publish(client: Client, **more: str) -> Rule:
    answer = client.post("/settings/rules/new", PARCEL | more)
    assert answer.status_code == 302, answer.content.decode()
    return Rule.objects.get(name=more.get("name", "parcel"))


def work_off(conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        while reapply.work(connection, "production"):
            pass


def flows(client: Client) -> list[str]:
    answer = client.get("/flows", {"format": "json", "type": "parcel"}).json()
    return sorted(f"{flow['key']}: {flow['spans']}" for flow in answer["flows"])


def test_the_list_shows_seeded_rules_and_what_they_made(client: Client, store: Store) -> None:
    store.put(batch(SHOP.span("x", 0, 1, attributes={"order.id": "1"})))
    page = text(client)
    assert '<a href="/flows?type=order">1</a>' in page and "order.id" in page


def test_candidates_are_offered_as_rules(client: Client, parcels: Store) -> None:
    page = text(client)
    assert "parcel.no" in page and "12 records, 3 different values" in page
    form = text(client, "/settings/rules/new?key=parcel.no")
    assert 'value="parcel"' in form and "parcel.no</textarea>" in form


def test_a_preview_changes_nothing(client: Client, parcels: Store) -> None:
    answer = client.post("/settings/rules/new", PARCEL | {"do": "preview"})
    page = " ".join(answer.content.decode().split())
    assert "12 stored records into 3 flows" in page and "of 12 stored" in page and "parcel P0" in page
    assert not Rule.objects.filter(name="parcel").exists() and flows(client) == []


def test_a_preview_that_finds_nothing_says_what_to_check(client: Client, parcels: Store) -> None:
    answer = client.post("/settings/rules/new", PARCEL | {"do": "preview", "keys": "parcel.number"})
    assert "No stored record carries such a key" in answer.content.decode()


def test_a_rule_from_publishing_to_undoing(client: Client, parcels: Store, conninfo: str) -> None:
    rule = publish(client, state_attributes="parcel.phase")
    parcels.put(batch(SHOP.span("scan", 99, 1, trace=trace_id("later"), attributes={"parcel.no": "P0"})))
    assert flows(client) == ["P0: 1"]
    address = f"/settings/rules/{rule.pk}"
    assert client.post(f"{address}/apply").headers["Location"] == address
    page = text(client, address)
    job = RuleJob.objects.get()
    assert "waiting for the watcher" in page and f'hx-get="/settings/rules/jobs/{job.pk}"' in page
    work_off(conninfo)
    assert flows(client) == ["P0: 5", "P1: 4", "P2: 4"]
    part = client.get(f"/settings/rules/jobs/{job.pk}", headers={"HX-Request": "true"}).content.decode()
    assert "● done" in part and "hx-get" not in part
    assert client.get(f"/settings/rules/jobs/{job.pk}").headers["Location"] == address
    assert client.post(f"{address}/undo").status_code == 302
    work_off(conninfo)
    assert flows(client) == []
    assert "○ off" in text(client, address)


def test_switching_off_and_on(client: Client, parcels: Store) -> None:
    rule = publish(client)
    address = f"/settings/rules/{rule.pk}"
    assert client.post(f"{address}/switch").headers["Location"] == "/settings/rules"
    parcels.put(batch(SHOP.span("scan", 50, 1, trace=trace_id("off"), attributes={"parcel.no": "off"})))
    assert client.post(f"{address}/switch", {"from": "rule"}).headers["Location"] == address
    parcels.put(batch(SHOP.span("scan", 60, 1, trace=trace_id("on"), attributes={"parcel.no": "on"})))
    assert flows(client) == ["on: 1"]


def test_a_change_keeps_what_was_not_changed(client: Client, clean_store: None) -> None:
    rule = publish(client, keys="parcel.no\ntenant.id + parcel.id", state_attributes="a.b, c.d", note="why")
    page = text(client, f"/settings/rules/{rule.pk}")
    assert "tenant.id + parcel.id</textarea>" in page and 'value="a.b, c.d"' in page
    form = PARCEL | {"keys": "parcel.no\r\ntenant.id+parcel.id", "state_attributes": "a.b", "note": "better"}
    answer = client.post(f"/settings/rules/{rule.pk}", form)
    assert answer.status_code == 302
    rule.refresh_from_db()
    assert rule.keys == [["parcel.no"], ["tenant.id", "parcel.id"]]
    assert (rule.state_attributes, rule.note, rule.any_prefix) == (["a.b"], "better", True)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "order"}, "Another rule has this name."),
        ({"keys": ""}, "This field is required."),
        ({"keys": "host.name"}, "never makes a flow"),
        ({"keys": "a + "}, "between 1 and 200 characters"),
        ({"type": ""}, "Say what the flows are called"),
        ({"kind": "request"}, "Select a valid choice"),
        ({"do": "preview", "type": ""}, "Say what the flows are called"),
    ],
)
def test_an_unfit_rule_is_shown_again_with_the_reason(
    client: Client, clean_store: None, change: dict[str, str], sentence: str
) -> None:
    answer = client.post("/settings/rules/new", PARCEL | change)
    assert answer.status_code == 400 and sentence in answer.content.decode()
    assert not Rule.objects.filter(name="parcel").exists()


def test_a_rule_of_single_records_is_warned_about(client: Client, parcels: Store) -> None:
    rule = publish(client, name="scan", keys="scan.no")
    parcels.put(
        batch(
            *(
                SHOP.span("s", n, 1, trace=trace_id(f"w{n}"), attributes={"scan.no": f"S{n}"})
                for n in range(60)
            )
        )
    )
    warning = "Makes flows of one record each"
    assert warning in text(client) and warning in text(client, f"/settings/rules/{rule.pk}")


@pytest.mark.parametrize("action", ["switch", "apply", "undo"])
def test_only_a_form_of_ours_changes_a_rule(clean_store: None, action: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    rule = Rule.objects.first()
    assert rule is not None
    assert strict.post(f"/settings/rules/{rule.pk}/{action}").status_code == 403
    assert strict.get(f"/settings/rules/{rule.pk}/{action}").status_code == 405
    assert not RuleJob.objects.exists()


@pytest.mark.parametrize("path", ["99999", "99999/apply", "jobs/99999"])
def test_what_does_not_exist(client: Client, clean_store: None, path: str) -> None:
    ask = client.post if path.endswith("apply") else client.get
    assert ask(f"/settings/rules/{path}").status_code == 404
