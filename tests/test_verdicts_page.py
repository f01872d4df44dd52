"""`/flows` by verdict and by what is awaited: the lists that the numbers of Now lead to."""

import pytest
from django.test import Client

from tests import wrongs
from tests.builders import batch
from tests.wrongs import order
from timeline.queries import verdicts
from tracing.storing import Store


@pytest.fixture
def judged(store: Store) -> None:
    """One order of each verdict, and one that was not judged yet."""
    every = ("moving", "due", "late", "stuck", "unknown", "paused", "ended", "new")
    store.put(
        batch(*(order(f"o-{verdict}", "paid", ago_s=60 * place) for place, verdict in enumerate(every)))
    )
    for verdict in every[:-1]:
        wrongs.expected(
            wrongs.flow_of(f"o-{verdict}"), verdict, step="paid", awaited_step="shipped" if verdict == "late" else "packed",
            quiet=verdict == "stuck",
        )  # fmt: skip


FLOWS: list[tuple[dict[str, str], list[str]]] = [
    *(({"verdict": one}, [one]) for one in ("moving", "due", "late", "stuck", "unknown", "paused", "ended")),
    ({"verdict": "open"}, ["moving", "due", "late", "stuck", "unknown", "paused"]),
    ({"verdict": "open", "waits": "shipped"}, ["late"]),
    ({"waits": "packed", "limit": "2"}, ["moving", "due"]),
    ({"verdict": "stuck", "grey": "no"}, []),
    ({"verdict": "late", "grey": "no"}, ["late"]),
    ({"verdict": "late", "state": "created"}, []),
    ({"verdict": "late", "type": "order", "env": "production", "kind": "entity", "state": "paid"}, ["late"]),
    ({"verdict": "late", "type": "parcel"}, []),
    ({"verdict": "late", "env": "staging"}, []),
    ({"verdict": "late", "q": "order.id=o-late"}, ["late"]),
    ({"verdict": "late", "q": "order.id=o-due"}, []),
    ({"verdict": "late", "q": "o-lat"}, ["late"]),
    ({"verdict": "late", "kind": "request"}, []),
]


@pytest.mark.parametrize(("query", "keys"), FLOWS)
@pytest.mark.parametrize("most", [verdicts.MOST, 0])
def test_flows_by_verdict(
    client: Client,
    judged: None,
    monkeypatch: pytest.MonkeyPatch,
    query: dict[str, str],
    keys: list[str],
    most: int,
) -> None:
    """By their ids, and by the condition where they are too many."""
    monkeypatch.setattr(verdicts, "MOST", most)
    flows = client.get("/flows", {"format": "json"} | query).json()["flows"]
    assert [flow["key"].removeprefix("o-") for flow in flows] == keys
    html = client.get("/flows", query).content.decode()
    if "verdict" in query and "kind" not in query:
        assert f"<option selected>{query['verdict']}</option>" in html


def test_an_unknown_verdict_is_a_bad_filter(client: Client, clean_store: None) -> None:
    answer = client.get("/flows", {"verdict": "odd", "format": "json"})
    assert (answer.status_code, answer.json()["field"]) == (400, "verdict")
