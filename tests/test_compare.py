"""Two flows at one address: aligned by step, what differs marked, as a page and as JSON."""

import re

import pytest
from django.test import Client

from tests.builders import T1, T2, T3, Service, batch, event
from tracing.storing import Store

shop, billing = Service("shop"), Service("billing")
A, B = f"/flow/request/trace/{T1.hex()}", f"/flow/request/trace/{T2.hex()}"


@pytest.fixture
def both(store: Store) -> None:
    """The second charges twice, the first time in vain, and mails; its database is slow."""
    for trace, slow in ((T1, 1), (T2, 4)):
        root = shop.span("checkout", 0, 300 * slow, trace=trace)
        query = shop.span("SELECT stock", 10, 50 * slow, trace=trace, parent=root)
        charges = [
            billing.span("charge", 100 + n, 20, trace=trace, parent=root, id=f"c{n}", status=2 if slow > 1 and not n else 0)
            for n in range(1 if slow == 1 else 2)
        ]  # fmt: skip
        mail = (
            [shop.span("mail", 200, 5, trace=trace, parent=root, events=[event("sent", 201)])]
            if slow > 1
            else []
        )
        store.put(batch(root, query, *charges, *mail))


@pytest.mark.usefixtures("both")
def test_steps_are_aligned_and_measured(client: Client) -> None:
    told = client.get("/compare", {"a": A, "b": T2.hex(), "format": "json"}).json()
    assert (told["a"]["key"], told["b"]["key"], told["cut"]) == (T1.hex(), T2.hex(), False)

    def said(step: dict[str, object]) -> tuple[object, ...]:
        sides = [side["name"] if isinstance(side := step[name], dict) else None for name in ("a", "b")]
        return step["depth"], *sides, step["longer"], step["differs"]

    assert [said(step) for step in told["steps"]] == [
        (0, "checkout", "checkout", "900000000", True),
        (1, "SELECT stock", "SELECT stock", "150000000", True),
        (1, "charge", "charge", "0", True),  # one failed
        (1, None, "charge", None, True),
        (1, None, "mail", None, True),
        (2, None, "sent", None, True),
    ]


@pytest.mark.usefixtures("both")
def test_the_page_says_what_differs(client: Client, store: Store) -> None:
    text = client.get("/compare", {"a": A, "b": B}).content.decode()
    said = " ".join(re.sub(r"<[^>]+>", " ", text).split())
    assert "6 of 6 steps differ; the second took 900 ms longer" in said
    assert "span SELECT stock shop +10 ms 50 ms +10 ms 200 ms +150 ms × 4.0" in said
    assert "span mail shop only in the second – +200 ms 5 ms" in said
    same = client.get("/compare", {"a": A, "b": A}).content.decode()
    assert "No step differs" in same
    numbered = [shop.log(f"took order {n} from shelf", 50, trace=trace) for n, trace in ((17, T1), (18, T2))]
    store.put(batch(*numbered))
    assert "took order" in client.get("/compare", {"a": A, "b": B}).content.decode()
    assert "6 of 7 steps differ" in client.get("/compare", {"a": A, "b": B}).content.decode()
    largest = client.get("/compare", {"a": A, "b": B, "sort": "difference"}).content.decode()
    assert largest.index("SELECT stock") < largest.index(">mail") if ">mail" in largest else True


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ({}, 200, "Two flows side by side"),
        ({"a": A}, 200, "second"),
        ({"a": A, "b": "order 999"}, 404, "names no flow"),
        ({"a": A, "b": B, "sort": "name"}, 400, "sort"),
        ({"a": A, "format": "txt"}, 400, "name both"),
        ({"a": A, "format": "json"}, 400, "name both"),
    ],
)
def test_what_cannot_be_compared_is_said(
    client: Client, query: dict[str, str], status: int, sentence: str
) -> None:
    answer = client.get("/compare", query)
    assert answer.status_code == status
    assert sentence in answer.content.decode()


@pytest.mark.usefixtures("both")
def test_a_flow_leads_to_its_comparison(client: Client) -> None:
    assert "/compare?a=%2Fflow%2Frequest%2Ftrace%2F" in client.get(A).content.decode()


@pytest.mark.usefixtures("both")
def test_the_text_says_what_differs_within_a_hundred_columns(client: Client) -> None:
    text = client.get("/compare", {"a": A, "b": B, "format": "txt"}).content.decode()
    lines = text.splitlines()
    assert lines[0] == "checkout and checkout"
    assert lines[1] == "6 of 6 steps differ; the second took 900 ms longer."
    (stock,) = [line.split() for line in lines if line.startswith("SELECT stock · shop")]
    assert stock == "SELECT stock · shop 50 ms 200 ms +150 ms × 4.0".split()
    assert any(line.split()[-3:] == ["only", "in", "b"] for line in lines if line.startswith("mail · shop"))
    assert all(len(line) <= 100 for line in lines if "://" not in line)
    assert lines[-1].endswith(B) and "/compare?a=" in text


@pytest.mark.usefixtures("both")
def test_the_markdown_is_a_table_with_links(client: Client) -> None:
    text = client.get("/compare", {"a": A, "b": B, "format": "md"}).content.decode()
    assert text.startswith("### [checkout](http") and f"{A}) and [checkout](" in text.splitlines()[0]
    assert "**6 of 6 steps differ; the second took 900 ms longer.**" in text
    assert "| SELECT stock · shop | 50 ms | 200 ms | +150 ms × 4.0 |" in text
    assert "[Compared in Threadline](http" in text
    same = client.get("/compare", {"a": A, "b": A, "format": "md"}).content.decode()
    assert "0 of 3 steps differ" in same and "| step |" not in same


@pytest.mark.usefixtures("both")
def test_what_differs_much_is_told_in_part(client: Client, store: Store) -> None:
    root = shop.span("checkout", 0, 300, trace=T3)
    store.put(
        batch(root, *(shop.span(f"step {chr(65 + n)}", n, 1, trace=T3, parent=root) for n in range(50)))
    )
    text = client.get("/compare", {"a": A, "b": T3.hex(), "format": "md"}).content.decode()
    assert text.count("\n| ") == 41 and "more that differ" in text


@pytest.mark.usefixtures("both")
def test_the_title_says_how_both_stand(client: Client) -> None:
    html = client.get("/compare", {"a": A, "b": B}).content.decode()
    assert "<title>checkout: ok and checkout: ok itself, a failure below it · Threadline</title>" in html
    assert 'data-copies="text"' in html and "format=md" in html


@pytest.mark.usefixtures("both")
def test_equal_steps_in_a_row_are_one_line(client: Client, store: Store) -> None:
    root = shop.span("refund", 0, 300, trace=T3)
    store.put(batch(root, *(shop.span("dial", 10 + n, 5, trace=T3, parent=root) for n in range(4))))
    path = f"/flow/request/trace/{T3.hex()}"
    text = client.get("/compare", {"a": A, "b": path, "format": "txt"}).content.decode()
    (line,) = [line for line in text.splitlines() if "dial" in line]
    assert line.split() == "4 × dial · shop – 5 ms only in b".split()
