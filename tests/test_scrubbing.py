"""Which texts name a flow that is to be forgotten, in whatever spelling, and which only look like it."""

import pytest

from tracing.scrubbing import NOWHERE, Target, _Pen, sought
from tracing.watch.wording import flow_path


def pen(key: str = "4711", type: str = "order") -> _Pen:
    return _Pen(Target(b"\x01" * 16, type, key, flow_path(1, type, key)))


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ("like order 4711; room 4711", "like order [forgotten]; room 4711"),
        ("Order 4711. Then", "Order [forgotten]. Then"),
        ("order #4711, order: 4711 and order.id=4711", "order #[forgotten], order: [forgotten] and order.id=[forgotten]"),
        ('{"order.id":"4711"}', '{"order.id":"[forgotten]"}'),
        ("see /flow/entity/order/4711?env=x", "see /flow/entity/order/[forgotten]?env=x"),
        ("/compare?a=%2Fflow%2Fentity%2Forder%2F4711&b=x", "/compare?a=%2Fflow%2Fentity%2Forder%2F[forgotten]&b=x"),
        ("%2fflow%2fentity%2forder%2f4711%3fenv", "%2fflow%2fentity%2forder%2f[forgotten]%3fenv"),
        ("/flow/entity?type=order&key=4711", "/flow/entity?type=order&key=[forgotten]"),
        ("01" * 16, "[forgotten]"),
        # Others.
        ("order 47110, order 4711-2, order 4711.5, order 4711/2, order 4711:a", None),
        ("preorder 4711, pre-order 4711, 4711 orders", None),
        ("/flow/entity/order/4711%2F2", None),
        ("/flow/entity?type=invoice&key=4711", None),
    ],
)  # fmt: skip
def test_it_is_struck_out_where_it_is_named(told: str, left: str | None) -> None:
    assert pen().without(told, False) == (told if left is None else left)


def test_in_what_is_its_own_wherever_it_stands() -> None:
    document = {"worst": ["4711", {"flow": "01" * 16}], "order 4711": 4711, "n": "47110"}
    assert pen().without(document, True) == {
        "worst": ["[forgotten]"],
        "order [forgotten]": 4711,
        "n": "47110",
    }


@pytest.mark.parametrize("key", ['ж"ж', "ключ", "a b/c", "a%b", "100 % \\ rest", "ü" * 40])
def test_every_spelling_is_looked_for(key: str) -> None:
    """What holds the name holds one of what is sought, as text, in JSON and in addresses."""
    import json
    from urllib.parse import quote, quote_plus

    target = Target(b"\x01" * 16, "order", key, flow_path(1, "order", key))
    wanted = sought(target)
    in_json = json.dumps(f"order {key}", ensure_ascii=False)
    ways = (
        key,
        quote(key, safe=""),
        quote_plus(key),
        quote(quote(key, safe="")),
        quote(key, safe="").lower(),
    )
    for told in (in_json, *(f"order {way}" for way in ways)):
        assert any(one in told for one in wanted), told
    for way in ways:
        assert _Pen(target).without(f"order {way} x", False) == "order [forgotten] x"


def test_a_long_key_that_was_cut_off_is_known() -> None:
    key = "k" * 200 + "-" + "s" * 90
    title = f"order 1 beside order {key}"[:250]
    assert pen(key).without(title, False) == "order 1 beside order [forgotten]"
    assert any(one in title for one in sought(pen(key).target))
    assert pen(key).without("order kkkk", False) == "order kkkk"


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("/flow/entity/order/4711", NOWHERE),
        ("/flow/entity/order/4711?env=staging", None),
        ("/flow/workflow/order/4711", None),
        ("/flow/entity/order/4711.5", None),
        ("/flow/entity/preorder/4711", None),
        ("/compare?a=%2Fflow%2Fentity%2Forder%2F4711%2F2&b=%2Fflow%2Fentity%2Forder%2F1", None),
        (
            "/compare?a=%2Fflow%2Fentity%2Forder%2F1&b=%2Fflow%2Fentity%2Forder%2F4711",
            "/compare?a=%2Fflow%2Fentity%2Forder%2F1&b=%2Fflow%2Fentity%2Fforgotten%2F%255Bforgotten%255D",
        ),
    ],
)
def test_an_address_is_its_own_or_another(path: str, left: str | None) -> None:
    assert pen().path(path) == (path if left is None else left)
