"""What a text typed or pasted into the find box may name."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeline.clues import MAX_TEXT, clues, fits

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


@pytest.mark.parametrize(
    "text",
    [
        TRACE,
        TRACE.upper(),
        "4bf92f35-77b3-4da6-a3ce-929d0e0e4736",
        f"0x{TRACE}",
        f"  {TRACE}\n",
        f"00-{TRACE}-{SPAN}-01",
        f"traceparent: 00-{TRACE}-{SPAN}-01",
        f'{{"trace_id":"{TRACE}","msg":"x"}}',
        f"http://127.0.0.1:8000/trace/{TRACE}?x=1",
        f"2026-11-21 ERROR [trace={TRACE}] card declined",
    ],
)
def test_a_trace_id_is_seen_wherever_it_stands(text: str) -> None:
    assert clues(text).trace_ids == (TRACE,)


@pytest.mark.parametrize("text", [SPAN, SPAN.upper(), f"span_id={SPAN}", f"00-{TRACE}-{SPAN}-01"])
def test_a_span_id_is_seen(text: str) -> None:
    assert clues(text).span_ids == (SPAN,)


@pytest.mark.parametrize("text", [TRACE[:-1], TRACE + "0", f"x{TRACE}", SPAN[:-1], "4711", ""])
def test_digits_of_another_length_are_no_id(text: str) -> None:
    assert clues(text).trace_ids == () and clues(text).span_ids == ()


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("order 4711", "order", "4711"),
        ("order #4711", "order", "4711"),
        ("order:4711", "order", "4711"),
        ("order.id=4711", "order.id", "4711"),
        ('{"order_id": "4711"}', "order_id", "4711"),
        ("{'orderId': '47 11'}", "orderId", "47 11"),
        ("2026-11-21T14:02:11Z ERROR wms: order 4711 failed: carrier 503", "order", "4711"),
        ("msg=late app.order.id=a/b-1, next", "app.order.id", "a/b-1"),
        ("ship --order.id=4711", "order.id", "4711"),
        ("line 12: order=4711", "order", "4711"),
        ("2026-11-21order=4711", "order", "4711"),
        ("größe=5", "größe", "5"),
        (f"{'a' * 500}/order=4711 order.id=4712", "order.id", "4712"),
    ],
)
def test_a_key_with_its_name(text: str, name: str, value: str) -> None:
    assert (name, value) in clues(text).named


@pytest.mark.parametrize(
    ("name", "type", "is_fit"),
    [
        ("order", "order", True),
        ("orders", "order", True),
        ("Order", "order", True),
        ("order.id", "order", True),
        ("app.order_id", "order", True),
        ("orderId", "order", True),
        ("crm-sync.run", "crm-sync", True),
        ("reorder", "order", False),
        ("status", "order", False),
        ("", "order", False),
    ],
)
def test_a_name_fits_a_type(name: str, type: str, is_fit: bool) -> None:
    assert fits(name, type) is is_fit


ADDRESS, PATH = "http://threadline.example/flow/entity/order/4711", "/flow/entity/order/4711"


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        (f"{ADDRESS}?env=staging", (f"{PATH}?env=staging",)),
        ("/flow/entity/order/a%2Fb", ("/flow/entity/order/a%2Fb",)),
        (f"see {ADDRESS} please", (PATH,)),
        (f"see {ADDRESS}?only=errors.", (f"{PATH}?only=errors",)),
        (f"<{ADDRESS}>", (PATH,)),
        (f"<{ADDRESS}|order 4711>", (PATH,)),
        (f"[order 4711]({ADDRESS})", (PATH,)),
        (f"**{ADDRESS}**, (and {ADDRESS[:-1]}2)!", (PATH, f"{PATH[:-1]}2")),
        (f"{ADDRESS}.", (f"{PATH}.", PATH)),
        (f"{PATH}.", (f"{PATH}.", PATH)),
        ("ftp://x/flow/entity/order/1", ()),
        ("http://x/orders/1", ()),
        ("see /flow/entity/order/1", ()),
        ("http://[broken/flow/", ()),
        ("see http://[broken/flow/ or", ()),
    ],
)
def test_addresses_of_flows(text: str, paths: tuple[str, ...]) -> None:
    assert clues(text).flows == paths


@pytest.mark.parametrize(
    ("text", "pages"),
    [
        ("/s/ab-C_", (("", "/s/ab-C_"),)),
        ("look: HTTPS://me@Here:8000/s/ab-C_?format=txt.", (("here:8000", "/s/ab-C_?format=txt"),)),
        ("<http://here/problems/12|a problem>", (("here", "/problems/12"),)),
        ("GET /flows 200", ()),
        ("http://here/s/a/b", ()),
    ],
)
def test_addresses_of_pages(text: str, pages: tuple[tuple[str, str], ...]) -> None:
    assert clues(text).pages == pages


def test_only_some_addresses_are_looked_up() -> None:
    assert len(clues(" ".join(f"http://x/flow/entity/order/{n}" for n in range(100))).flows) == 20


# Much of a second is a machine that does something else; names tried from each of their letters took two to five.
@pytest.mark.parametrize(
    "part",
    [
        "a",
        "aA",
        "a.",
        "a/",
        "é",
        "0123456789abcdef-",
        "a=",
        "x= ",
        "a " + " " * 500,
        'a="',
        "http://",
        "1-00000000-000000000000000000000000 ",
    ],
)
def test_the_longest_text_of_any_kind_is_looked_through_at_once(part: str) -> None:
    text = (part * MAX_TEXT)[:MAX_TEXT]
    began = time.process_time()
    clues(text)
    assert time.process_time() - began < 0.8


@given(st.text(max_size=200))
def test_any_text_has_clues_within_bounds(text: str) -> None:
    found = clues(text)
    assert len(found.words) <= 60 and len(found.named) <= 120
    assert "\x00" not in found.text + "".join(found.words)
