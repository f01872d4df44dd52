"""`manage.py forget`: a flow goes from everywhere, and whoever shared its records is as if they had never come."""

import io
import re
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connections
from django.test import Client
from psycopg import sql
from psycopg.types.json import Jsonb

from tests import tables
from tests.builders import BASE_NS, Service, batch, event, trace_id
from tests.conftest import empty_tables
from tests.judged import problem as judged_problem
from tests.test_shares import share
from tests.test_snapshots_cleaning import spans_of
from tests.test_thinning import flow_id, wrong
from tests.watching import insert
from timeline import sharing
from timeline.addresses import flow_url
from tracing import erasing, retention, unused
from tracing.auditing import Audit
from tracing.clock import now_ns
from tracing.forgetting import count_flows
from tracing.management.commands import forget
from tracing.models import Note
from tracing.records import DAY_NS, Log, Span
from tracing.sentence import Sentence
from tracing.snapshots import copying, keeping, staging
from tracing.storing import Store
from tracing.watch.pinning import Pinning

SHOP, BILLING = Service("shop"), Service("billing", **{"customer.id": "c1"})
OWN = "4711"


def traffic() -> tuple[list[Span | Log], list[Span | Log]]:
    """A nightly batch in which orders share records, traces and logs of their own; and those of them that name 4711."""
    about = {"order.id": OWN}
    batched = trace_id("batch")
    root = SHOP.span(
        "nightly", 0, 90, trace=batched, attributes={"workflow.id": "n1", "workflow.type": "nightly"}
    )
    others: list[Span | Log] = [root]
    own: list[Span | Log] = []
    for number, key in enumerate((OWN, "4712", "4713")):
        told = SHOP.span(
            f"handle {key}", number, 5, trace=batched, parent=root, status=2,
            attributes={"order.id": key, "order.state": f"s{number}", "workflow.id": "n1", "workflow.type": "nightly"},
            events=[event("exception", number, exception__type="E", exception__message="no")],
        )  # fmt: skip
        below = BILLING.span(f"charge {key}", number, 3, trace=batched, parent=told)
        mail = SHOP.log(f"mailed {key}", number, attributes={"order.id": key, "customer.id": "c2"})
        (own if key == OWN else others).extend([told, mail])
        others.append(below)
    alone = SHOP.span("first", -5, 1, trace=trace_id("alone"), attributes=about | {"order.state": "new"})
    late = SHOP.span("last", 9e7, 1, trace=trace_id("alone"), parent=alone, attributes=about, links=[root])
    own += [alone, late, SHOP.log("x", 9e7, span=late, attributes=about, severity=17)]
    own.append(
        SHOP.span(
            "ancient", 0, 1, trace=trace_id("old"), start_ns=7, attributes=about | {"customer.id": "c2"}
        )
    )
    return others, own


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("forget", *arguments, "--wait", stdout=out)
    return out.getvalue()


@pytest.fixture
def both(store: Store, conninfo: str) -> Iterator[dict[str, tables.Rows]]:
    """Everything is stored; what would be without 4711."""
    others, own = traffic()
    store.put(batch(*others))
    without = tables.everything(conninfo)
    empty_tables()
    store.put(batch(*others[:3], *own[:2]))
    store.put(batch(*others[3:], *own[2:]))
    yield without


def members_without_rows(conninfo: str) -> list[tuple[Any, ...]]:
    return tables.ask(conninfo, "SELECT 1 FROM member WHERE span_ids = '' AND log_ids = ''")


def test_whoever_shared_its_records_is_as_if_they_had_never_come(
    both: dict[str, tables.Rows], conninfo: str
) -> None:
    said = run("order", OWN, "--yes")
    assert tables.everything(conninfo) == both
    assert members_without_rows(conninfo) == []
    assert forget.AGAIN in said
    assert "4 spans and 2 logs" in said.split("Erased")[0] and "Erased: " in said
    assert (
        "Erased: 1 flow, 4 spans, 2 logs" in said
        and "4 spans" in said.split("Erased")[1]
        and "counts again" in said
    )
    assert tables.ask(conninfo, "SELECT 1 FROM recount") == []


