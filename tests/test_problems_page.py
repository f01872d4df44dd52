"""`/problems`, a problem's page and what people say there, in every form."""

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from tests import wrongs
from tests.builders import Service, batch, trace_id
from tests.wrongs import HOUR_NS, MINUTE_NS, problem_id
from timeline.columns import columns
from timeline.queries.problems import of_flows
from tracing.auditing import Audit
from tracing.clock import now_ns
from tracing.people import Note
from tracing.storing import Store

CONTRACT = {
    "id", "kind", "type", "step", "system", "title", "why", "flows", "first", "last", "state", "url",
}  # fmt: skip
FIRST = {"reason": "asking the carrier", "name": "Ada Ünal"}


@pytest.fixture
def waiting(store: Store) -> bytes:
    return wrongs.waiting_orders(store, 3)


def listed(client: Client, **query: str) -> list[dict[str, Any]]:
    answer = client.get("/problems", {"format": "json"} | query)
    assert answer.status_code == 200, answer.content
    problems: list[dict[str, Any]] = answer.json()["problems"]
    return problems


def titles(client: Client, **query: str) -> list[str]:
    return [one["title"] for one in listed(client, **query)]


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def address(problem: bytes) -> str:
    return f"/problems/{problem.hex()}"


def shown(client: Client, problem: bytes, **query: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(address(problem), {"format": "json"} | query).json()
    return answer


def test_the_problem_object_of_the_contract(client: Client, waiting: bytes) -> None:
    (one,) = listed(client, state="open")
    assert one.keys() >= CONTRACT
    assert {
        name: one[name] for name in ("id", "kind", "type", "step", "system", "flows", "state", "url")
    } == {
        "id": waiting.hex(),
        "kind": "stuck",
        "type": "order",
        "step": "paid",
        "system": "wms",
        "flows": 3,
        "state": "open",
        "url": f"http://127.0.0.1:8000/problems/{waiting.hex()}",
    }
    assert all(re.fullmatch(r"\d{19}", one[name]) for name in ("first", "last", "opened"))
    assert one["resolved"] is None and one["cause"] is None and one["environment"] == "production"


@pytest.fixture
def several(clean_store: None) -> None:
    at_ns = now_ns()
    wrongs.problem("cause", title="mailer is silent", kind="silent_service", type="", step="", system="mailer",
                   flows=0, last_ns=at_ns - 4)  # fmt: skip
    wrongs.problem("effect", title="invoices wait", kind="late", type="invoice", system="mailer", cause="cause",
                   last_ns=at_ns - 3)  # fmt: skip
    wrongs.problem("staging", title="staging fails", kind="failed", environment="staging", last_ns=at_ns - 2)
    wrongs.problem("taken", title="taken", state="acknowledged", last_ns=at_ns - 1)
    wrongs.problem("muted", title="set aside", state="muted", last_ns=at_ns - 5)
    wrongs.problem(
        "over", title="over", state="resolved", flows=0, resolved_ns=at_ns - HOUR_NS, last_ns=at_ns - 6
    )
    wrongs.problem("forming", title="forming", state="forming", last_ns=at_ns)


ALL = ["taken", "staging fails", "invoices wait", "mailer is silent", "set aside", "over"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["staging fails", "invoices wait", "mailer is silent"]),
        ({"state": "open"}, ["staging fails", "invoices wait", "mailer is silent"]),
        ({"state": "acknowledged"}, ["taken"]),
        ({"state": "muted"}, ["set aside"]),
        ({"state": "resolved"}, ["over"]),
        ({"state": "all"}, ALL),
        ({"state": "all", "kind": "failed"}, ["staging fails"]),
        ({"state": "all", "type": "invoice"}, ["invoices wait"]),
        ({"state": "all", "env": "staging"}, ["staging fails"]),
        ({"state": "all", "system": "mailer"}, ["invoices wait", "mailer is silent"]),
        ({"system": "nobody"}, []),
    ],
)
def test_filters(client: Client, several: None, query: dict[str, str], expected: list[str]) -> None:
    assert titles(client, **query) == expected
    html = re.sub("follows from <a.*?</a>", "", client.get("/problems", query).content.decode())
    assert [title for title in ALL if f">{title}</a>" in html] == [
        title for title in ALL if title in expected
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [("state", "forming"), ("kind", "bad"), ("limit", "0"), ("limit", "501"), ("cursor", "x"), ("type", "a\0b"),
     ("cursor", "9223372036854775808." + "00" * 12), ("format", "xml")],
)  # fmt: skip
def test_a_bad_filter_names_its_field(client: Client, clean_store: None, field: str, value: str) -> None:
    answer = client.get("/problems", {"format": "json", field: value})
    assert answer.status_code == 400
    if field != "format":
        assert answer.json()["field"] == field and answer.json()["sentence"].endswith(".")


