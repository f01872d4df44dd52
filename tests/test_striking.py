"""Which texts name a flow that is to be forgotten, in whatever spelling, and which only look like it."""

import pytest

from tracing.striking import NOWHERE, Pen, Target, sought
from tracing.watch.titles import short
from tracing.watch.wording import flow_path, line


def pen(key: str = "4711", type: str = "order") -> Pen:
    return Pen(Target(b"\x01" * 16, type, key, flow_path(1, type, key)))


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
        ("order 4711:declined, order 4711/line", "order [forgotten]:declined, order [forgotten]/line"),
        ("order=4711.Retry", "order=[forgotten].Retry"),
        # Others.
        ("order 47110, order 4711-2, order 4711.5, order 4711/2, order 4711:7", None),
        ("preorder 4711, pre-order 4711, 4711 orders", None),
        ("/flow/entity/order/4711%2F2", None),
        ("/flow/entity/order/4711:a", None),
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
        assert Pen(target).without(f"order {way} x", False) == "order [forgotten] x"


LONG = "3f2a9c1e-7b44-4f0a-9d21-0c5e8d7f6a10"


@pytest.mark.parametrize("is_own", [True, False])
def test_a_key_that_was_cut_off_is_known(is_own: bool) -> None:
    key = "k" * 200 + "-" + "s" * 120
    column = f"order 1 beside order {key}"[:300]  # as long as a column takes
    assert pen(key).without(column, is_own) == "order 1 beside order [forgotten]"
    assert any(one in column for one in sought(pen(key).target))
    for most in range(60, 80):
        told = short(f"Failed: the payment of 7 items for order {LONG} came back", most)
        left = pen(LONG).without(told, is_own)
        shown = told.removesuffix("…").partition("order ")[2]
        assert left == (f"{told.partition(shown)[0]}[forgotten]…" if len(shown) >= 16 else told), told
    told = line(f"waits for order {LONG}", 40) + "\nand more"
    assert pen(LONG).without(told, is_own) == "waits for order [forgotten]…\nand more"


def test_without_its_type_it_is_known_in_what_is_its_own() -> None:
    told = f"the payment for {LONG[:24]}…"
    assert pen(LONG).without(told, True) == "the payment for [forgotten]…"
    assert pen(LONG).without(told, False) == told


def test_a_key_that_another_begins_with_stays() -> None:
    told = ["twin of order ORD-2026-000123456", {"worst": ["order ORD-2026-000123456"]}]
    assert pen("ORD-2026-000123456-1").without(told, False) == told


def test_what_was_told_apart_stays_apart() -> None:
    told = pen().without({"order 4711": 3, "Order 4711": 4, "order 4712": 5}, False)
    assert sorted(told.values()) == [3, 4, 5] and not any("4711" in name for name in told)


def test_numbers_of_a_view_are_no_keys() -> None:
    path = f"/problems/{'0a' * 12}"
    left = pen("1").page([path, "order 1 waits", "1", "limit=1&find=1&tab=1"], [b"\x0a" * 12], False)
    assert left == [path, "order [forgotten] waits", "[forgotten]", "limit=1&find=%5Bforgotten%5D&tab=1"]


def test_the_audit_repeats_titles_and_reasons() -> None:
    one = pen("ann", "customer")
    before = ["/flow/entity/customer/ann", "customer ann", "ann", ""]
    _, title, reason, _ = one.page(before, [], False)
    one.remember("customer ann", title, is_reason=False)
    one.remember("ann", reason, is_reason=True)
    assert one.audit("customer ann", "for anyone, frozen, ann") == [
        "customer [forgotten]",
        "for anyone, frozen, [forgotten]",
    ]
    assert one.audit("ann", "from 127.0.0.1") == ["ann", "from 127.0.0.1"]


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
