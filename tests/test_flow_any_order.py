"""The same records in any order, split and repeated, give the same JSON of every flow, row by row, folded and unfolded."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings as settings_of_project
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.builders import batch
from tests.conftest import empty_tables
from tests.oddities import pool
from timeline.addresses import flow_url
from tracing.storing import Store

Json = dict[str, Any]
# What depends on how records came, not on which.
OF_ARRIVAL = ("resent", "late")
FIXTURES_ARE_EMPTIED_BY_HAND = [HealthCheck.function_scoped_fixture]


def everything(client: Client) -> dict[str, list[Json]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT CASE kind WHEN 1 THEN 'entity' ELSE 'workflow' END, type, key, environment FROM flow"
            " UNION SELECT 'request', 'trace', encode(trace_id, 'hex'), NULL FROM request"
        )
        paths = sorted(flow_url(*row) for row in cursor.fetchall())
    return {path: [read(client, path, ""), read(client, path, "all")] for path in paths}


def differences(expected: Any, found: Any, where: str = "") -> Iterator[str]:
    """Where two pieces of JSON differ, and how."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in sorted(expected.keys() | found.keys()):
            yield from differences(expected.get(name), found.get(name), f"{where}/{name}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for place, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from differences(one, other, f"{where}/{place}")
    elif expected != found:
        yield f"{where}: {str(expected)[:200]} != {str(found)[:200]}"


def read(client: Client, path: str, expand: str) -> Json:
    response = client.get(path, {"format": "json", "expand": expand, **_query(path)})
    assert response.status_code == 200, (path, response.content[:300])
    told: Json = json.loads(response.content)
    for name in OF_ARRIVAL:
        del told["trust"][name]
    return told


def _query(path: str) -> dict[str, str]:
    from urllib.parse import parse_qsl, urlsplit

    return dict(parse_qsl(urlsplit(path).query))


@settings(max_examples=6, deadline=None, suppress_health_check=FIXTURES_ARE_EMPTIED_BY_HAND)
@given(seed=st.integers(0, 10**6))
def test_the_json_of_all_flows_is_the_same(conninfo: str, client: Client, seed: int) -> None:
    with fresh(conninfo) as store:
        store.put(batch(*pool()))
    expected = everything(client)
    assert len(expected) > 8
    for path, (_, whole) in expected.items():
        assert len({row["id"] for row in whole["rows"]}) == whole["total_rows"] == len(whole["rows"]), path
    chance = random.Random(seed)
    records = pool() + chance.sample(pool(), 5)
    chance.shuffle(records)
    with fresh(conninfo) as store:
        while records:
            size = chance.randint(1, 12)
            store.put(batch(*records[:size]))
            del records[:size]
    assert list(differences(expected, everything(client))) == []


@contextmanager
def fresh(conninfo: str) -> Iterator[Store]:
    """Empty tables, and a store that remembers nothing of what they held."""
    empty_tables()
    store = Store(conninfo, settings_of_project.ENVIRONMENT)
    try:
        yield store
    finally:
        store.close()


def test_every_page_of_odd_records_draws(store: Store, client: Client) -> None:
    store.put(batch(*pool()))
    for path in everything(client):
        for form in ("html", "txt", "md"):
            assert client.get(path, {"format": form, **_query(path)}).status_code == 200, (path, form)