def test_the_pages_of_the_others_are_as_if_they_had_never_come(
    both: dict[str, tables.Rows], store: Store, client: Client
) -> None:
    addresses = [
        "/flow/entity/order/4712", "/flow/entity/order/4713", "/flow/entity/customer/c2", "/flow/entity/customer/c1",
        "/flow/workflow/nightly/n1", f"/flow/request/trace/{trace_id('batch').hex()}",
    ]  # fmt: skip
    run("order", OWN, "--yes")
    assert client.get(f"/flow/entity/order/{OWN}").status_code == 404
    assert client.get(f"/flow/request/trace/{trace_id('alone').hex()}").status_code == 404
    after = [client.get(f"{path}?format=json&expand=all").json() for path in addresses]
    empty_tables()
    store.put(batch(*traffic()[0]))
    never = [client.get(f"{path}?format=json&expand=all").json() for path in addresses]
    of_time = ("verdict", "waiting_for", "problems", "retained")
    for one in (*after, *never):
        one["trust"].pop("late")
        one["trust"].pop("resent")
        for name in of_time:
            one["flow"].pop(name)
    assert after == never


class Died(Exception):
    """Where a crash is played."""


def test_it_goes_on_where_a_crash_cut_it_short(
    both: dict[str, tables.Rows], conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member row a transaction; each run dies after one of them, the last before anybody is counted anew."""
    monkeypatch.setattr(erasing, "CHUNK", 0)
    erase_some = erasing._erase_some

    def once(*values: Any) -> bool:
        if erase_some(*values):
            raise Died
        return False

    def never(*values: Any) -> int:
        raise Died

    monkeypatch.setattr(erasing, "_erase_some", once)
    monkeypatch.setattr(erasing, "finish", never)
    runs = 0
    while tables.ask(conninfo, "SELECT 1 FROM flow WHERE key = %s", OWN):
        with pytest.raises(Died):
            run("order", OWN, "--yes")
        runs += 1
        assert runs < 20
    assert runs > 3
    monkeypatch.undo()
    with pytest.raises(Sentence, match="Nothing is known"):
        run("order", OWN, "--yes")
    assert tables.everything(conninfo) == both


def test_of_a_thinned_trace_kept_in_part_the_counts_are_less_by_what_went(
    both: dict[str, tables.Rows], conninfo: str, worker: psycopg.Connection
) -> None:
    day = BASE_NS // DAY_NS
    worker.execute("DELETE FROM span WHERE name = 'charge 4713'")
    worker.execute("UPDATE day SET thinned_ns = 1 WHERE day = %s", (day,))
    run("order", OWN, "--yes")
    trace = trace_id("batch")
    counts = tables.ask(conninfo, "SELECT spans, logs FROM request WHERE trace_id = %s", trace)
    assert counts == [(6, 0)]
    assert tables.flow(conninfo, "4712")["spans"] == 1


def test_every_flow_with_a_key(store: Store, conninfo: str) -> None:
    for environment in ("production", "staging"):
        shop = Service("shop", environment)
        store.put(
            batch(
                shop.span(
                    "a", 0, 1, trace=trace_id(environment), attributes={"order.id": OWN, "payment.id": OWN}
                ),
                shop.span("b", 0, 1, trace=trace_id(environment), attributes={"order.id": "else"}),
            )
        )
    with pytest.raises(Sentence, match="several flows"):
        run("order", OWN, "--yes")
    run("order", OWN, "--env", "staging", "--yes")
    left = "SELECT type, key, environment FROM flow ORDER BY 1, 2, 3"
    assert ("order", OWN, "production") in tables.ask(conninfo, left)
    run("--key", OWN, "--yes")
    assert {row[1] for row in tables.ask(conninfo, left)} == {"else"}
    assert tables.ask(conninfo, "SELECT name FROM span") == [("b",), ("b",)]


@pytest.mark.parametrize("arguments", [(), ("order",), ("order", "1", "2"), ("order", "1", "--key", "1")])
def test_what_it_does_not_understand_is_one_sentence(conninfo: str, arguments: tuple[str, ...]) -> None:
    with pytest.raises(Sentence, match="Say which flow"):
        run(*arguments)


@pytest.mark.parametrize(
    "arguments", [("order", "none"), ("--key", "none"), ("order", "1", "--env", "nowhere")]
)
def test_who_is_unknown_is_one_sentence(both: object, arguments: tuple[str, ...]) -> None:
    out = io.StringIO()
    with pytest.raises(Sentence, match="Nothing is known of"):
        call_command("forget", *arguments, "--yes", "--wait", stdout=out)
    # Of a name it cannot be told beforehand whether something says it.
    assert ("These records go" in out.getvalue()) == ("--key" not in arguments)


def test_whatever_is_counted_has_words(conninfo: str) -> None:
    with psycopg.connect(conninfo) as connection, connection.cursor() as cursor:
        counted = count_flows(cursor, [b""])
    assert set(counted) <= set(forget.WORDS)
    named = re.findall(r'(?:told|gone)\["([^"]+)"\]', Path(erasing.__file__).read_text())
    assert len(named) > 5 and set(named) <= set(forget.WORDS)


def test_without_a_yes_nothing_goes(both: object, conninfo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tables.everything(conninfo)
    monkeypatch.setattr("builtins.input", lambda prompt: "no")
    with pytest.raises(Sentence, match="Nothing was erased"):
        run("order", OWN)
    assert tables.everything(conninfo) == before
    monkeypatch.setattr("builtins.input", lambda prompt: "Yes")
    assert "Erased" in run("order", OWN)


def test_what_was_written_about_it_names_it_no_more(
    both: object, conninfo: str, worker: psycopg.Connection
) -> None:
    identity = flow_id(conninfo, OWN)
    wrong(worker, identity)
    worker.execute(
        "UPDATE problem SET title = 'Order 4711 is late', why = 'stuck since 4711 came, not 47110',"
        ' evidence = \'{"worst": "4711", "n": 4711}\''
    )
    problem = identity[:12]
    insert(
        worker, "message", message_id="m", channel_id=1, problem_id=problem, phase="opened", subject="4711", body="x",
        url="", at_ns=1, not_before_ns=1, state="sent",
    )  # fmt: skip
    insert(
        worker,
        "flip",
        flip_id=b"1",
        problem_id=problem,
        at_ns=1,
        judged_ns=1,
        after="open",
        sentence="4711 waits",
    )
    Note.objects.create(flow_id=flow_id(conninfo, "4712"), at_ns=1, text="like order 4711; room 4711")
    Note.objects.create(flow_id=identity, at_ns=1, text="mine")
    worker.execute(
        "INSERT INTO learned (type, environment, step, source, passed, waiting, is_end, facts, learned_ns)"
        " VALUES ('order', '', '', 'state', 1, 1, false, %s, 1)",
        (f'{{"examples": [{{"flow": "{identity.hex()}", "key": "4711"}}, {{"flow": "00", "key": "1"}}]}}',),
    )
    run("order", OWN, "--yes")
    assert tables.ask(conninfo, "SELECT title, why, evidence, all_flows FROM problem") == [
        (
            "Order [forgotten] is late",
            "stuck since [forgotten] came, not 47110",
            {"worst": "[forgotten]", "n": 4711},
            0,
        )
    ]
    assert tables.ask(conninfo, "SELECT subject FROM message") == [("[forgotten]",)]
    assert tables.ask(conninfo, "SELECT sentence FROM flip") == [("[forgotten] waits",)]
    assert [note.text for note in Note.objects.all()] == ["like order [forgotten]; room 4711"]
    assert tables.ask(conninfo, "SELECT facts FROM learned") == [
        ({"examples": [{"flow": "00", "key": "1"}]},)
    ]


def test_frozen_copies_lose_it_too(both: object, conninfo: str, worker: psycopg.Connection) -> None:
    own, other = (
        keeping.freeze(
            worker,
            copying.Subject(flows=(flow_id(conninfo, key, kind),)),
            keeping.About("flow", "x", "/x", flow_id=flow_id(conninfo, key, kind), pinned=True),
            10**9,
        )
        for kind, key in (("order", OWN), ("nightly", "n1"))
    )
    assert "handle 4711" in spans_of(worker, other)
    assert "1 frozen copy," in run("order", OWN, "--yes")
    assert list(keeping.parts(worker, own)) == []
    left = spans_of(worker, other)
    assert "handle 4711" not in left
    assert {"nightly", "handle 4712"} <= left


def drop_days(worker: psycopg.Connection, at: Callable[[int], None], flow_days: int) -> None:
    """Retention takes every day, and the flows that were quiet for so many days."""
    worker.execute("UPDATE day SET last_received_ns = 0")
    at(now_ns() + 500 * DAY_NS)
    retention.drop_old(worker, 14, flow_days)


def frozen(worker: psycopg.Connection, identity: bytes, *, request: bool = False, values: bool = True) -> int:
    """The id of a copy of a flow, or of a request."""
    subject = copying.Subject(requests=(identity,)) if request else copying.Subject(flows=(identity,))
    about = keeping.About("flow", "x", "/x", flow_id=identity, pinned=True, with_values=values)
    return keeping.freeze(worker, subject, about, 10**9)


@pytest.mark.parametrize("flow_days", [50_000, 400])
def test_copies_lose_it_when_nobody_knows_any_more_who_shared_its_records(
    both: object, conninfo: str, worker: psycopg.Connection, at: Callable[[int], None], flow_days: int
) -> None:
    nightly, customer = flow_id(conninfo, "n1", "nightly"), flow_id(conninfo, "c2", "customer")
    copies = [
        frozen(worker, trace_id("batch"), request=True), frozen(worker, nightly), frozen(worker, customer),
        frozen(worker, trace_id("batch"), request=True, values=False), frozen(worker, nightly, values=False),
    ]  # fmt: skip
    before = [records_of(worker, one) for one in copies]
    drop_days(worker, at, flow_days)
    assert tables.ask(conninfo, "SELECT 1 FROM member") == []
    said = run("order", OWN, "--yes")
    assert "records in other frozen copies" in said
    assert ("Erased: 1 flow," in said) == (flow_days > 400)
    for one, had in zip(copies, before, strict=True):
        assert had - records_of(worker, one) == had & {"handle 4711", "mailed 4711", "ancient"} != set()
    with pytest.raises(Sentence, match="Nothing is known"):
        run("order", OWN, "--yes")


def test_of_days_that_are_gone_its_own_copy_knows_the_records(
    both: object, conninfo: str, worker: psycopg.Connection
) -> None:
    """Some of its records are stored still; in the copy without values nothing tells whose they are."""
    own = frozen(worker, flow_id(conninfo, OWN))
    other = frozen(worker, flow_id(conninfo, "n1", "nightly"), values=False)
    worker.execute("DELETE FROM member WHERE trace_id = %s", (trace_id("batch"),))
    run("order", OWN, "--yes")
    assert list(keeping.parts(worker, own)) == []
    assert "handle 4711" not in records_of(worker, other) and "handle 4712" in records_of(worker, other)


def test_problems_that_only_copies_know_lose_its_name(
    both: object, conninfo: str, client: Client, worker: psycopg.Connection
) -> None:
    judged_problem([flow_id(conninfo, OWN), flow_id(conninfo, "4712")])
    worker.execute("UPDATE problem SET title = 'payment of 4711 refused', why = '4711 waits'")
    problem_id = tables.one(conninfo, "SELECT encode(problem_id, 'hex') FROM problem")
    for of in (f"/flow/entity/order/{OWN}", "/flow/entity/order/4712", f"/problems/{problem_id}"):
        assert client.post("/pin", {"of": of, "until": "30", "name": "x"}).status_code == 302
    worker.execute("DELETE FROM problem_flow WHERE flow_id = %s", (flow_id(conninfo, OWN),))
    worker.execute("DELETE FROM flow WHERE key = %s", (OWN,))
    worker.execute("TRUNCATE expectation, tracing_audit")
    assert {table for table, _ in named_in(conninfo)} >= {"problem", "tracing_snapshot", "copy"}
    assert "texts in frozen copies" in run("order", OWN, "--yes")
    assert named_in(conninfo) == []


def records_of(worker: psycopg.Connection, snapshot_id: int) -> set[str]:
    """Names of spans and texts of logs; of a copy without values its log is told by its place."""
    stage_id = staging.staged(worker, f"look {snapshot_id}", lambda: keeping.parts(worker, snapshot_id))
    rows = worker.execute(
        "SELECT name FROM stage.span_rows WHERE stage_id = %(stage)s"
        " UNION ALL SELECT body #>> '{}' FROM stage.log_rows WHERE stage_id = %(stage)s",
        {"stage": stage_id},
    ).fetchall()
    staging.clear(worker, stage_id)
    return {row[0] for row in rows}


def test_a_flow_that_only_its_copy_knows(
    both: object, client: Client, worker: psycopg.Connection, at: Callable[[int], None]
) -> None:
    client.post("/pin", {"of": f"/flow/entity/order/{OWN}", "name": "Ann"})
    drop_days(worker, at, 400)
    assert client.get(f"/flow/entity/order/{OWN}", follow=True).status_code == 200
    said = run("order", OWN, "--yes")
    assert "order 4711 (production): no longer stored" in said and "Erased: 1 frozen copy" in said
    assert client.get(f"/flow/entity/order/{OWN}").status_code == 404
    assert {told.action for told in Audit.objects.all()} >= {"flow forgotten"}


def test_a_file_that_is_looked_at_goes_with_its_flow(
    both: object, conninfo: str, client: Client, worker: psycopg.Connection
) -> None:
    content = client.get(f"/flow/entity/order/{OWN}?format=otlp").getvalue()
    empty_tables()
    client.post("/import", {"file": SimpleUploadedFile("flow.json", content), "into": "look"})
    ((snapshot_id,),) = tables.ask(conninfo, "SELECT id FROM tracing_snapshot")
    assert client.get(f"/flow/entity/order/{OWN}?frozen={snapshot_id}").status_code == 200
    assert "Erased: 1 frozen copy" in run("--key", OWN, "--yes")
    assert client.get(f"/flow/entity/order/{OWN}?frozen={snapshot_id}").status_code == 404


def test_of_what_is_gone_the_name_goes_too_unless_another_has_it(
    store: Store, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Note.objects.create(flow_id=b"\x01" * 16, at_ns=1, text="as order 4711")
    texts = "SELECT text FROM tracing_note"
    staged = Service("shop", "staging").span("a", 0, 1, trace=trace_id("a"), attributes={"order.id": OWN})
    store.put(batch(staged))
    with pytest.raises(Sentence, match="Nothing is known of order 4711 in production"):
        run("order", OWN, "--env", "production", "--yes")
    assert tables.ask(conninfo, texts) == [("as order 4711",)]
    run("order", OWN, "--yes")
    Note.objects.update(text="as order 4711")
    monkeypatch.setattr("builtins.input", lambda prompt: "no")
    with pytest.raises(Sentence, match="Nothing was erased"):
        run("order", OWN)
    assert "Erased: 1 text that named it." in run("order", OWN, "--yes")
    assert tables.ask(conninfo, texts) == [("as order [forgotten]",)]


def test_a_copy_that_was_begun_before_is_found_though_the_run_is_cut_short(
    both: object, conninfo: str, worker: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is kept after the records went from the store, and without values nothing in it tells whose they are."""
    begun, may_keep = threading.Event(), threading.Event()
    take = copying.take
    nightly = flow_id(conninfo, "n1", "nightly")

    def slow(*arguments: Any, **named: Any) -> copying.Copy:
        copy = take(*arguments, **named)
        begun.set()
        may_keep.wait(20)
        return copy

    def keep() -> int:
        with psycopg.connect(conninfo, autocommit=True) as other, keeping.undisturbed(other):
            return frozen(other, nightly, values=False)

    erase_some = erasing._erase_some

    def all_and_dead(*arguments: Any) -> bool:
        if erase_some(*arguments):
            return True
        raise Died

    monkeypatch.setattr(copying, "take", slow)
    monkeypatch.setattr(erasing, "_erase_some", all_and_dead)
    with ThreadPoolExecutor(1) as pool:
        copy = pool.submit(keep)
        begun.wait(20)
        threading.Timer(1, may_keep.set).start()
        with pytest.raises(Died):
            run("order", OWN, "--yes")
        may_keep.set()
        left = records_of(worker, copy.result(20))
    assert "handle 4711" not in left and "handle 4712" in left


def test_the_audit_says_that_something_was_forgotten_and_not_what(both: object) -> None:
    run("order", OWN, "--yes")
    [told] = Audit.objects.all()
    assert (told.action, told.subject, told.detail) == ("flow forgotten", "order", "production")


NAMED = re.compile(r"(?<!room )(?<![\w.])4711(?![\w.])")
CUSTOMER = re.compile(r"(?<![\w.])c1(?![\w.])")


# What only mentions it stays.
RECORDS = re.compile(r"(?:span|log)(?:_rows|_[dk][0-9]+)?")


def named_in(conninfo: str, named: re.Pattern[str] = NAMED) -> list[tuple[str, str]]:
    """Where the order, or another flow, is still named, in any table or frozen copy."""
    tables_of = tables.ask(
        conninfo,
        "SELECT table_schema, table_name FROM information_schema.tables"
        " WHERE table_type = 'BASE TABLE' AND table_schema IN ('public', 'stage')",
    )
    found = []
    with psycopg.connect(conninfo) as connection:
        for schema, table in tables_of:
            question = sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(schema, table))
            if not RECORDS.fullmatch(table):
                found += [(table, text) for (text,) in connection.execute(question) if named.search(text)]
        for table, data in connection.execute('SELECT "table", data FROM tracing_snapshotpart'):
            if not RECORDS.fullmatch(table) and named.search(zlib.decompress(data).decode(errors="replace")):
                found.append(("copy", table))
    return found


