"""Addresses of flows: what is made can be read back, whatever a key holds."""

from urllib.parse import unquote, urlsplit

import pytest
from django.test import RequestFactory
from hypothesis import example, given
from hypothesis import strategies as st

from timeline.addresses import flow_asked, flow_in_path, flow_url, with_query

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=20)


@given(WORDS, WORDS)
@example("order", "a/b")
@example("order", "..")
@example("order", "a/../b")
@example("order", "%2F")
@example("a/b", "c")
@example("order", "a//b/")
@example("order", "?x=1#y")
def test_an_address_names_its_flow(type: str, key: str) -> None:
    address = flow_url("entity", type, key)
    parts = urlsplit(address)
    request = RequestFactory().get("/", QUERY_STRING=parts.query, REQUEST_URI=address)
    # What the router would match in the path.
    matched = parts.path.split("/", 4)[3:]
    assert flow_asked(request, "entity", *(unquote(part) for part in matched)) == ("entity", type, key)
    # Browsers fold such segments away before they send.
    assert not any(unquote(segment) in (".", "..") for segment in parts.path.split("/"))


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        (None, "/flow/entity/order/4711"),
        ("production", "/flow/entity/order/4711"),
        ("staging", "/flow/entity/order/4711?env=staging"),
    ],
)
def test_only_another_environment_is_named(environment: str | None, address: str) -> None:
    assert flow_url("entity", "order", "4711", environment) == address


@pytest.mark.parametrize(
    "path", ["", "/", "/flow", "/flow/entity", "/flow/entity/order", "/flow//order/1", "x/flow/a/b/c"]
)
def test_what_is_no_flows_path(path: str) -> None:
    assert flow_in_path(path) is None


def test_a_query_leaves_out_what_says_nothing() -> None:
    assert with_query("/flows", {"q": "a b&c", "type": ""}) == "/flows?q=a%20b%26c"
    assert with_query("/flows", {"q": ""}) == "/flows"
