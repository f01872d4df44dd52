"""Every fold and unfold link of a flow's page does what it says, in each fold state the address can ask for."""

import html
import re

import pytest
from django.test import Client

from tests.builders import T1, T2, Service, batch, event
from tracing.storing import Store

PATH = "/flow/entity/order/1"
ORDER = {"order.id": "1"}
THROWN = {"exception.type": "Declined", "exception.message": "no"}
shop = Service("shop")


@pytest.fixture
def order(store: Store) -> None:
    """Two chapters; in the first a span with a child, another version of it, and an exception told twice."""
    pay = shop.span(
        "pay", 0, 50, id="pay", attributes=ORDER,
        events=[event("exception", 5, exception__type="Declined", exception__message="no")],
    )  # fmt: skip
    again = shop.span("pay", 0, 20, id="pay", attributes=ORDER)
    child = shop.span("charge", 1, 2, parent=pay, attributes=ORDER)
    log = shop.log("declined", 6, span=pay, severity=17, attributes=THROWN)
    store.put(batch(pay, again, child, log, shop.span("ship", 100, 5, trace=T2, attributes=ORDER)))


def page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def rows(text: str) -> list[str]:
    return re.findall(r'role="row" id="([^"]+)"', text)


def links(text: str) -> list[str]:
    """What folds and unfolds rows, and what their marks show and hide."""
    return [html.unescape(href) for href in re.findall(r'<a class="(?:twist|tag warn)" href="([^"]+)"', text)]


@pytest.mark.usefixtures("order")
@pytest.mark.parametrize(
    "query", ["", "?expand=all", f"?expand=all&fold=c-{T2.hex()}", f"?fold=c-{T1.hex()}"]
)
def test_each_link_changes_what_is_shown_and_the_next_one_changes_it_back(client: Client, query: str) -> None:
    text = page(client, PATH + query)
    found = links(text)
    assert len(found) >= 2
    for place, href in enumerate(found):
        changed = page(client, href)
        assert rows(changed) != rows(text), href
        assert ("expand=all" in href) == ("expand=all" in query)
        back = next(one for one in links(changed) if rows(page(client, one)) == rows(text))
        assert back, place


@pytest.mark.usefixtures("order")
def test_a_fold_beside_expand_all_folds_that_row_alone(client: Client) -> None:
    whole = rows(page(client, PATH + "?expand=all"))
    folded = rows(page(client, f"{PATH}?expand=all&fold=c-{T2.hex()}"))
    assert len(whole) == len(folded) + 1
    assert folded == [row for row in whole if T2.hex() not in row or row.startswith("c-")]
