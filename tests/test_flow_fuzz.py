"""Any address gives an answer that is not a 500: parameters of any text, alone and together, and cursors of any shape."""

import base64
import json

from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.builders import T1, batch
from tests.test_flow_page import order_4711
from tracing.storing import Store

ROW = f"s-{T1.hex()}-{order_4711()[0].span_id.hex()}"
texts = st.one_of(
    st.text(max_size=40),
    st.sampled_from([
        "", "0", "-1", "1", "500", "99999999999999999999", "errors", "logs", "all", "shop", "json", "txt", "md", ROW, ROW + ".2",
        f"c-{T1.hex()}", "c-20775-shop", "t-shop-1", "l-" + "0" * 32, f"e-{T1.hex()}-{'0' * 16}-999999999", "production",
        "hits", "server", "error", "warn", "table", "csv", "-took", "status", "orphans", "skew", "versions", "raw", "card",
        "1795000000000000000", "2026-11-18", "١:٢:", "\x00", "%00", "\ud800".encode("utf-8", "replace").decode(),
    ]),
)  # fmt: skip
names = st.sampled_from(
    "format only service from to limit cursor fold open expand record env version clock"
    " find sort view kind status level trust critical at gaps pulse".split()
)
cursors = st.lists(
    st.one_of(texts, st.integers(-(2**70), 2**70), st.none(), st.sampled_from(["1:9:", "5:9:6,7", "١:٢:"])),
    max_size=4,
).map(lambda told: base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("="))
queries = st.dictionaries(names, texts, max_size=5)
FILLED_ONCE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def fill(store: Store) -> None:
    store.put(batch(*order_4711()))  # the same again changes nothing


@FILLED_ONCE
@given(query=queries, cursor=st.one_of(st.none(), cursors))
def test_any_query_is_answered(
    store: Store, client: Client, query: dict[str, str], cursor: str | None
) -> None:
    fill(store)
    asked = query if cursor is None else {**query, "cursor": cursor}
    for path in (
        "/flow/entity/order/4711",
        f"/flow/request/trace/{T1.hex()}",
        f"/record/{T1.hex()}/{ROW[-16:]}",
    ):
        response = client.get(path, asked)
        assert response.status_code in (200, 400, 404), (path, asked, response.content[:200])


@FILLED_ONCE
@given(kind=texts, type=texts, key=texts)
def test_any_path_is_answered(store: Store, client: Client, kind: str, type: str, key: str) -> None:
    fill(store)
    for path in (
        f"/flow/{kind}/{type}/{key}",
        f"/trace/{key}",
        f"/record/{type}/{key}",
        f"/record/log/{key}",
    ):
        assert client.get(path).status_code in (200, 302, 400, 404, 405), path
