"""One shape for one status wherever it is said: the flow's page and text, the lists, the drawer of a record."""

import pytest
from django.test import Client

from tests.builders import Service, batch
from tracing.storing import Store

shop = Service("shop")


@pytest.mark.parametrize("place", ["flow", "flow as text", "list", "list as text", "record", "log"])
def test_a_failure_has_the_same_sign_everywhere(client: Client, store: Store, place: str) -> None:
    pay = shop.span("pay", 0, 5, status=2, attributes={"order.id": "1"})
    said = shop.log("declined", 1, span=pay, severity=17)
    store.put(batch(pay, said))
    address = {
        "flow": "/flow/entity/order/1",
        "flow as text": "/flow/entity/order/1?format=txt",
        "list": "/flows?q=order.id%3D1",
        "list as text": "/flows?format=txt",
        "record": f"/record/{pay.trace_id.hex()}/{pay.span_id.hex()}",
        "log": f"/record/log/{said.log_id.hex()}",
    }[place]
    told = client.get(address).content.decode()
    assert "■" in told
    assert "▲" not in told


def test_a_failure_below_has_the_sign_of_its_colour(client: Client, store: Store) -> None:
    handle = shop.span("handle", 0, 9, attributes={"order.id": "1"})
    store.put(batch(handle, shop.span("charge", 1, 5, parent=handle, status=2)))
    assert "■ ok itself, a failure below it" in client.get("/flow/entity/order/1").content.decode()