@pytest.mark.parametrize("shows", ["frozen", "live"])
def test_links_pins_copies_and_the_audit_lose_its_name(
    both: object, conninfo: str, client: Client, shows: str
) -> None:
    judged_problem([flow_id(conninfo, OWN), flow_id(conninfo, "4712")])
    with psycopg.connect(conninfo) as connection:
        connection.execute(
            "UPDATE problem SET title = 'Failed: payment of 4711 refused', why = 'order 4711 waits', evidence = %s",
            (Jsonb({"order 4711": "4711", "worst": ["order 4711"]}),),
        )
        Note.objects.create(flow_id=flow_id(conninfo, "4712"), at_ns=BASE_NS, text="as order 4711, room 4711")
    page, other = f"/flow/entity/order/{OWN}", "/flow/entity/order/4712"
    compared = "/compare?" + urlencode({"a": page, "b": other})
    [(problem_id,)] = tables.ask(conninfo, "SELECT encode(problem_id, 'hex') FROM problem")
    paths = [
        share(client, of, shows=shows, reason="for order 4711")
        for of in (page, compared, other, f"/problems/{problem_id}")
    ]
    client.post("/pin", {"of": other, "until": "30", "reason": "beside order 4711", "name": "x"})
    client.post("/pin", {"of": f"/problems/{problem_id}", "until": "30", "reason": "4711", "name": "x"})
    client.post(f"/problems/{problem_id}/note", {"text": "about 4711", "name": "x"})
    client.post(page, {"do": "close", "reason": "4711 is done", "name": "x"})
    for path in paths:
        assert client.get(path).status_code == 200
    assert {"tracing_share", "tracing_audit", "tracing_snapshot", "problem_rows"} <= {
        table for table, _ in named_in(conninfo)
    }
    run("order", OWN, "--yes")
    assert named_in(conninfo) == []
    assert [client.get(path).status_code for path in paths] == [404, 404, 200, 200]
    assert client.get(paths[0]).content == client.get("/s/" + "x" * 43).content
    told = client.get(paths[1] + "?format=json")
    assert told.status_code == 404 and told.content == client.get(f"/s/{'x' * 43}?format=json").content
    assert "[forgotten] waits" in client.get(paths[3]).content.decode()


