"""Links and people: who may open which link, what else a link lets them do (nothing), and what the audit says of it."""

import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from django.conf import settings

from tests import tables
from tests.builders import T1, batch
from tests.cast import Actor, everybody
from tests.judged import judge, order_id, problem
from tests.test_access_table import TABLE, address, asked
from tests.test_flow_page import order_4711
from tests.test_shares import FLOW, share
from tracing.auditing import Audit
from tracing.roles import Role
from tracing.shares import Share
from tracing.storing import Store


@pytest.fixture
def cast(store: Store) -> Iterator[dict[str, Actor]]:
    store.put(batch(*order_4711()))
    judge()
    problem([order_id()])
    yield {actor.name: actor for actor in everybody()}


def pages(path: str) -> list[str]:
    return [path, *(f"{path}?format={one}" for one in ("json", "txt", "md")), f"{path}?expand=all"]


@pytest.mark.parametrize("shows", ["frozen", "live"])
def test_a_link_for_anyone_opens_for_a_stranger_and_opens_nothing_else(
    cast: dict[str, Actor], shows: str
) -> None:
    path = share(cast["otto"].client, shows=shows)
    stranger = cast["stranger"]
    for one in pages(path):
        assert stranger.client.get(one).status_code == 200, one
    assert stranger.client.get(f"{path}/card.png").status_code == 200
    page = stranger.client.get(path).content.decode()
    assert "order 4711" in page and 'action="/find"' not in page and "/logout" not in page
    assert 'method="post"' not in page
    # With the link opened they are as much a stranger as before.
    for method in ("GET", "POST"):
        for route, needed in TABLE.items():
            if needed[method == "POST"] > Role.NOBODY:
                assert asked(stranger, method, address(route), "html") == "login", (method, route)
    for one in (FLOW, f"/flow/request/trace/{T1.hex()}", "/problems"):
        assert stranger.client.get(one).status_code == 302
        assert stranger.client.get(f"{one}?format=json").status_code == 401


@pytest.mark.parametrize("shows", ["frozen", "live"])
def test_a_link_for_people_asks_who_they_are(cast: dict[str, Actor], shows: str) -> None:
    path = share(cast["otto"].client, audience="people", shows=shows)
    stranger = cast["stranger"].client
    led = stranger.get(path)
    assert led.status_code == 302 and led.headers["Location"] == "/login?" + urlencode(
        {"next": path}, safe="/"
    )
    for one in pages(path)[1:4]:
        assert stranger.get(one).status_code == 401
    assert stranger.get(f"{path}/card.png").status_code == 404
    assert cast["sender"].client.get(path, headers=dict(cast["sender"].headers)).status_code == 401
    # A stranger has not opened it.
    assert Share.objects.get().opened_ns is None
    for name in ("vera", "otto", "ada"):
        assert cast[name].client.get(path).status_code == 200
    assert Share.objects.get().opened_ns


def test_unknown_and_revoked_are_the_same_to_a_stranger(cast: dict[str, Actor]) -> None:
    path = share(cast["otto"].client, audience="people")
    made = Share.objects.get()
    assert cast["vera"].client.post(f"/settings/shares/{made.pk}/revoke").status_code == 403
    assert cast["otto"].client.post(f"/settings/shares/{made.pk}/revoke").status_code == 302
    stranger = cast["stranger"].client
    revoked, unknown = stranger.get(path), stranger.get("/s/" + "x" * len(path.removeprefix("/s/")))
    assert revoked.status_code == unknown.status_code == 404
    assert revoked.content == unknown.content


def test_what_a_viewer_may_not_do_is_not_offered(cast: dict[str, Actor]) -> None:
    viewer, operator = cast["vera"].client, cast["otto"].client
    for path in (FLOW, "/compare?" + urlencode({"a": FLOW, "b": FLOW})):
        assert "/share?" in operator.get(path).content.decode(), path
        assert "/share?" not in viewer.get(path).content.decode(), path
    assert viewer.get("/share?" + urlencode({"of": FLOW})).status_code == 403
    assert "/settings/shares" not in viewer.get("/settings/").content.decode()


