"""`/settings/senders`: who sends, what was refused and why, and why data may not be here."""

import pytest
from django.test import Client

from tracing.clock import now_ns
from tracing.models import Sender

MINUTE_NS = 60_000_000_000


def sender(service: str, **told: object) -> Sender:
    """A row as `tracing.senders` writes it."""
    known: dict[str, object] = {
        "environment": "production", "sdk": "python opentelemetry 1.45.2", "transport": "http/protobuf",
        "first_seen_ns": now_ns(), "last_seen_ns": now_ns(), "accepted_spans": 1_204,
    }  # fmt: skip
    return Sender.objects.create(service=service, **known | told)


def text(client: Client) -> str:
    answer = client.get("/settings/senders")
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_nobody_sent_yet(client: Client, clean_store: None) -> None:
    page = text(client)
    assert "Nothing has reached Threadline at all" in page
    assert "<code>http://testserver:4318</code>" in page and "<code>testserver:4317</code>" in page


def test_a_healthy_sender(client: Client, clean_store: None) -> None:
    sender("shop", accepted_logs=7, clock_offset_ns=41_000_000)
    page = text(client)
    assert "Everything that arrived was kept" in page
    for told in ("1,204", "python opentelemetry 1.45.2", "41 ms old", "not seen"):
        assert told in page


def test_refusals_are_told_with_their_reasons(client: Client, clean_store: None) -> None:
    sender("shop", refused=3, refusals={"The span id is not 8 bytes long.": 3})
    sender("", refused=2, refusals={"The body is <not> gzip.": 2}, accepted_spans=0, transport="http/json")
    page = text(client)
    assert "3 × The span id is not 8 bytes long." in page
    assert "2 requests over http/json" in page and "The body is &lt;not&gt; gzip." in page


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"last_seen_ns": 0}, "○ quiet"),
        ({"clock_offset_ns": -5_000_000_000}, "5 s ahead"),
        ({"clock_offset_ns": 3_600_000_000_000}, "1 h old"),
        ({"sampled_spans": 602}, "◌ 50 % of spans"),
        ({"resent": 9}, 'data-word="sent again">9<'),
    ],
)
def test_what_is_odd_is_said(client: Client, clean_store: None, told: dict[str, object], said: str) -> None:
    if "last_seen_ns" in told:
        told = {"last_seen_ns": now_ns() - 30 * MINUTE_NS}
    sender("shop", **told)
    assert said in text(client)


def test_for_programs(client: Client, clean_store: None) -> None:
    sender("shop", refused=1, refusals={"Too many days.": 1}, clock_offset_ns=-3)
    (told,) = client.get("/settings/senders", {"format": "json"}).json()["senders"]
    assert told["refusals"] == [{"sentence": "Too many days.", "count": 1}]
    assert (told["service"], told["spans"], told["clock_offset"]) == ("shop", 1_204, "-3")


@pytest.mark.parametrize("form", ["txt", "md"])
def test_for_terminals_and_chat(client: Client, clean_store: None, form: str) -> None:
    path, kinds = "/settings/senders", {"txt": "text/plain", "md": "text/markdown"}
    empty = client.get(path, {"format": form})
    assert empty.content.decode() == "Nothing has reached Threadline at all.\n"
    sender("shop\x1b[2J", refused=1, refusals={"Too many days.": 1}, clock_offset_ns=-3_000_000_000)
    sender("", refused=2, refusals={"The body is not gzip, " + "x" * 200: 2}, accepted_spans=0)
    answer = client.get(path, {"format": form})
    assert answer.headers["Content-Type"].startswith(kinds[form])
    text = answer.content.decode()
    assert text.replace("\n", "").isprintable()
    for told in ("(production), last heard", "1,204 spans · 1 refused · newest record 3 s ahead of our clock · python",
                 "refused 1 ×: Too many days.", "requests refused whole", "refused 2 ×: The body is not gzip"):  # fmt: skip
        assert told in text
    assert form == "md" or max(map(len, text.splitlines())) <= 100


def test_a_quiet_sender_stands_on_the_now_page(client: Client, clean_store: None) -> None:
    sender("billing", last_seen_ns=now_ns() - 30 * MINUTE_NS)
    quiet = client.get("/", {"format": "json"}).json()["quiet"]
    assert [one["service"] for one in quiet] == ["billing"]
    assert (
        "billing (production) was last heard 30 m ago" in client.get("/", {"format": "txt"}).content.decode()
    )
