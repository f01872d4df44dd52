"""Attributes that look like keys and have no rule: found wherever a key would be, and from quiet senders too."""

from tests.builders import Service, batch, event
from tests.oddities import SHOP
from tests.ruling import parcels
from tracing import rules
from tracing.candidates import candidates
from tracing.storing import Store


def test_candidates_look_like_keys_and_have_no_rule(store: Store) -> None:
    plain = {"order.id": "1", "http.request.id": "r", "k8s.pod.id": "p", "color": "red", "same.id": "always"}
    for n in range(3):
        attributes = plain | {"parcel.no": f"P{n}", "loadId": n + 1, "batch_uuid": f"u{n}", "empty.id": ""}
        store.put(batch(Service(f"s{n}").span("s", n, 1, attributes=attributes)))
    store.put(batch(SHOP.log("once", 0, attributes={"rare.ref": "x"})))
    found = candidates()
    assert [(one.name, one.records, len(one.values)) for one in found] == [
        ("batch_uuid", 3, 3),
        ("loadId", 3, 3),
        ("parcel.no", 3, 3),
        ("rare.ref", 1, 1),
    ]
    assert found[2].example == "P0"
    assert found[2].services == {"s0", "s1", "s2"}
    rules.publish(parcels())
    assert "parcel.no" not in {one.name for one in candidates()}


def test_wherever_a_key_may_stand(store: Store) -> None:
    for n in (1, 2):
        carrying = Service("mill", **{"lot.no": f"L{n}", "service.instance.id": f"i{n}"})
        told = [event("e", 0, basket__ref=f"B{n}")]
        store.put(batch(carrying.span("s", n, 1, events=told), SHOP.log({"quoteNumber": n}, n)))
    assert {one.name for one in candidates()} == {"lot.no", "basket.ref", "quoteNumber"}


def test_a_quiet_service_is_seen_beside_a_busy_one(store: Store) -> None:
    store.put(batch(*(Service("quiet").span("q", n, 1, attributes={"order_id": f"o{n}"}) for n in range(12))))
    busy = Service("busy")
    for start in range(0, 16_000, 4_000):
        spans = (busy.span(f"b{n}", n, 1, attributes={"n": n}) for n in range(start, start + 4_000))
        store.put(batch(*spans))
    (found,) = candidates()
    assert (found.name, found.records, found.services) == ("order_id", 12, {"quiet"})