def test_a_link_is_signed_by_whoever_made_it_and_the_audit_says_so(cast: dict[str, Actor]) -> None:
    operator = cast["otto"].client
    path = share(operator, name="somebody else", reason="incident 12")
    made = Share.objects.get()
    assert made.name == "otto"
    operator.post("/pin", {"of": FLOW, "until": "30", "reason": "for the report", "name": "x"})
    operator.post(f"/settings/shares/{made.pk}/revoke")
    told = [(one.who, one.action, one.subject) for one in Audit.objects.order_by("id") if one.who == "otto"]
    assert told == [
        ("otto", "link made", "order 4711"),
        ("otto", "pinned", "order 4711"),
        ("otto", "link revoked", "order 4711"),
    ]
    # The link itself is a secret: whoever reads the audit cannot open it.
    assert not any(path.removeprefix("/s/") in one.detail for one in Audit.objects.all())


@pytest.mark.parametrize("form", ["otlp", "jaeger"])
def test_a_link_gives_its_records_as_a_file_unless_values_were_left_out(
    cast: dict[str, Actor], form: str
) -> None:
    stranger, operator = cast["stranger"].client, cast["otto"].client
    record = f"/record/{T1.hex()}/{order_4711()[1].span_id.hex()}"
    for of in (FLOW, record):
        path = share(operator, of)
        file = stranger.get(f"{path}?format={form}")
        assert file.status_code == 200 and b"charge card" in file.content
        hidden = share(operator, of, detail="names")
        refused = stranger.get(f"{hidden}?format={form}")
        assert refused.status_code == 400 and b"without values" in refused.content
        assert f"format={form}" not in stranger.get(hidden).content.decode()


WAY = re.compile(r'(?:href|action)="([^"#][^"]*)"')


@pytest.mark.parametrize("shows", ["frozen", "live"])
def test_nothing_on_a_shared_page_leads_to_where_a_stranger_may_not_go(
    cast: dict[str, Actor], conninfo: str, shows: str
) -> None:
    problem_id = tables.one(conninfo, "SELECT encode(problem_id, 'hex') FROM problem")
    record = f"{T1.hex()}-{order_4711()[1].span_id.hex()}"
    # What leads elsewhere for whoever may go there; a record and a request lead nowhere.
    subjects = {
        FLOW: "/flow/request/trace/",
        f"/flow/request/trace/{T1.hex()}": "",
        f"/problems/{problem_id}": "/flow/entity/",
        "/compare?" + urlencode({"a": FLOW, "b": f"/flow/request/trace/{T1.hex()}"}): "/flow/request/trace/",
        f"/record/{record.replace('-', '/')}": "",
    }
    queries = (
        "", "?expand=all", "?view=table", f"?record=s-{record}",
        "?limit=zz", "?format=bad", "?record=zz", "?cursor=zz", "?only=zz", "?view=zz", "?from=x",
    )  # fmt: skip
    for of, elsewhere in subjects.items():
        path = share(cast["otto"].client, of, shows=shows)
        own = {"/", "/mark.svg", f"{settings.URL}{path}", f"{settings.URL}{path}/card.png"}
        for query in queries:
            page = cast["stranger"].client.get(path + query).content.decode()
            ways = {way for way in WAY.findall(page) if way.partition("?")[0] not in (path, "")}
            assert {way for way in ways if "/static/" not in way} <= own, (of, query)
            # Nothing became text in a drawing, where text is nothing.
            assert not re.search(r"<svg(?:(?!</svg>).)*<span", page, re.DOTALL), (of, query)
        led = cast["vera"].client.get(path).content.decode()
        assert f'href="{elsewhere}' in led if elsewhere else True, of
    gone = cast["stranger"].client.get("/s/" + "x" * 43).content.decode()
    assert {way for way in WAY.findall(gone) if "/static/" not in way} <= {"/", "/mark.svg"}