@pytest.mark.parametrize("shows", ["frozen", "live"])
def test_links_of_others_stay_however_alike(store: Store, conninfo: str, client: Client, shows: str) -> None:
    keys = ("4711.5", "4711/2", "4711:a", "x4711")
    spans = [
        SHOP.span("handle", n, 5, trace=trace_id(f"t{n}"), attributes={"order.id": key})
        for n, key in enumerate((OWN, *keys))
    ]
    store.put(batch(*spans))
    staging = Service("shop", environment="staging")
    store.put(batch(staging.span("handle", 9, 5, trace=trace_id("t9"), attributes={"order.id": OWN})))
    others = [*(flow_url("entity", "order", key) for key in keys), f"/flow/entity/order/{OWN}?env=staging"]
    others.append("/compare?" + urlencode({"a": others[0], "b": others[1]}))
    own = share(client, f"/flow/entity/order/{OWN}", shows=shows)
    paths = [share(client, of, shows=shows) for of in others]
    before = tables.ask(conninfo, "SELECT title, path, query FROM tracing_share WHERE id > 1 ORDER BY id")
    run("order", OWN, "--env", "production", "--yes")
    assert client.get(own).status_code == 404
    assert {client.get(path).status_code for path in paths} == {200}
    after = tables.ask(conninfo, "SELECT title, path, query FROM tracing_share WHERE id > 1 ORDER BY id")
    assert after[-len(paths) :] == before[-len(paths) :] and len(after) >= len(paths)


