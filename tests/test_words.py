"""What a person says of a flow by its forms: closed, reopened, followed, noted; and how each is refused."""

import re
from collections.abc import Iterator
from pathlib import Path

import html5lib
import pytest
from django.db import connection
from django.test import Client

from tests import judged
from tests.builders import BASE_NS, MS, T1, batch
from tests.test_flow_page import get
from tests.test_verdict_page import ORDER, page
from tracing.auditing import Audit
from tracing.people import Channel, Closure, Follow, Note
from tracing.storing import Store


@pytest.fixture(autouse=True)
def order(store: Store, tmp_path: Path) -> Iterator[None]:
    store.put(batch(*judged.waiting_order()))
    with judged.at(tmp_path):
        judged.judge(looks_ns=judged.NOW + 10**15)
        yield


def say(client: Client, what: str, path: str = ORDER, status: int = 302, **told: str) -> str:
    answer = client.post(path, {"do": what, **told})
    assert answer.status_code == status, answer.content[:400]
    if status == 302:
        assert answer["Location"] == path
    return answer.content.decode()


def looks() -> tuple[int, bool]:
    """When the watcher looks at it next, and whether that may not wait."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT looks_ns, wakes AND hurried FROM expectation WHERE flow_id = %s", [judged.order_id()]
        )
        looks_ns, hurried = cursor.fetchone()
        return looks_ns, hurried


def test_closing_keeps_the_reason_and_wakes_the_watcher(client: Client) -> None:
    say(client, "close", f"{ORDER}?only=errors", reason="fixed outside", name="Ann")
    (closure,) = Closure.objects.all()
    assert (bytes(closure.flow_id), closure.reason, closure.name) == (
        judged.order_id(),
        "fixed outside",
        "Ann",
    )
    assert closure.at_ns == judged.NOW
    assert looks() == (judged.NOW, True)
    text = page(client)
    assert "Closed by Ann" in text and "fixed outside" in text and "Reopen it" in text
    assert 'value="Ann"' in text  # the name is known from here on


def test_reopening_takes_the_closure_back(client: Client) -> None:
    say(client, "close", reason="oops", name="Ann")
    say(client, "reopen")
    assert not Closure.objects.exists()
    assert looks() == (judged.NOW, True)
    assert "Close it" in page(client)


def test_who_closed_it_and_why_stays_on_the_timeline(client: Client) -> None:
    say(client, "close", reason="oops", name="Ann")
    say(client, "reopen", name="Ben")
    (row,) = [row for row in get(client, ORDER)["rows"] if row["row"] == "note"]
    assert (row["text"], row["marks"]) == ("Reopened; had been closed by Ann: oops", ["by Ben"])
    say(client, "reopen", name="Ben")
    assert Note.objects.count() == 1


def test_a_closure_that_a_record_opened_is_kept(client: Client) -> None:
    early = Closure.objects.create(flow_id=judged.order_id(), at_ns=BASE_NS + 1, reason="early", name="Ann")
    say(client, "close", reason="now it is", name="Ben")
    assert "now it is" in page(client) and Closure.objects.count() == 2
    say(client, "reopen", name="Cid")
    assert list(Closure.objects.all()) == [early]
    assert [note.text for note in Note.objects.all()] == ["Reopened; had been closed by Ben: now it is"]


def test_a_closure_is_over_once_a_younger_record_came(client: Client) -> None:
    Closure.objects.create(flow_id=judged.order_id(), at_ns=BASE_NS + 1, reason="too early", name="Ann")
    assert "Close it" in page(client)


def test_a_reason_and_a_name_are_asked_for(client: Client) -> None:
    text = say(client, "close", status=400, reason="  ", name="Ann")
    html5lib.HTMLParser(strict=True).parse(text)
    assert "This field is required" in text and 'value="Ann"' in text
    assert not Closure.objects.exists()


def test_following_needs_a_channel_and_says_where_to_make_one(client: Client) -> None:
    assert "Add one in the settings" in page(client)
    channel = Channel.objects.create(label="ops", address="json://localhost")
    assert '<option value="' in page(client)
    say(client, "follow", channel=str(channel.pk), name="Ann")
    (followed,) = Follow.objects.all()
    assert (followed.channel, followed.name, followed.since_ns) == (channel, "Ann", judged.NOW)
    say(client, "follow", channel=str(channel.pk), name="Ben")
    assert [one.name for one in Follow.objects.all()] == ["Ben"]
    assert "Followed · 1" in page(client)
    assert looks() == (judged.NOW, True)
    say(client, "unfollow", channel=str(channel.pk))
    assert not Follow.objects.exists()


@pytest.mark.parametrize("channel", ["", "x", "99", "9" * 30, "²"])
def test_a_channel_that_is_none_is_no_error_of_ours(client: Client, channel: str) -> None:
    say(client, "follow", status=400, channel=channel, name="Ann")
    say(client, "unfollow", channel=channel)


def test_a_note_stands_at_its_moment(client: Client) -> None:
    say(client, "note", text="look", name="Ann", at="2026-11-18 11:20")
    say(client, "note", text="now", name="Ann")
    assert [note.at_ns for note in Note.objects.order_by("at_ns")] == [
        1_795_000_800 * 10**9, judged.NOW,
    ]  # fmt: skip
    rows = [row for row in get(client, ORDER)["rows"] if row["row"] == "note"]
    assert [(row["name"], row["marks"]) for row in rows] == [("look", ["by Ann"]), ("now", ["by Ann"])]
    assert "Note · 2 ▾" in page(client)


def test_a_long_note_is_read_whole_beside_the_form(client: Client) -> None:
    say(client, "note", text="first line\n\n" + "word " * 400 + "the end", name="Ann")
    assert "the end</p>" in page(client)


@pytest.mark.parametrize("at", ["yesterday", "-5", str(2**80)])
def test_a_note_at_no_moment_is_shown_again(client: Client, at: str) -> None:
    assert "errorlist" in say(client, "note", status=400, text="x", name="Ann", at=at)


@pytest.mark.parametrize("at", ["2030-01-01 00:00", "2026-11-18 14:24", str(2**63 - 1)])
def test_a_note_at_a_moment_to_come_is_shown_again(client: Client, at: str) -> None:
    text = say(client, "note", status=400, text="x", name="Ann", at=at)
    assert "That is still to come" in text and f'value="{at}"' in text
    assert not Note.objects.exists()


def test_a_clock_that_runs_a_little_ahead_may_note(client: Client) -> None:
    say(client, "note", text="x", name="Ann", at=str(judged.NOW + 4 * judged.MINUTE * MS))
    assert Note.objects.count() == 1


def test_what_is_none_of_these_is_refused(client: Client) -> None:
    say(client, "delete", status=400)
    say(client, "close", "/flow/entity/order/unknown", status=404)
    assert client.put(ORDER).status_code == 405


def test_a_request_takes_notes_only(client: Client) -> None:
    path = f"/flow/request/trace/{T1.hex()}"
    say(client, "note", path, text="x", name="Ann")
    say(client, "close", path, status=400, reason="x", name="Ann")
    text = page(client, path)
    assert "Note · 1 ▾" in text and "Close ▾" not in text


def test_a_form_from_elsewhere_is_refused(client: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(ORDER, {"do": "close", "reason": "x", "name": "x"}).status_code == 403
    assert not Closure.objects.exists()


def test_what_people_write_is_escaped(client: Client) -> None:
    say(client, "close", reason="<script>alert(1)</script>", name="<b>")
    say(client, "note", text="<img src=x>", name="<u>")
    text = page(client)
    assert "<script>alert" not in text and "<img src" not in text and "<u>" not in text
    html5lib.HTMLParser(strict=True).parse(client.get(ORDER).content)


def drawer(client: Client, number: int, path: str = ORDER) -> str:
    answer = client.get(
        path, {"record": f"n-{number}"}, headers={"HX-Request": "true", "HX-Target": "record"}
    )
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_note_is_markdown_on_the_page_and_plain_in_its_row(client: Client) -> None:
    say(client, "note", text="Asked the **carrier**\n\n- see [run](https://wiki.example/run)", name="Ann")
    (one,) = Note.objects.all()
    (row,) = [row for row in get(client, ORDER)["rows"] if row["row"] == "note"]
    assert (row["name"], row["text"]) == ("Asked the carrier", one.text)
    text = page(client)
    assert "<strong>carrier</strong>" in text
    assert '<a href="https://wiki.example/run" rel="nofollow noopener noreferrer">run</a>' in text
    assert "<strong>carrier</strong>" in drawer(client, one.pk) and "Ann" in drawer(client, one.pk)
    (drawn,) = re.findall(rf'id="n-{one.pk}".*?role="gridcell"', text)
    assert ">see run</div>" in drawn and "**" not in drawn and "](" not in drawn
    assert "Asked the carrier see run" in page(client, view="table")


NOTE = """## Called **them**

