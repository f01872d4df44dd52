"""Rows that were not received: turns, messages, notes, what should come; on the page, in JSON, paged, as CSV and text."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from tests import judged
from tests.builders import BASE_NS, MS, T1, Service, batch, span_id, trace_id
from tests.test_flow_page import every_row, get
from tests.test_flow_table import as_csv
from tests.test_verdict_page import ORDER, page
from timeline.prepared import Shelf
from timeline.queries import asides as asides_module
from timeline.queries.story import Story, read_story
from tracing import clock
from tracing.people import Channel, Note
from tracing.records import Span
from tracing.storing import Store

MINUTE = judged.MINUTE


@pytest.fixture(autouse=True)
def now(store: Store, tmp_path: Path) -> Iterator[Path]:
    store.put(batch(*judged.waiting_order()))
    with judged.at(tmp_path) as told:
        yield told


def tell_everything() -> bytes:
    """An order that turned three times; two messages, of which one failed; a note; a ghost."""
    one = judged.judge()
    judged.problem([one])
    channel = Channel.objects.create(label="ops", address="json://localhost")
    judged.flip(one, 14 * MINUTE, None, "due")
    judged.flip(one, 21 * MINUTE, "due", "late")
    judged.flip(one, 42 * MINUTE, "late", "stuck", "Waiting for `shipment.created` for 42 min.")
    judged.message(22 * MINUTE, problem_id=b"problem 1234", channel_id=channel.pk)
    judged.message(43 * MINUTE, "failed", flow_id=one, channel_id=channel.pk)
    judged.message(44 * MINUTE, "dropped", flow_id=one, channel_id=channel.pk)
    Note.objects.create(
        flow_id=one, at_ns=BASE_NS + 30 * MINUTE * MS, text="asked wms\n\nthey look", name="Ann"
    )
    return one


def asides(rows: list[dict[str, Any]]) -> list[tuple[str, str, str | None]]:
    kinds = ("flip", "notification", "note", "ghost")
    return [(row["row"], row["name"], row["text"]) for row in rows if row["row"] in kinds]


def test_a_turn_that_was_noticed_much_later_says_so(client: Client) -> None:
    judged.flip(judged.order_id(), 14 * MINUTE, "moving", "late", noticed_ms=90_000)
    judged.flip(judged.order_id(), 21 * MINUTE, "late", "stuck", noticed_ms=30 * MINUTE)
    marks = [row["marks"] for row in get(client, ORDER)["rows"] if row["row"] == "flip"]
    assert marks == [[], ["noticed 30 min later"]]


def test_they_stand_in_order_of_time_at_the_top(client: Client) -> None:
    tell_everything()
    rows = get(client, ORDER)["rows"]
    assert asides(rows) == [
        ("flip", "due", "It waits too long."),
        ("flip", "due → late", "It waits too long."),
        ("notification", "22 orders are stuck", "sent to ops"),
        ("note", "asked wms", "asked wms\n\nthey look"),
        ("flip", "late → stuck", "Waiting for `shipment.created` for 42 min."),
        ("notification", "22 orders are stuck", "failed to ops: no route to host"),
        ("ghost", "shipment.created", "expected by 11:20 UTC (learned), nothing yet"),
    ]
    told = [row for row in rows if row["row"] in ("flip", "notification", "note", "ghost")]
    assert all(row["parent"] is None and row["depth"] == 0 and row["trace_id"] is None for row in told)
    ghost = told[-1]
    assert (ghost["service"], ghost["status"], ghost["start"], ghost["duration"]) == (
        "wms", "open", str(BASE_NS), str(14 * MINUTE * MS),
    )  # fmt: skip
    assert [row["status"] for row in told if row["row"] == "notification"] == ["ok", "error"]


@pytest.mark.parametrize("limit", [1, 4, 500])
@pytest.mark.parametrize("expand", ["", "all"])
def test_paging_yields_each_once_in_one_order(client: Client, limit: int, expand: str) -> None:
    tell_everything()
    whole = get(client, ORDER, expand=expand)
    rows = every_row(client, ORDER, limit, expand=expand)
    assert [row["id"] for row in rows] == [row["id"] for row in whole["rows"]]
    assert len({row["id"] for row in rows}) == whole["total_rows"] == len(rows)


def test_filters_and_windows_of_time(client: Client) -> None:
    tell_everything()
    assert asides(get(client, ORDER, only="errors")["rows"]) == []
    window = {"from": str(BASE_NS + 40 * MINUTE * MS), "to": str(BASE_NS + 50 * MINUTE * MS)}
    assert [kind for kind, _, _ in asides(get(client, ORDER, **window)["rows"])] == [
        "flip", "notification", "ghost",
    ]  # fmt: skip
    found = get(client, ORDER, find="they look")
    assert found["found"] == 1


def test_the_table_and_the_csv_have_them(client: Client) -> None:
    tell_everything()
    rows = get(client, ORDER)["rows"]
    assert [row["id"] for row in as_csv(client, ORDER)] == [row["id"] for row in rows]
    text = page(client, view="table")
    assert all(f'id="{row["id"]}"' in text for row in rows)
    for sort in ("start", "-took", "service", "status"):
        assert client.get(ORDER, {"view": "table", "sort": sort}).status_code == 200


def test_text_has_them(client: Client) -> None:
    tell_everything()
    text = client.get(ORDER, {"format": "txt"}).content.decode()
    for part in (
        "◇ late → stuck",
        "✉ 22 orders are stuck",
        "✎ asked wms",
        "┄ shipment.created, expected by 11:20 UTC",
    ):
        assert part in text


def test_the_page_draws_a_ghost_to_now(client: Client) -> None:
    tell_everything()
    text = page(client)
    assert 'class="ghostbar"' in text and 'class="late"' in text
    assert ">now</text>" in text
    assert "nothing yet" in text


def test_now_is_drawn_although_reading_took_a_moment(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    judged.judge()
    monkeypatch.setattr("timeline.sheet.now_ns", lambda: judged.NOW + 300 * MS)
    text = page(client)
    assert ">now</text>" in text and '<line class="now"' in text


def axis_and_lanes(client: Client) -> tuple[str, list[tuple[str, str]]]:
    """The axis, and left edge and width of each state in percent."""
    text = page(client)
    bands = re.findall(r'<svg x="([\d.]+)%" width="([\d.]+)%" height="26"><title>', text)
    return re.findall(r'data-axis="([^"]*)"', text)[0], bands


@pytest.mark.parametrize("verdict", ["stuck", "ended"])
def test_a_note_of_a_year_to_come_stretches_nothing(client: Client, verdict: str) -> None:
    one = judged.judge(verdict=verdict)
    told = Note.objects.create(flow_id=one, at_ns=judged.NOW, text="x", name="")
    until_now = axis_and_lanes(client)
    Note.objects.filter(pk=told.pk).update(at_ns=judged.NOW + 3 * 365 * 24 * judged.HOUR * MS)
    assert axis_and_lanes(client) == until_now
    assert until_now[0].split(";")[-1].split(":")[1] == str(judged.NOW) and until_now[1]


@pytest.mark.parametrize("more_ms", [-judged.HOUR, judged.HOUR])
def test_a_state_lasts_until_now_and_not_beyond(client: Client, more_ms: int) -> None:
    judged.judge(verdict="moving", expected_ns=judged.NOW + more_ms * MS)
    text = page(client)
    now = float(re.findall(r'<line class="now" x1="([\d.]+)%"', text)[0])
    _, lanes = axis_and_lanes(client)
    assert now < 99 and max(float(left) + float(width) for left, width in lanes) == pytest.approx(
        now, abs=0.3
    )


def clocks(client: Client) -> list[str]:
    """When each turn and note was, as its row says it."""
    return re.findall(r'<div class="band row aside.*?role="gridcell">([^<]*)<', page(client))


def test_a_row_outside_chapters_says_its_day(client: Client, store: Store, now: Path) -> None:
    # Longer than a minute, or times would be told from its beginning.
    store.put(batch(Service("shop").span("late", 2 * MINUTE, 5, attributes={"order.id": "4711"})))
    one = judged.judge()
    clock.set_file(now, BASE_NS + 34 * judged.HOUR * MS)
    for hours in (1, 5, 20, 33):
        judged.flip(one, hours * judged.HOUR, "due", "late")
    Note.objects.create(flow_id=one, at_ns=BASE_NS + 33 * judged.HOUR * MS + 1, text="x", name="")
    # Today is the 19th: only there the day is left out, and not after a row of another day.
    assert clocks(client) == [
        "18 Nov 12:06:40", "18 Nov 16:06:40", "19 Nov 07:06:40", "20:06:40", "20:06:40",
    ]  # fmt: skip
    clock.set_file(now, BASE_NS + 365 * 24 * judged.HOUR * MS)
    assert clocks(client)[0] == "2026-11-18 12:06"


def test_what_is_not_due_yet_is_drawn_to_when_it_is(client: Client) -> None:
    judged.judge(verdict="moving", expected_ns=judged.NOW + 5 * MINUTE * MS)
    rows = get(client, ORDER)["rows"]
    assert asides(rows)[-1][2] == "expected by 14:23 UTC (learned)"
    text = page(client)
    assert 'class="ghostbar"' in text and 'class="late"' not in text
    assert "in 5 m" in text


def test_a_retry_that_was_announced_and_never_came_is_abandoned(client: Client) -> None:
    judged.judge(source=None)
    judged.promise(by_ms=60_000, said_ms=6_000)
    (ghost,) = [row for row in get(client, ORDER)["rows"] if row["row"] == "ghost"]
    assert ghost["name"] == "charge card, tried again"
    assert ghost["text"] == "said to come by 11:07 UTC (try 3 of 5), nothing yet"
    assert (ghost["marks"], ghost["attempt"], ghost["service"]) == (["abandoned"], 3, "billing")
    assert "abandoned" in page(client)


def test_the_next_retry_is_not_abandoned_before_its_time(client: Client) -> None:
    judged.judge(source=None)
    judged.promise(by_ms=4 * judged.HOUR, said_ms=6_000)
    (ghost,) = [row for row in get(client, ORDER)["rows"] if row["row"] == "ghost"]
    assert (ghost["marks"], ghost["text"]) == ([], "said to come by 15:06 UTC (try 3 of 5)")


def test_a_retry_that_came_leaves_no_ghost(client: Client) -> None:
    judged.judge(source=None)
    # The second try began 200 ms after the failed one said so.
    judged.promise(by_ms=60_000, said_ms=300, trace_id=T1, record_id=first_try())
    assert [row for row in get(client, ORDER)["rows"] if row["row"] == "ghost"] == []


def first_try() -> bytes:
    spans = [one for one in judged.waiting_order() if isinstance(one, Span)]
    return next(span.span_id for span in spans if span.name == "charge card")


def test_of_a_flow_of_which_not_all_was_read_nothing_is_called_abandoned(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged.judge(source=None)
    judged.promise(by_ms=60_000, said_ms=900, trace_id=T1, record_id=first_try())
    monkeypatch.setattr("timeline.queries.story.HEAVY", 1)
    assert [row for row in get(client, ORDER)["rows"] if row["row"] == "ghost"] == []


@pytest.mark.parametrize("record", ["n-1", "f-00", "m-x", "x-awaited"])
def test_a_row_that_is_no_record_opens_nothing(client: Client, record: str) -> None:
    tell_everything()
    assert client.get(ORDER, {"record": record}).status_code in (200, 404)
    told = client.get(ORDER, {"record": record}, headers={"HX-Target": "record"})
    assert told.status_code in (200, 404)


def test_of_the_same_operation_only_counts_as_a_try(client: Client) -> None:
    judged.judge(source=None)
    judged.promise(by_ms=60_000, said_ms=900, trace_id=T1, record_id=first_try())
    (ghost,) = [row for row in get(client, ORDER)["rows"] if row["row"] == "ghost"]
    assert ghost["name"] == "charge card, tried again"


def test_an_awaited_retry_is_one_ghost(client: Client) -> None:
    judged.judge(
        source="stated", reason="retry", awaited_step="", awaited_system="billing",
        evidence={"operation": "charge card", "attempt": 3, "most": 5},
    )  # fmt: skip
    judged.promise(by_ms=14 * MINUTE, said_ms=6_000)
    (ghost,) = [row for row in get(client, ORDER)["rows"] if row["row"] == "ghost"]
    assert (ghost["name"], ghost["marks"]) == ("charge card, tried again", ["abandoned"])


def test_messages_of_a_problem_before_the_flow_was_in_it_are_not_its_own(client: Client) -> None:
    one = judged.judge(source=None)
    judged.problem([one])
    judged.message(-5 * MINUTE, problem_id=b"problem 1234")
    judged.message(5 * MINUTE, problem_id=b"problem 1234")
    assert [name for kind, name, _ in asides(get(client, ORDER)["rows"])] == ["22 orders are stuck"]


def test_a_request_has_notes_and_they_take_no_chapter(client: Client) -> None:
    Note.objects.create(flow_id=T1, at_ns=BASE_NS + 10**12, text="look here", name="")
    rows = get(client, f"/flow/request/trace/{T1.hex()}")["rows"]
    assert (rows[-1]["row"], rows[-1]["depth"], rows[-1]["parent"]) == ("note", 0, None)
    assert rows[0]["row"] == "span"


def test_the_pulse_beats_for_what_is_said(client: Client, now: Path) -> None:
    def pulse() -> str:
        told: str = client.get(ORDER, {"pulse": "1"}).json()["pulse"]
        return told

    told = [pulse()]
    one = judged.judge()
    told.append(pulse())
    judged.flip(one, 14 * MINUTE, None, "due")
    told.append(pulse())
    Note.objects.create(flow_id=one, at_ns=BASE_NS, text="x", name="")
    told.append(pulse())
    judged.message(MINUTE, flow_id=one)
    told.append(pulse())
    assert len(set(told)) == len(told)
    clock.set_file(now, judged.NOW + 10**12)
    assert pulse() == told[-1]
    assert f'data-pulse="{told[-1]}"' in page(client)


def test_a_note_does_not_make_anybody_read_a_large_flow_again(
    client: Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("timeline.prepared.KEPT_FROM", 1)
    monkeypatch.setattr("timeline.window.SHELF", Shelf())
    reads = []

    def counted(*told: Any) -> Story:
        reads.append(told)
        return read_story(*told)

    monkeypatch.setattr("timeline.prepared.read_story", counted)
    one = judged.judge()
    before = get(client, ORDER)["total_rows"]
    Note.objects.create(flow_id=one, at_ns=BASE_NS, text="x", name="")
    assert get(client, ORDER)["total_rows"] == before + 1
    assert len(reads) == 1


def test_a_flow_too_large_to_show_whole_keeps_them_beside_its_folded_chapters(
    client: Client, store: Store
) -> None:
    shop = Service("shop")
    order = {"order.id": "4711"}
    store.put(
        batch(
            *(
                shop.span(
                    f"poll {n}",
                    n,
                    5,
                    id=f"p{n}",
                    trace=trace_id("poll"),
                    parent=span_id("x"),
                    attributes=order,
                )
                for n in range(600)
            )
        )
    )
    tell_everything()
    folded = get(client, ORDER)
    assert {row["row"] for row in folded["rows"]} == {"chapter", "flip", "notification", "note", "ghost"}
    assert len(every_row(client, ORDER, 100, expand="all")) > 600


@pytest.mark.parametrize("state", ["waiting", "trying", "dropped"])
def test_a_message_is_a_row_once_it_may_have_arrived(client: Client, state: str) -> None:
    one = judged.judge(source=None)
    judged.message(5 * MINUTE, state, flow_id=one)
    assert asides(get(client, ORDER)["rows"]) == []
    judged.message(6 * MINUTE, state, flow_id=one, doubtful=True)
    (row,) = [row for row in get(client, ORDER)["rows"] if row["row"] == "notification"]
    assert (row["text"], row["marks"]) == (
        "perhaps sent to a channel that is gone",
        ["opened", "possibly twice"],
    )


def test_what_is_too_old_goes_in_runs(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asides_module.MOST == 500
    few = {
        name: getattr(asides_module, name).replace("500", "2") for name in ("_NOTES", "_FLIPS", "_MESSAGES")
    }
    for name, query in few.items():
        monkeypatch.setattr(asides_module, name, query)
    one = judged.judge(source=None)
    shown = []
    for number in range(7):
        Note.objects.create(flow_id=one, at_ns=BASE_NS + number, text=str(number), name="")
        judged.flip(one, number, None, f"{number}")
        judged.message(number, flow_id=one)
        rows = asides(get(client, ORDER)["rows"])
        assert {kind for kind, _, _ in rows} == {"flip", "note", "notification"} and len(rows) % 3 == 0
        shown.append("".join(name for kind, name, _ in rows if kind == "note"))
    assert shown == ["0", "01", "012", "23", "234", "45", "456"]
    assert [name for kind, name, _ in rows if kind == "flip"] == ["4", "5", "6"]


MANY_MESSAGES = (
    "INSERT INTO message (message_id, channel_id, problem_id, flow_id, phase, subject, body, url, at_ns, not_before_ns, state)"
    " SELECT n, 1, CASE WHEN n % 2 = 0 THEN int4send(n / 20) END, CASE WHEN n % 2 = 1 THEN int4send(n / 20) END, 'opened', '',"
    " '', '', n, n, 'sent' FROM generate_series(1, 20000) AS n",
    "INSERT INTO problem_flow (problem_id, flow_id, kind, since_ns)"
    " SELECT int4send(n / 4), int4send(n), 1, n FROM generate_series(1, 20000) AS n",
    "ANALYZE message, problem_flow",
)


def test_what_is_asked_every_second_reads_no_table_of_messages_whole(clean_store: None) -> None:
    """Of thousands, so that the planner has a reason."""
    with connection.cursor() as cursor, transaction.atomic():
        for statement in MANY_MESSAGES:
            cursor.execute(statement)
        for query in (asides_module.COUNTED, asides_module._MESSAGES):
            cursor.execute(f"EXPLAIN {query}", {"flow": bytes(16)})
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert "message_flow" in plan and "message_problem" in plan, plan
            assert "Seq Scan on message" not in plan and "Seq Scan on problem_flow" not in plan, plan
        transaction.set_rollback(True)
