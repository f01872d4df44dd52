"""Every page is strict HTML, needs nothing from inside itself, and keeps its promises without JavaScript.

Parsed by html5lib in strict mode; what a sender wrote into a name never becomes markup.
"""

import re
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import wrongs
from tests.builders import Service, batch, trace_id
from tests.shop import PLACED, fill
from tests.wrongs import problem_id
from tracing import rules
from tracing.clock import now_ns
from tracing.models import Rule, Sender
from tracing.storing import Store

EVIL = "\"><script>alert(1)</script><b title='"
PAGES = [
    "/",
    "/flows",
    "/flows?kind=request",
    "/flows?q=order.state%3Dpaid&type=order&status=ok&from=2026-01-01",
    "/flows?q=nothing",
    "/flows?limit=1",
    "/flows?limit=bad",
    "/find",
    "/find?q=order",
    "/find?q=nothing",
    "/find?q=evil",
    "/settings/",
    "/settings/senders",
    "/settings/rules",
    "/settings/rules/new",
    "/settings/rules/1",
    "/settings/calendars",
    "/settings/calendars/new",
    "/settings/maintenance",
    "/settings/storage",
    "/import",
    "/types",
    "/types/order",
    "/types/order/settings",
    "/types/order/settings?take=1",
    "/types/order/expectations",
    "/types/order/expectations/new",
    "/settings/notifications",
    "/settings/notifications/channels/new",
    "/settings/notifications/routes/new",
    "/flow/entity/order/4711",
    "/flow/entity/order/4711?only=errors",
    "/flow/workflow/onboarding/run-1",
    f"/flow/request/trace/{PLACED.hex()}",
    "/flow/entity/order/unknown",
    "/nowhere",
    "/problems",
    "/problems?state=all&kind=stuck&type=order",
    "/problems?state=muted",
    f"/problems/{problem_id('evil').hex()}",
    f"/problems/{problem_id('evil').hex()}?flows=earlier",
    f"/problems/{problem_id('quiet').hex()}",
    f"/problems/{problem_id('evil').hex()}/acknowledge",
    f"/problems/{problem_id('evil').hex()}/mute?from=now",
    f"/problems/{problem_id('evil').hex()}/note",
    "/problems/unknown",
]


@pytest.fixture
def stored(store: Store) -> None:
    fill(store)
    evil = Service(f"evil {EVIL}", EVIL)
    store.put(
        batch(
            evil.span(EVIL, 0, 1, trace=trace_id("evil"), status=2, message=EVIL,
                      attributes={"order.id": f"evil {EVIL}", "order.state": EVIL, "odd.thing_id": EVIL}),
            evil.log(EVIL, 1, attributes={"order.id": f"evil2 {EVIL}"}),
        )
    )  # fmt: skip
    Sender.objects.create(
        service=EVIL, environment=EVIL, sdk=EVIL, transport="grpc", first_seen_ns=1, last_seen_ns=now_ns(),
        refused=1, refusals={EVIL: 1},
    )  # fmt: skip
    judged_to_be_evil()
    rule = Rule.objects.get(pk=1)
    rule.note = EVIL
    rules.publish(rule)
    rules.apply(rule)


def judged_to_be_evil() -> None:
    """Problems, counts and words in which every text is what nobody should believe."""
    told = {
        "title": EVIL,
        "why": f"`{EVIL}` {EVIL}",
        "type": EVIL,
        "system": EVIL,
        "step": EVIL,
        "environment": EVIL,
    }
    evil = wrongs.problem("evil", **told, evidence={EVIL: EVIL, "trace_id": EVIL, "share": 0.5})
    for cause in ("evil", "quiet"):
        wrongs.problem(f"below {cause}", **told, cause=cause, kind="conflict")
    quieted = {"name": EVIL, "reason": EVIL, "at_ns": 1, "until": {"more": 3}}
    quiet = wrongs.problem("quiet", state="muted", quieted=quieted, cause="evil", kind="slow")
    for one in (evil, quiet):
        wrongs.flip("open", 1, EVIL, problem_id=one)
        wrongs.message(one, "failed", 2, channel=EVIL, error=EVIL)
        wrongs.note(one, EVIL, 3, name=EVIL)
        wrongs.affected(one, wrongs.flow_of("4711"), 4)
        wrongs.affected(one, PLACED, 4, 5, kind=0)
    wrongs.expected(wrongs.flow_of("4711"), "stuck", step=EVIL, awaited_step=EVIL, awaited_system=EVIL)
    wrongs.counted(EVIL, 3, type=EVIL, environment=EVIL)
    wrongs.counted("paid", 3, oldest_id=wrongs.flow_of("4711"))
    wrongs.judged()


def parsed(text: str) -> Element:
    parser = html5lib.HTMLParser(
        html5lib.treebuilders.getTreeBuilder("etree"), strict=True, namespaceHTMLElements=False
    )
    root: Element = parser.parse(text)
    return root