def test_pages_hold_each_problem_once(client: Client, clean_store: None) -> None:
    at_ns = now_ns()
    for number in range(23):
        wrongs.problem(f"p{number}", title=f"p{number}", last_ns=at_ns - number // 5)
    whole = titles(client, limit="500")
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = client.get("/problems", {"format": "json", "limit": "5", "cursor": cursor}).json()
        found += [one["title"] for one in answer["problems"]]
        cursor = answer["next"]
    assert found == whole and len(set(found)) == 23
    assert "Earlier →" in client.get("/problems", {"limit": "5"}).content.decode()


def test_effects_stand_under_their_cause_or_name_it(client: Client, several: None) -> None:
    html = client.get("/problems").content.decode()
    below = re.search(r'<ul class="plainlist effects">(.*?)</ul>', html, re.DOTALL)
    assert below and "invoices wait" in below[1]
    alone = client.get("/problems", {"type": "invoice"}).content.decode()
    assert (
        "follows from" in alone and f'<a href="{address(problem_id("cause"))}">mailer is silent</a>' in alone
    )


def test_problems_in_a_circle_are_all_listed(client: Client, clean_store: None) -> None:
    wrongs.problem("one", title="one", cause="other")
    wrongs.problem("other", title="other", cause="one")
    html = client.get("/problems").content.decode()
    assert html.count(">one</a>") == html.count(">other</a>") == 1


@pytest.mark.parametrize("form", ["txt", "md"])
def test_the_list_as_text(client: Client, several: None, form: str) -> None:
    text = client.get("/problems", {"format": form, "state": "all"}).content.decode()
    assert "mailer is silent" in text and "follows from it: ◧ invoices wait" in text
    if form == "txt":
        assert max(map(len, text.splitlines())) <= 100
    assert (
        client.get("/problems", {"format": form, "type": "none"}).content.decode() == "No problem matches.\n"
    )


def test_tabs_count_what_they_lead_to(client: Client, several: None) -> None:
    html = client.get("/problems", {"env": "production"}).content.decode()
    links = re.findall(r'<a class="chip"[^>]* href="([^"]+)"[^>]*>\w+ <b>(\d+)</b>', html)
    assert len(links) == 3
    for link, number in links:
        path, _, query = unescape(link).partition("?")
        told = client.get(f"{path}?{query}&format=json" if query else f"{path}?format=json").json()
        assert len(told["problems"]) == int(number), link


def test_the_grey_ones_can_be_asked_for_and_the_open_ones_are_explained(
    client: Client, several: None
) -> None:
    wrongs.problem("grey", title="a guess", severity=1)
    wrongs.problem("set aside", title="a guess set aside", severity=1, state="muted")
    assert titles(client, grey="only") == ["a guess"]
    assert "a guess" not in titles(client, grey="no") and len(titles(client, grey="no")) == 3
    assert "open 4 (1 grey, 1 follows from another)" in words(client.get("/problems").content.decode())
    only = client.get("/problems", {"grey": "only"}).content.decode()
    assert "open 1 acknowledged" in words(only) and '<option value="only" selected>' in only
    assert client.get("/", {"format": "json"}).json()["needing"] == 2


@pytest.mark.parametrize("path", ["/problems/" + "0" * 24, "/problems/xyz", "/problems/" + "A" * 24])
@pytest.mark.parametrize("form", ["html", "json", "txt"])
def test_no_such_problem(client: Client, clean_store: None, path: str, form: str) -> None:
    answer = client.get(path, {"format": form})
    assert answer.status_code == 404 and "no problem at this address" in answer.content.decode()


def test_what_is_forming_is_nobodys_problem_yet(client: Client, several: None) -> None:
    assert client.get(address(problem_id("forming"))).status_code == 404


def test_a_problems_page(client: Client, waiting: bytes, store: Store) -> None:
    at_ns = now_ns()
    gone = wrongs.flow_of("o0")
    wrongs.affected(waiting, bytes(16), at_ns - 3 * HOUR_NS, at_ns - HOUR_NS)
    wrongs.flip("open", at_ns - 3 * HOUR_NS, "3 orders wait for `shipment.created`.", problem_id=waiting)
    wrongs.message(waiting, "failed", at_ns - 2 * HOUR_NS, "pager", error="It answered 404.", attempts=3)
    wrongs.note(waiting, "<b>carrier</b> says\n15:30", at_ns - HOUR_NS)
    wrongs.problem("above", title="wms is silent", kind="silent_service")
    told = shown(client, waiting)
    assert told["problem"]["id"] == waiting.hex() and told["problem"]["all_flows"] == 24
    assert [one["key"] for one in told["flows"]] == ["o2", "o1", "o0"]  # the longest wrong first
    assert told["flows"][2] | {"since": "", "url": ""} == {
        "kind": "entity", "type": "order", "key": "o0", "environment": "production", "title": "order o0",
        "url": "", "state": "paid", "verdict": "stuck", "since": "", "until": None,
        "waiting_for": {"step": "shipment.created", "service": "wms"},
    }  # fmt: skip
    assert [(one["row"], one["name"]) for one in told["timeline"]] == [
        ("flip", None), ("notification", None), ("note", "Ada"),
    ]  # fmt: skip
    html = client.get(address(waiting)).content.decode()
    text = words(html)
    assert (
        "<code>shipment.created</code>" in html
        and "pager: failed (opened); 3 tries; It answered 404." in text
    )
    assert "&lt;b&gt;carrier&lt;/b&gt; says<br>\n15:30" in html
    assert 'href="/flow/entity/order/o0"' in html and "wrong now 3" in text and "no longer 1" in text
    earlier = shown(client, waiting, flows="earlier")["flows"]
    assert [(one["title"], one["until"]) for one in earlier] == [("00" * 16, str(at_ns - HOUR_NS))]
    assert "no longer kept" in client.get(address(waiting), {"flows": "earlier"}).content.decode()
    assert len(gone) == 16


def test_flows_of_a_problem_page_by_page(client: Client, waiting: bytes) -> None:
    at_ns = now_ns()
    for number in range(9):
        wrongs.affected(waiting, trace_id(str(number)), at_ns - 9, at_ns - number // 3, kind=0)
    for which, count in (("now", 3), ("earlier", 9)):
        whole = [one["title"] for one in shown(client, waiting, flows=which)["flows"]]
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            told = shown(client, waiting, flows=which, limit="2", cursor=cursor)
            found += [one["title"] for one in told["flows"]]
            cursor = told["next"]
        assert found == whole and len(set(found)) == count


def test_requests_are_flows_too(client: Client, store: Store) -> None:
    trace = trace_id("failed")
    store.put(batch(Service("shop").span("GET /x", 0, 5, trace=trace, status=2)))
    made = wrongs.problem("failed", kind="failed", flows=1, type="")
    wrongs.affected(made, trace, now_ns(), kind=0)
    (flow,) = shown(client, made)["flows"]
    assert (flow["kind"], flow["key"], flow["verdict"]) == ("request", trace.hex(), None)
    html = client.get(address(made)).content.decode()
    assert f'href="/flow/request/trace/{trace.hex()}"' in html and "■ error" in html


@pytest.mark.parametrize("form", ["txt", "md"])
def test_a_problem_as_text(client: Client, waiting: bytes, form: str) -> None:
    wrongs.problem("below", title="parcels wait", cause="wait")
    text = client.get(address(waiting), {"format": form}).content.decode()
    assert f"http://127.0.0.1:8000{address(waiting)}" in text
    assert "order o2" in text and "waits for shipment.created from wms" in text and "parcels wait" in text
    if form == "txt":
        assert max(map(len, text.splitlines())) <= 100


def test_wide_letters_stay_within_a_hundred_columns(client: Client, clean_store: None) -> None:
    one = wrongs.problem("wait", title="注文" * 40, why="出荷を待っています " * 30, system="倉庫")
    for path in (address(one), "/problems"):
        lines = client.get(path, {"format": "txt"}).content.decode().splitlines()
        assert max(map(columns, lines)) <= 100 and sum("出荷を待っています" in line for line in lines) > 3


def test_resolved_is_dated_truly_and_quiets_nothing(client: Client, clean_store: None) -> None:
    at_ns = now_ns()
    made = wrongs.problem(
        "over", state="resolved", flows=0, opened_ns=at_ns - 3 * HOUR_NS, resolved_ns=at_ns - HOUR_NS
    )
    html = client.get(address(made)).content.decode()
    assert "took 2 h" in words(html) and "Acknowledge" not in html and "Mute" not in html
    answer = client.post(f"{address(made)}/acknowledge", FIRST)
    assert answer.status_code == 400 and "Only a problem that is" in answer.content.decode()


def test_the_strip_follows_the_flips(client: Client, clean_store: None) -> None:
    at_ns = now_ns()
    made = wrongs.problem(
        "long", state="resolved", opened_ns=at_ns - 10 * HOUR_NS, resolved_ns=at_ns, flows=0
    )
    for after, hours in (
        ("open", 10),
        ("worse", 9),
        ("muted", 8),
        ("resolved", 5),
        ("reopened", 2),
        ("resolved", 0),
    ):
        wrongs.flip(after, at_ns - hours * HOUR_NS, after, problem_id=made)
    html = client.get(address(made)).content.decode()
    bands = re.findall(r'<rect class="(\w+)" x="([\d.]+)" y="6" width="([\d.]+)"', html)
    assert [name for name, _, _ in bands] == ["open", "muted", "resolved", "open", "resolved"]
    assert [round(float(x)) for _, x, _ in bands[:4]] == [0, 200, 500, 800]


@pytest.mark.parametrize(
    ("before", "after", "sentence", "shown_as"),
    [
        ("forming", "open", "22 orders wait.", "<b>Opened:</b> 22 orders wait."),
        ("resolved", "reopened", "22 orders wait.", "<b>Opened again:</b> 22 orders wait."),
        ("open", "worse", "22 orders are stuck.", "<b>Became stuck:</b> 22 orders are stuck."),
        ("open", "acknowledged", "Acknowledged by Ann: on it: really", "<b>Acknowledged by Ann:</b> on it: really"),
        ("muted", "open", "No longer muted: the time is over.", "<b>No longer muted:</b> the time is over."),
        ("open", "resolved", "Resolved: 22 orders wait", "<b>Resolved:</b> 22 orders wait"),
        ("resolved", "muted", "Resolved orders: they wait.", "<b>Opened, muted:</b> Resolved orders: they wait."),
    ],
)  # fmt: skip
def test_a_row_says_what_happened_first(
    client: Client, clean_store: None, before: str, after: str, sentence: str, shown_as: str
) -> None:
    made = wrongs.problem("told")
    wrongs.flip(after, now_ns() - HOUR_NS, sentence, before=before, problem_id=made)
    assert shown_as in client.get(address(made)).content.decode()
    plain = re.sub("<.*?>", "", shown_as)
    assert plain in client.get(address(made), {"format": "txt"}).content.decode()
    assert shown(client, made)["timeline"][0]["text"] == sentence


def test_acknowledged_with_a_reason_and_a_name(client: Client, waiting: bytes) -> None:
    answer = client.post(f"{address(waiting)}/acknowledge", FIRST)
    assert (answer.status_code, answer["Location"]) == (302, address(waiting))
    told = shown(client, waiting)
    assert told["problem"]["state"] == "acknowledged"
    assert told["timeline"][-1]["text"] == "Acknowledged by Ada Ünal: asking the carrier"
    html = client.get(address(waiting)).content.decode()
    assert "Acknowledged by Ada Ünal" in words(html) and 'value="Ada Ünal"' in html
    assert client.get("/", {"format": "json"}).json()["problems"] == []
    client.post(f"{address(waiting)}/unmute")
    told = shown(client, waiting)
    assert told["problem"]["state"] == "open" and "Open again by Ada Ünal" in told["timeline"][-1]["text"]


def test_from_now_it_leads_back_to_now(client: Client, waiting: bytes) -> None:
    answer = client.post(f"{address(waiting)}/acknowledge", FIRST | {"from": "now"})
    assert answer["Location"] == "/"
    form = client.get(f"{address(waiting)}/mute", {"from": "now"}).content.decode()
    assert '<input type="hidden" name="from" value="now">' in form


@pytest.mark.parametrize(
    ("said", "until", "shown_as"),
    [
        ({"until": "more", "more": "50"}, {"more": 50}, "until 50 more flows"),
        ({"until": "rate", "rate": "9"}, {"rate": 9}, "until 9 or more flows an hour"),
        ({"until": "error"}, {"new": "error"}, "until an error that is new"),
        ({"until": "variant"}, {"new": "variant"}, "until a new variant"),
        (
            {"until": "time", "at": "2126-01-01T00:00:00Z"},
            {"time_ns": "4922899200000000000"},
            "until 2126-01-01",
        ),
    ],
)
def test_muted_until(
    client: Client, waiting: bytes, said: dict[str, str], until: dict[str, Any], shown_as: str
) -> None:
    answer = client.post(f"{address(waiting)}/mute", FIRST | said)
    assert answer.status_code == 302
    problem = shown(client, waiting)["problem"]
    assert problem["state"] == "muted" and problem["quieted"]["until"] == until
    assert shown_as in words(client.get(address(waiting)).content.decode())


def test_muted_for_some_hours(client: Client, waiting: bytes) -> None:
    before = now_ns()
    client.post(f"{address(waiting)}/mute", FIRST | {"until": "time", "hours": "4"})
    until = int(shown(client, waiting)["problem"]["quieted"]["until"]["time_ns"])
    assert 4 * HOUR_NS <= until - before < 4 * HOUR_NS + MINUTE_NS


@pytest.mark.parametrize(
    ("what", "said", "sentence"),
    [
        ("acknowledge", {"name": "Ada"}, "Say why, so that the next person need not ask."),
        ("acknowledge", {"reason": "x"}, "Say who you are"),
        ("mute", FIRST, "Say until what it is muted."),
        ("mute", FIRST | {"until": "more"}, "Say how many."),
        ("mute", FIRST | {"until": "rate", "rate": "0"}, "greater than or equal to 1"),
        ("mute", FIRST | {"until": "time", "at": "2001-01-01"}, "That time has passed already."),
        ("mute", FIRST | {"until": "time", "at": "soon"}, "A time is written 2026-11-21 14:02"),
        ("note", {"name": "Ada", "text": " "}, "There is nothing in this note."),
    ],
)
def test_a_word_that_cannot_be_taken_is_shown_again(
    client: Client, waiting: bytes, what: str, said: dict[str, str], sentence: str
) -> None:
    answer = client.post(f"{address(waiting)}/{what}", said)
    html = answer.content.decode()
    assert answer.status_code == 400 and sentence in html
    assert all(value in html for name, value in said.items() if name == "name")
    assert shown(client, waiting)["problem"]["state"] == "open" and not Note.objects.exists()


def test_a_note_is_a_row_and_the_name_is_remembered(client: Client, waiting: bytes) -> None:
    answer = client.post(f"{address(waiting)}/note", {"text": "<i>wait</i> for `15:30`", "name": "Ada Ünal"})
    assert answer.status_code == 302 and answer.cookies["name"].value == "Ada%20%C3%9Cnal"
    html = client.get(address(waiting)).content.decode()
    assert "&lt;i&gt;wait&lt;/i&gt; for <code>15:30</code>" in html and 'value="Ada Ünal"' in html


@pytest.mark.parametrize("what", ["acknowledge", "mute", "unmute", "note"])
def test_only_a_form_of_ours_may_say_anything(waiting: bytes, what: str) -> None:
    stranger = Client(enforce_csrf_checks=True)
    said = FIRST | {"until": "error", "text": "x"}
    assert stranger.post(f"{address(waiting)}/{what}", said).status_code == 403
    assert shown(stranger, waiting)["problem"]["state"] == "open"


def test_what_a_flow_is_wrong_in(waiting: bytes) -> None:
    at_ns = now_ns()
    flow, other = wrongs.flow_of("o0"), wrongs.flow_of("o1")
    for name, changed, until in (
        ("now", {"title": "in two systems", "kind": "conflict"}, None),
        ("was", {}, at_ns),
        ("over", {"state": "resolved"}, None),
        ("forming", {"state": "forming"}, None),
        ("muted", {"state": "muted", "title": "muted", "severity": 2}, None),
    ):
        wrongs.affected(wrongs.problem(name, **changed), flow, at_ns - 9, until)
    told = of_flows([flow, other, bytes(16)])
    assert [one["title"] for one in told[flow]] == [
        "3 orders wait for shipment.created from wms", "in two systems", "muted",
    ]  # fmt: skip
    assert told[flow][1] == {
        "kind": "conflict",
        "title": "in two systems",
        "url": f"http://127.0.0.1:8000{address(problem_id('now'))}",
    }
    assert len(told[other]) == 1 and bytes(16) not in told and of_flows([]) == {}


@pytest.mark.parametrize("path", ["/problems?state=all", "problem"])
def test_queries_do_not_grow(
    client: Client,
    waiting: bytes,
    path: str,
    django_assert_num_queries: Any,
    django_assert_max_num_queries: Any,
) -> None:
    asked = address(waiting) if path == "problem" else path
    at_ns = now_ns()
    wrongs.affected(waiting, trace_id("one"), at_ns, kind=0)
    wrongs.problem("alone", cause="gone")
    with django_assert_max_num_queries(15) as few:
        client.get(asked)
    for number in range(30):
        wrongs.problem(f"more {number}", cause="wait" if number % 2 else "gone")
        wrongs.affected(waiting, trace_id(str(number)), at_ns, kind=number % 2)
        wrongs.note(waiting, "x", at_ns)
    with django_assert_num_queries(len(few)):
        client.get(asked)


def test_texts_keep_the_lines_of_a_note(client: Client, waiting: bytes) -> None:
    client.post(f"{address(waiting)}/note", {"text": "asked:\n- wms\n  - Ben", "name": "Ann"})
    lines = client.get(address(waiting), {"format": "txt"}).content.decode().splitlines()
    at = next(place for place, line in enumerate(lines) if line.endswith(" Ann:"))
    assert lines[at + 1 : at + 4] == ["        asked:", "        - wms", "          - Ben"]
    text = client.get(address(waiting), {"format": "md"}).content.decode()
    assert " Ann:\n\n  > asked:\\\n  > \\- wms\\\n  > &nbsp;&nbsp;\\- Ben\n" in text


def test_a_note_is_markdown_and_can_be_taken_back(client: Client, clean_store: None) -> None:
    one, other = wrongs.problem("wait"), wrongs.problem("other")
    path = f"/problems/{one.hex()}"
    client.post(f"{path}/note", {"text": "asked **wms** [x](javascript:alert(1))", "name": "Ann"})
    (note,) = Note.objects.all()
    html = client.get(path).content.decode()
    assert "<strong>wms</strong>" in html and 'href="javascript' not in html
    assert f'name="delete" value="{note.pk}"' in html
    client.post(f"/problems/{other.hex()}/note", {"delete": str(note.pk)})
    assert Note.objects.count() == 1
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(f"{path}/note", {"delete": str(note.pk)}).status_code == 403
    assert client.post(f"{path}/note", {"delete": str(note.pk)})["Location"] == path
    assert not Note.objects.exists()
    assert [told.action for told in Audit.objects.all()] == ["note deleted", "problem noted"]


def test_the_texts_read_well_in_a_ticket(client: Client, clean_store: None) -> None:
    one = wrongs.problem("wait", why="Waiting for `shipped` from `wms`.")
    path = f"/problems/{one.hex()}"
    heading, numbers, why, *_, link = (
        client.get(path, {"format": "md"}).content.decode().strip().split("\n\n")
    )
    assert heading.startswith("### ■ [22 orders wait for shipment.created from wms](http")
    assert numbers.startswith("**stuck, open, since ") and numbers.endswith(", 22 flows**")
    assert why == "Waiting for `shipped` from `wms`."
    assert link.startswith("[This problem in Threadline](http") and link.endswith(f"{path})")
    listed = client.get("/problems", {"format": "md"}).content.decode()
    assert listed.startswith("### 1 problem, open\n\n- ■ **[22 orders")
    text = client.get(path, {"format": "txt"}).content.decode()
    assert text.startswith("■ 22 orders wait") and all(len(line) <= 100 for line in text.splitlines())
    title = "<title>22 orders wait for shipment.created from wms: stuck, open · Threadline</title>"
    assert title in client.get(path).content.decode()
