"""Rules as people change them: what is refused, what a preview says, what the page shows of each."""

from collections.abc import Callable

import pytest

from tests.builders import batch
from tests.oddities import SHOP, pool
from tests.ruling import parcels
from tracing import rules
from tracing.models import Rule
from tracing.records import DAY_NS
from tracing.storing import Store
from tracing.unfit import Unfit


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("type", {"type": ""}),
        ("keys", {"keys": []}),
        ("keys", {"keys": [[]]}),
        ("keys", {"keys": [["parcel.no"], []]}),
        ("keys", {"keys": [["host.name"]]}),
        ("keys", {"keys": [["parcel.no", "k8s.pod.uid"]]}),
        ("keys", {"keys": [["service.instance.id"]]}),
        ("keys", {"keys": [[" "]]}),
        ("keys", {"keys": [["x" * 201]]}),
    ],
)
def test_a_rule_that_cannot_work_is_refused(clean_store: None, field: str, change: dict[str, object]) -> None:
    rule = parcels()
    for name, value in change.items():
        setattr(rule, name, value)
    act: Callable[[Rule], object]
    for act in (rules.publish, rules.preview):
        with pytest.raises(Unfit) as raised:
            act(rule)
        assert raised.value.field == field
        assert raised.value.sentence.endswith(".")
    assert not Rule.objects.filter(name="parcel").exists()


def test_publishing_makes_a_version_of_each_change(clean_store: None) -> None:
    rule = rules.publish(parcels())
    assert rule.since_version == 2
    rule.keys = [["parcel.number"]]
    assert rules.publish(rule).since_version == 3
    assert rules.switch(rule, False).since_version == 4
    assert not Rule.objects.get(pk=900).enabled


def test_a_preview_counts_what_applying_would_group(store: Store) -> None:
    store.put(batch(*pool()))
    preview = rules.preview(parcels())
    assert (preview.records, preview.flows) == (26, 3)
    assert (preview.looked_at, preview.complete) == (len(pool()), True)
    assert preview.examples == ["parcel P1", "parcel P1", "parcel P9"]
    assert not Rule.objects.filter(name="parcel").exists()


def test_a_preview_ends_with_the_newest_records_it_has_time_for(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    day_ms = DAY_NS / 1_000_000
    store.put(batch(*(SHOP.span(f"s{n}", -n * day_ms, 1, attributes={"parcel.no": n + 1}) for n in range(4))))
    monkeypatch.setattr(rules, "PREVIEW_RECORDS", 2)
    preview = rules.preview(parcels())
    assert (preview.records, preview.looked_at, preview.complete) == (2, 2, False)
    assert preview.examples == ["parcel 1", "parcel 2"]


def test_a_preview_of_nothing(clean_store: None) -> None:
    preview = rules.preview(parcels())
    assert (preview.records, preview.flows, preview.complete, preview.examples) == (0, 0, True, [])


def test_rules_that_share_a_type_are_counted_each(store: Store) -> None:
    """The flow's row names the first of them only."""
    number = rules.publish(
        Rule(name="order number", kind="entity", type="order", keys=[["order_number"]], any_prefix=False)
    )
    order = Rule.objects.get(name="order").pk
    store.put(
        batch(
            SHOP.span("both", 0, 1, attributes={"order.id": "1", "order_number": "1"}),
            SHOP.span("id", 1, 1, attributes={"order.id": "2"}),
            SHOP.log("number", 2, attributes={"order_number": "3"}),
        )
    )
    found = rules.statistics()
    assert (found[order].flows, found[order].records) == (2, 2)
    assert (found[number.pk].flows, found[number.pk].records) == (2, 2)


def test_statistics_say_which_rule_names_no_matter(store: Store) -> None:
    order, customer, ticket = (Rule.objects.get(name=name).pk for name in ("order", "customer", "ticket"))
    store.put(
        batch(
            *(SHOP.span(f"s{n}", n, 1, attributes={"order.id": n % 20 + 1, "customer.id": "one"}) for n in range(1_000)),
            *(SHOP.log(f"l{n}", n, attributes={"ticket.id": n + 1}) for n in range(50)),
        )
    )  # fmt: skip
    found = rules.statistics()
    assert found.keys() == {order, customer, ticket}
    assert (found[order].flows, found[order].records, found[order].largest) == (20, 1_000, 50)
    assert found[order].warning == ""
    assert "one flow" in found[customer].warning
    assert "one record each" in found[ticket].warning