def words(element: Element, name: str) -> list[str]:
    return str(element.get(name, "")).split()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_strict_and_self_contained(client: Client, stored: None, path: str) -> None:
    answer = client.get(path)
    root = parsed(answer.content.decode())
    everything = list(root.iter())
    assert not [
        one
        for one in everything
        if "style" in one.attrib or any(name.startswith("on") for name in one.attrib)
    ]
    assert not [one for one in everything if one.tag == "style"]
    assert all(one.get("src", "").startswith("/static/") for one in everything if one.tag == "script")
    assert "alert(1)</script>" not in answer.content.decode()
    ids = [str(one.get("id")) for one in everything if one.get("id")]
    assert len(ids) == len(set(ids)), sorted(one for one in ids if ids.count(one) > 1)
    assert len(root.findall(".//h1")) == 1 and root.find(".//title") is not None


@pytest.mark.parametrize("path", PAGES)
def test_what_htmx_asks_for_is_also_a_plain_link(client: Client, stored: None, path: str) -> None:
    root = parsed(client.get(path).content.decode())
    for one in root.iter():
        wanted = one.get("hx-get")
        if wanted is None:
            continue
        links = [inner.get("href") for inner in one.iter("a")]
        assert wanted in (one.get("href"), one.get("action"), *links), (one.tag, wanted)


@pytest.mark.parametrize("path", PAGES)
def test_what_can_be_filled_in_has_a_name_for_those_who_listen(
    client: Client, stored: None, path: str
) -> None:
    root = parsed(client.get(path).content.decode())
    labelled = {one.get("for") for one in root.iter("label")}
    wrapped = {id(inner) for label in root.iter("label") for inner in label.iter()}
    for one in root.iter():
        if one.tag in ("input", "select", "textarea") and one.get("type") != "hidden":
            assert one.get("aria-label") or one.get("id") in labelled or id(one) in wrapped, one.attrib
        if one.tag == "button":
            assert one.get("aria-label") or "".join(one.itertext()).strip(), one.attrib


@pytest.mark.parametrize(
    "path",
    ["/", "/flows", "/types", "/types/order", "/settings/", "/settings/rules", "/flow/entity/order/4711"],
)
def test_links_inside_lead_somewhere(client: Client, stored: None, path: str) -> None:
    root = parsed(client.get(path).content.decode())
    links = {str(one.get("href")) for one in root.iter("a")}
    assert all(link.startswith(("/", "#")) for link in links), links
    for link in sorted(links)[:80]:
        if link.startswith("/"):
            assert client.get(link).status_code in (200, 302), link


def test_colours_and_zone_follow_the_cookies(client: Client, stored: None) -> None:
    assert 'data-theme="system"' in client.get("/flows").content.decode()
    client.cookies["theme"] = "dark"
    client.cookies["tz"] = "Asia/Kolkata"
    page = client.get("/flows").content.decode()
    assert 'data-theme="dark"' in page and "Times are +05:30" in page
    assert re.search(r'title="[^"]*\+05:30 = [^"]* UTC', page)
    client.cookies["clock"] = "utc"
    client.cookies["theme"] = EVIL
    page = client.get("/flows").content.decode()
    assert "Times are UTC" in page and 'data-theme="system"' in page


ODD = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "0",
            "-1",
            "9" * 19,
            "-" + "9" * 19,
            "9" * 40,
            "1e9",
            "0001-01-01",
            "9999-12-31T23:59:59-23:59",
            "%00",
        ]
    ),
    st.builds(
        lambda number, text: f"{number}.{text}", st.integers(), st.sampled_from(["0" * 32, "f" * 32 + ".k"])
    ),
)
FIELDS = (
    "kind",
    "type",
    "env",
    "service",
    "status",
    "state",
    "from",
    "to",
    "q",
    "limit",
    "cursor",
    "format",
    "key",
    "only",
)
ASKED = (
    "/",
    "/flows",
    "/find",
    "/settings/senders",
    "/settings/rules/new",
    "/types/order",
    "/types/-/settings",
    "/types/order/expectations/new",
    "/settings/calendars/new",
    "/flow/entity",
    "/flow/entity/order/4711",
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(ASKED), st.dictionaries(st.sampled_from(FIELDS), ODD, max_size=4), ODD)
def test_any_address_gets_an_answer(
    client: Client, stored: None, path: str, query: dict[str, str], tz: str
) -> None:
    client.cookies["tz"] = tz.encode("ascii", "ignore").decode()
    answer = client.get(path, query)
    assert answer.status_code in (200, 302, 400, 404)


@pytest.mark.parametrize("number", [0, 2**31, 2**63, 10**30])
def test_numbers_beyond_the_database_are_not_found(client: Client, clean_store: None, number: int) -> None:
    for path in (f"/settings/rules/{number}", f"/settings/rules/jobs/{number}"):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize(("name", "status"), [("bad_request", 400), ("not_found", 404), ("failed", 500)])
def test_errors_are_told_in_the_asked_form(rf: Any, name: str, status: int) -> None:
    from timeline.views import errors

    answer = getattr(errors, name)
    for form in ("json", "txt", "md", "html", "odd"):
        told = answer(rf.get("/x", {"format": form}))
        assert told.status_code == status and len(told.content) > 20
        if form in ("html", "odd"):
            parsed(told.content.decode())
