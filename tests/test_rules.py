"""Rules as people change them: what is refused, what a preview says, what the page shows of each."""

from collections.abc import Callable

import pytest

from tests.builders import Service, batch
from tests.oddities import SHOP, pool
from tests.ruling import parcels
from tracing import rules
from tracing.models import Rule
from tracing.records import DAY_NS
from tracing.rules import Unfit
from tracing.storing import Store


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


def test_candidates_look_like_keys_and_have_no_rule(store: Store) -> None:
    plain = {"order.id": "1", "http.request.id": "r", "k8s.pod.id": "p", "color": "red", "same.id": "always"}
    for n in range(3):
        attributes = plain | {"parcel.no": f"P{n}", "loadId": n + 1, "batch_uuid": f"u{n}", "empty.id": ""}
        store.put(batch(Service(f"s{n}").span("s", n, 1, attributes=attributes)))
    store.put(batch(SHOP.log("once", 0, attributes={"rare.ref": "x"})))
    found = rules.candidates()
    assert [(one.name, one.records, len(one.values)) for one in found] == [
        ("batch_uuid", 3, 3),
        ("loadId", 3, 3),
        ("parcel.no", 3, 3),
        ("rare.ref", 1, 1),
    ]
    assert found[2].example == "P0"
    assert found[2].services == {"s0", "s1", "s2"}
    rules.publish(parcels())
    assert "parcel.no" not in {one.name for one in rules.candidates()}


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