@pytest.mark.parametrize("way", ["share", "share live", "pin", "problem"])
def test_nothing_is_copied_while_a_flow_goes(
    both: object, conninfo: str, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """What was begun before its own row went would keep its name for good."""
    page = f"/flow/entity/order/{OWN}"
    judged_problem([flow_id(conninfo, OWN), flow_id(conninfo, "4712")])
    with psycopg.connect(conninfo) as connection:
        connection.execute(
            "UPDATE problem SET title = 'order 4711 and another wait', why = 'order 4711 waits'"
        )
    problem_id = tables.one(conninfo, "SELECT encode(problem_id, 'hex') FROM problem")
    of = f"/problems/{problem_id}" if way == "problem" else page
    asked = {"of": of, "until": "30", "reason": "", "name": "x", "audience": "anyone", "detail": "values",
             "shows": "live" if way == "share live" else "frozen"}  # fmt: skip
    end, begun = erasing._end, list[Future[int]]()

    def post() -> int:
        try:
            return Client().post("/pin" if way == "pin" else "/share", asked).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:

        def ended(*arguments: Any) -> bool:
            begun.append(pool.submit(post))
            time.sleep(0.3)
            assert not begun[0].done()
            return end(*arguments)

        monkeypatch.setattr(erasing, "_end", ended)
        run("order", OWN, "--yes")
        # A problem of others too is still there, and says no more of it.
        assert begun[0].result(20) == (302 if way == "problem" else 404)
    assert named_in(conninfo) == []


def test_nobody_waits_for_long(
    both: object, conninfo: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = share(client, "/flow/entity/order/4712", shows="live")
    monkeypatch.setattr(sharing, "LONGEST_WAIT_S", 1)
    asked = {"of": "/flow/entity/order/4712", "until": "30", "reason": "", "name": "x"}
    with psycopg.connect(conninfo, autocommit=True) as other, keeping.forgetting(other):
        pinned = client.post("/pin", asked)
        assert pinned.status_code == 503 and "is being forgotten just now" in pinned.content.decode()
        assert client.get(path).status_code == 200  # what is laid out already is shown
    assert client.post("/pin", asked).status_code == 302 and client.get(path).status_code == 200


def test_problems_pin_nothing_while_a_flow_goes(conninfo: str, worker: psycopg.Connection) -> None:
    with psycopg.connect(conninfo, autocommit=True) as other, keeping.forgetting(other):
        pinning = Pinning("production", 10**9, 30)
        assert pinning.work(worker) is False
        with keeping.undisturbed(worker, wait=False) as is_free:
            assert not is_free
    with keeping.undisturbed(worker, wait=False) as is_free:
        assert is_free


def test_a_key_on_the_resource_goes_with_it(
    both: object, conninfo: str, worker: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after a run that was cut short before it came to what nobody uses any more."""
    copies = [
        frozen(worker, trace_id("batch"), request=True),
        frozen(worker, flow_id(conninfo, "n1", "nightly")),
    ]
    assert {table for table, _ in named_in(conninfo, CUSTOMER)} >= {"resource", "copy"}
    drop = unused.drop

    def dead(*arguments: Any) -> int:
        raise Died

    monkeypatch.setattr(unused, "drop", dead)
    with pytest.raises(Died):
        run("customer", "c1", "--yes")
    monkeypatch.setattr(unused, "drop", drop)
    assert "Erased: 1 resource or scope that no record uses any more" in run("customer", "c1", "--yes")
    assert named_in(conninfo, CUSTOMER) == []
    assert tables.ask(conninfo, "SELECT service FROM resource") == [("shop",)]
    assert all("handle 4712" in spans_of(worker, one) for one in copies)


def test_a_text_may_not_grow_beyond_its_column(both: object, conninfo: str) -> None:
    Audit.objects.create(action="x", subject=("order 4711 " * 30)[:300])
    run("order", OWN, "--yes")
    [told] = Audit.objects.filter(action="x")
    assert "4711" not in told.subject and len(told.subject) == 300
