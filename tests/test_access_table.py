"""Every address × method × person, with the expected answer. An address without a row here fails the test."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from tests.cast import Actor, everybody, signed_in
from tracing.roles import Role

N, V, O, A = Role.NOBODY, Role.VIEWER, Role.OPERATOR, Role.ADMINISTRATOR  # noqa: E741
# Route -> who may read it, who may post to it. Where a method is not known at all, whoever is let in is told so (405).
TABLE: dict[str, tuple[Role, Role]] = {
    "": (V, O),
    "flows": (V, O),
    "problems": (V, O),
    "problems/<str:problem_id>": (V, O),
    "problems/<str:problem_id>/acknowledge": (O, O),
    "problems/<str:problem_id>/mute": (O, O),
    "problems/<str:problem_id>/unmute": (O, O),
    "problems/<str:problem_id>/note": (O, O),
    "mark.svg": (N, N),
    "find": (V, O),
    "import": (O, O),
    "import/look": (V, O),
    "types": (V, O),
    "types/<type:type>": (V, O),
    "types/<type:type>/settings": (V, A),
    "types/<type:type>/expectations": (V, O),
    "types/<type:type>/expectations/new": (A, A),
    "types/<type:type>/expectations/<int:rule_id>": (V, A),
    "types/<type:type>/expectations/<int:rule_id>/switch": (V, A),
    "types/<type:type>/expectations/<int:rule_id>/delete": (V, A),
    "compare": (V, O),
    "settings": (V, O),
    "settings/": (V, O),
    "s/<str:token>": (N, N),
    "s/<str:token>/card.png": (N, N),
    "share": (O, O),
    "share/<int:share_id>": (O, O),
    "pin": (O, O),
    "settings/shares": (O, O),
    "settings/shares/<int:share_id>/revoke": (O, O),
    "settings/copies/<int:snapshot_id>/delete": (O, O),
    "settings/storage": (V, O),
    "settings/senders": (V, O),
    "settings/rules": (V, O),
    "settings/rules/new": (A, A),
    "settings/rules/<int:rule_id>": (V, A),
    "settings/rules/<int:rule_id>/switch": (V, A),
    "settings/rules/<int:rule_id>/apply": (V, A),
    "settings/rules/<int:rule_id>/undo": (V, A),
    "settings/rules/jobs/<int:job_id>": (V, O),
    "settings/calendars": (V, O),
    "settings/calendars/new": (A, A),
    "settings/calendars/<int:calendar_id>": (V, A),
    "settings/calendars/<int:calendar_id>/delete": (V, A),
    "settings/maintenance": (V, A),
    "settings/maintenance/<int:maintenance_id>/end": (V, A),
    "settings/notifications": (A, A),
    "settings/notifications/channels/new": (A, A),
    "settings/notifications/channels/<int:channel_id>": (A, A),
    "settings/notifications/channels/<int:channel_id>/switch": (A, A),
    "settings/notifications/channels/<int:channel_id>/test": (A, A),
    "settings/notifications/channels/<int:channel_id>/delete": (A, A),
    "settings/notifications/routes/new": (A, A),
    "settings/notifications/routes/<int:route_id>": (A, A),
    "settings/notifications/routes/<int:route_id>/move": (A, A),
    "settings/notifications/routes/<int:route_id>/tell": (A, A),
    "settings/notifications/routes/<int:route_id>/delete": (A, A),
    "settings/people": (A, A),
    "settings/people/<int:user_id>/role": (A, A),
    "settings/people/<int:user_id>/switch": (A, A),
    "settings/people/<int:user_id>/password": (A, A),
    "settings/keys": (A, A),
    "settings/keys/<int:key_id>/revoke": (A, A),
    "settings/keys/<int:key_id>/limit": (A, A),
    "settings/audit": (A, A),
    "account": (V, V),
    "account/password": (V, V),
    "account/tokens": (V, V),
    "account/tokens/<int:token_id>/revoke": (V, V),
    "login": (N, N),
    "logout": (N, N),
    "flow/<str:kind>": (V, O),
    "flow/<str:kind>/<str:type>/<key:key>": (V, O),
    "trace/<str:trace_id>": (V, O),
    "record/log/<str:log_id>": (V, O),
    "record/<str:trace_id>/<str:span_id>": (V, O),
}
SAMPLES = {"int": "999999", "str": "0" * 24, "type": "0" * 24, "key": "4711"}
NAMED = {"kind": "entity", "type": "order"}


def routes(patterns: list[Any], before: str = "") -> Iterator[str]:
    for one in patterns:
        route = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from routes(one.url_patterns, route)
        else:
            assert isinstance(one, URLPattern)
            yield route


def address(route: str, samples: Mapping[str, str] = SAMPLES, named: Mapping[str, str] = NAMED) -> str:
    filled = re.sub(r"<(\w+):(\w+)>", lambda found: named.get(found[2], samples[found[1]]), route)
    return f"/{filled}"


def test_every_address_has_a_row() -> None:
    assert sorted(routes(get_resolver().url_patterns)) == sorted(TABLE)


@pytest.fixture
def cast(clean_store: None) -> list[Actor]:
    return everybody()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_who_may_go_where(cast: list[Actor], method: str) -> None:
    wrong = []
    for route in TABLE:
        needed = TABLE[route][method == "POST"]
        for actor in cast:
            wrong += [
                (method, route, form, actor.name, told, wanted)
                for form in ("html", "json")
                if (told := asked(actor, method, address(route), form))
                != (wanted := expected(actor, needed, form))
            ]
    assert wrong == []


def expected(actor: Actor, needed: Role, form: str) -> str:
    if actor.role >= needed:
        return "in"
    if actor.role > Role.NOBODY:
        return "403"
    # A program is told by a status, a browser led to the page where one signs in.
    return "401" if form == "json" or actor.headers else "login"


def asked(actor: Actor, method: str, path: str, form: str) -> str:
    query = "?format=json" if form == "json" else ""
    answer = actor.client.generic(method, path + query, headers=dict(actor.headers))
    if path == "/logout" and actor.user:
        actor.client = signed_in(actor.user)
    if answer.status_code in (401, 403):
        return str(answer.status_code)
    is_led = answer.status_code == 302 and str(answer.headers["Location"]).startswith("/login?next=")
    is_led = is_led or (
        answer.status_code == 302 and answer.headers["Location"] == "/login" and path != "/logout"
    )
    return "login" if is_led else "in"


ODD = ["%00", "a%00b", "%ED%A0%80", "%FF", "x" * 5_000, "'", "%0A", "%E2%80%AE"]

# What pages and forms read, without what would switch off who asks.
FIELDS = """a action address again answer at b calendar channel days delete description detail do email env environment filter
find flows format from frozen hours into key kind label limit name new next note of owner part password pulse q reason record role
row say service severity shows state status step subject system text to tried type until username verdict viewport waits who zone
""".split()


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd[:10])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_address_is_too_odd_for_an_answer(cast: list[Actor], method: str, odd: str) -> None:
    """The client raises what a page does not answer; numbers are such as no row can have."""
    administrator = cast[-1].client
    samples = {"int": str(10**30), "str": odd, "type": odd, "key": odd}
    for route in sorted(TABLE.keys() - {"logout"}):
        for path in {address(route, samples, {}), address(route)}:
            answer = administrator.generic(
                method, f"{path}?env={odd}&q={odd}&key={odd}&type={odd}&of={odd}&next={odd}"
            )
            assert answer.status_code < 500, path


def test_an_address_that_leads_nowhere_says_nothing_to_strangers(cast: list[Actor]) -> None:
    stranger, _, viewer, *_ = cast
    assert asked(stranger, "GET", "/nowhere", "html") == "login"
    assert viewer.client.get("/nowhere").status_code == 404


def test_a_refusal_names_the_role_that_is_needed(cast: list[Actor]) -> None:
    viewer = cast[2].client
    page = viewer.get("/settings/people")
    assert (
        page.status_code == 403
        and "This takes an administrator, and you are a viewer." in page.content.decode()
    )
    told = viewer.post("/problems/x/mute?format=json")
    assert told.json()["sentence"] == "This takes an operator, and you are a viewer."


def test_htmx_is_led_as_a_whole_page(cast: list[Actor]) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/flows?type=order"}
    answer = cast[0].client.get("/flows?type=order&limit=5", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/login?next=/flows%3Ftype%3Dorder"


def test_what_may_not_be_used_is_not_drawn(cast: list[Actor]) -> None:
    pages = [
        "/",
        "/settings/",
        "/settings/rules",
        "/settings/rules/1",
        "/settings/maintenance",
        "/types/order/settings",
    ]
    for path in pages:
        page = cast[2].client.get(path).content.decode()
        actions = re.findall(r'<form method="post"[^>]*?action="([^"]*)"', page)
        assert set(actions) <= {"/logout", "/types/order/settings"}, path
        assert not re.search(r'<button type="submit" class="btn', page), path
    assert 'class="btn' in cast[4].client.get("/settings/rules").content.decode()