- one
- two:
> quoted

```
kubectl get pods
  -o wide
```"""


def test_texts_keep_the_lines_of_a_note(client: Client) -> None:
    say(client, "note", text=NOTE, name="Ann")
    lines = client.get(ORDER, {"format": "txt"}).content.decode().splitlines()
    told = [line[22:] for line in lines if line.startswith(" " * 22) or not line]
    assert NOTE in "\n".join(told)
    text = client.get(ORDER, {"format": "md"}).content.decode()
    # Outside the story's fence, which would not break its long lines.
    story, quote = text.split("\n```\n\n")
    assert "Called them [by Ann]" in story and "kubectl" not in story
    assert quote.splitlines()[:8] == [
        "✎ 18 Nov 14:18:40.000, by Ann:",
        "",
        r"> \#\# Called \*\*them\*\*",
        ">",
        "> \\- one\\",
        "> \\- two:\\",
        r"> \> quoted",
        ">",
    ]
    assert "\n> &nbsp;&nbsp;\\-o wide\\\n" in quote


def test_a_note_of_one_line_is_told_once(client: Client) -> None:
    say(client, "note", text="asked wms", name="Ann")
    for form in ("txt", "md"):
        assert client.get(ORDER, {"format": form}).content.decode().count("asked wms") == 1


def test_a_note_is_opened_within_its_own_flow_only(client: Client) -> None:
    say(client, "note", text="ours", name="Ann")
    (one,) = Note.objects.all()
    assert "ours" in drawer(client, one.pk)
    other = drawer(client, one.pk, f"/flow/request/trace/{T1.hex()}")
    assert "ours" not in other and "Nothing to show" in other
    assert "Nothing to show" in drawer(client, one.pk + 1)


def test_a_note_is_taken_back(client: Client) -> None:
    say(client, "note", text="oops", name="Ann")
    (one,) = Note.objects.all()
    for number in ("", "x", "9" * 30, "²", str(one.pk + 1)):
        say(client, "unnote", note=number)
    assert Note.objects.count() == 1
    answer = client.post(f"{ORDER}?only=errors&record=n-{one.pk}", {"do": "unnote", "note": str(one.pk)})
    assert answer["Location"] == f"{ORDER}?only=errors"
    assert not Note.objects.exists()
    # Only what changed something is told.
    say(client, "reopen")
    say(client, "unfollow", channel="99")
    assert [told.action for told in Audit.objects.order_by("id")] == ["flow noted", "note deleted"]


def test_a_note_of_another_flow_stays(client: Client) -> None:
    say(client, "note", text="ours", name="Ann")
    (one,) = Note.objects.all()
    say(client, "unnote", f"/flow/request/trace/{T1.hex()}", note=str(one.pk))
    assert Note.objects.count() == 1


def test_deleting_from_elsewhere_is_refused(client: Client) -> None:
    say(client, "note", text="ours", name="Ann")
    (one,) = Note.objects.all()
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(ORDER, {"do": "unnote", "note": str(one.pk)}).status_code == 403
    assert Note.objects.count() == 1


def test_a_moment_of_a_row_fills_the_form(client: Client) -> None:
    record = next(row for row in get(client, ORDER)["rows"] if row["row"] == "log")
    opened = client.get(ORDER, {"record": record["id"]}).content.decode()
    href = f"{ORDER}?record={record['id']}&amp;note={record['start']}#note"
    assert f'href="{href}"' in opened
    text = page(client, record=record["id"], note=record["start"])
    assert 'id="note" open>' in text
    assert 'name="at" value="2026-11-18 11:06:41.3"' in text
    assert "note=" not in text.replace(f"note={record['start']}", "")
    told = {"do": "note", "text": "x", "name": "Ann", "at": "2026-11-18 11:06:41.3"}
    view = f"{ORDER}?record={record['id']}"
    assert client.post(f"{view}&note=5&only=errors", told)["Location"] == f"{view}&only=errors"
    assert Note.objects.get().at_ns == BASE_NS + 1_300_000_000


def test_a_moment_that_is_none_names_its_field(client: Client) -> None:
    answer = client.get(ORDER, {"note": "soon", "format": "json"})
    assert answer.status_code == 400 and "note" in answer.content.decode()
