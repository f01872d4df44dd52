"""Signing in and out, one's account and its tokens, people and keys as pages, what is written down of all of it."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.test import Client

from tests.builders import Service, batch
from tests.cast import PASSWORD, make, signed_in
from tests.test_pages_html import parsed
from timeline.access import own_path
from tracing import guarding, tries, users
from tracing.auditing import Audit
from tracing.roles import Role
from tracing.senderkeys import SenderKey
from tracing.storing import Store
from tracing.tokens import Token
from tracing.unfit import Unfit
from tracing.users import User


def sign_in(client: Client, username: str, password: str, **more: str) -> Any:
    return client.post("/login", {"username": username, "password": password, **more})


def audited() -> list[tuple[str, str, str]]:
    return [(row.who, row.action, row.subject) for row in Audit.objects.order_by("id")]


def test_without_users_the_page_leads_on(client: Client, clean_store: None) -> None:
    assert client.get("/login").headers["Location"] == "/" and guarding.is_open()
    assert "Nobody has to sign in here" in client.get("/account").content.decode()


def test_a_person_signs_in_and_out(client: Client, clean_store: None) -> None:
    make("ada", Role.ADMINISTRATOR)
    assert client.get("/flows?type=order").headers["Location"] == "/login?next=/flows%3Ftype%3Dorder"
    answer = sign_in(client, " Ada ", PASSWORD, next="/flows?type=order")
    assert answer.status_code == 302 and answer.headers["Location"] == "/flows?type=order"
    cookie = answer.cookies["session"]
    assert cookie["httponly"] and cookie["samesite"] == "Lax"
    page = client.get("/flows")
    assert page.status_code == 200 and "Sign out" in page.content.decode()
    assert page.headers["Cache-Control"] == "private, no-store"
    out = client.post("/logout")
    assert out.headers["Location"] == "/login" and out.headers["Clear-Site-Data"] == '"cache"'
    assert client.get("/flows").status_code == 302 and not Session.objects.exists()
    assert [action for _, action, _ in audited()] == ["signed in", "signed out"]


def test_the_session_gets_a_new_id(client: Client, clean_store: None) -> None:
    make("ada", Role.ADMINISTRATOR)
    first = sign_in(client, "ada", PASSWORD).cookies["session"].value
    second = sign_in(client, "ada", PASSWORD).cookies["session"].value
    assert first != second and Session.objects.count() == 1


def test_nothing_tells_who_exists(client: Client, clean_store: None) -> None:
    make("ada", Role.ADMINISTRATOR)
    off = make("otto", Role.OPERATOR)
    users.change(off, is_active=False)
    told = set()
    for username, password in (("ada", "wrong"), ("nobody", "wrong"), ("otto", PASSWORD)):
        answer = sign_in(client, username, password)
        assert answer.status_code == 401
        told.add(re.sub(r'value="[^"]*"', "", answer.content.decode()))
    assert len(told) == 1


def test_too_many_tries_are_told_how_long_to_wait(client: Client, clean_store: None) -> None:
    make("ada", Role.ADMINISTRATOR)
    answers = [sign_in(client, "ADA" if n % 2 else "ada", f"wrong {n}") for n in range(6)]
    assert [one.status_code for one in answers] == [401, 401, 401, 401, 429, 429]
    page = answers[-1].content.decode()
    assert (
        re.search(r"try again in (5 m|4 m \d+ s)", page)
        and 1 <= int(answers[-1].headers["Retry-After"]) <= 300
    )
    assert sign_in(client, "ada", PASSWORD).status_code == 429
    # Another address is not held up by it, and neither is another person.
    assert (
        client.post("/login", {"username": "ada", "password": PASSWORD}, REMOTE_ADDR="192.0.2.9").status_code
        == 302
    )


def test_what_is_refused_without_a_look_is_not_written_down(client: Client, clean_store: None) -> None:
    make("ada", Role.ADMINISTRATOR)
    for n in range(8):
        sign_in(client, "ada", f"wrong {n}")
    assert [action for _, action, _ in audited()] == ["failed to sign in"] * 5 + ["sign-in held up"]
    assert Audit.objects.latest("id").detail == "from 127.0.0.1: further tries are refused for 5 m"


def failed(username: str, address: str, times: int) -> None:
    AccessAttempt.objects.create(username=username, ip_address=address, failures_since_start=times)


@pytest.mark.parametrize(
    ("failures", "address", "status"),
    [
        ([(f"name-{n}", "192.0.2.9", 4) for n in range(12)], "192.0.2.9", 401),
        ([(f"name-{n}", "192.0.2.9", 4) for n in range(13)], "192.0.2.9", 429),
        ([(f"name-{n}", "192.0.2.9", 4) for n in range(13)], "192.0.2.8", 401),
        ([(f"name-{n}", f"2001:db8:0:7::{n:x}", 4) for n in range(1, 14)], "2001:db8:0:7:ffff::1", 429),
        ([(f"name-{n}", f"2001:db8:0:7::{n:x}", 4) for n in range(1, 14)], "2001:db8:0:8::1", 401),
        ([("ada", f"192.0.2.{n}", 4) for n in range(1, 25)], "198.51.100.1", 401),
        ([("ada", f"192.0.2.{n}", 4) for n in range(1, 26)], "198.51.100.1", 429),
    ],
    ids=["few", "an address", "another address", "a network", "another network", "a username", "a username at last"],
)  # fmt: skip
def test_tries_are_counted_of_a_network_and_of_a_username(
    client: Client, clean_store: None, failures: list[tuple[str, str, int]], address: str, status: int
) -> None:
    make("ada", Role.ADMINISTRATOR)
    for one in failures:
        failed(*one)
    told = {"username": "ada", "password": "wrong"}
    answer = client.post("/login", told, REMOTE_ADDR=address)
    assert answer.status_code == status
    AccessAttempt.objects.update(attempt_time=datetime.now(UTC) - timedelta(minutes=6))
    assert client.post("/login", told | {"password": PASSWORD}, REMOTE_ADDR=address).status_code == 302


def test_few_passwords_are_looked_at_at_once(client: Client, clean_store: None) -> None:
    make("ada", Role.ADMINISTRATOR)
    with tries.looked_at():
        assert sign_in(client, "ada", PASSWORD).status_code == 302
        with tries.looked_at():
            answer = sign_in(client, "ada", PASSWORD)
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "1"
    assert "Too many people are signing in" in answer.content.decode()
    assert sign_in(client, "ada", PASSWORD).status_code == 302


def test_two_who_add_one_person_at_once(clean_store: None, monkeypatch: pytest.MonkeyPatch) -> None:
    made_meanwhile = User.set_password

    def hashing(user: User, secret: str | None) -> None:
        make("vera", Role.VIEWER)
        made_meanwhile(user, secret)

    monkeypatch.setattr(User, "set_password", hashing)
    with pytest.raises(Unfit, match="There is a user vera already"):
        users.create("vera", Role.VIEWER)
    assert User.objects.count() == 1


def test_nobody_is_called_as_commands_are(client: Client, clean_store: None) -> None:
    for name in ("manage.py", " Manage.PY"):
        with pytest.raises(Unfit, match="nobody else can be called that"):
            users.create(name, Role.VIEWER)
    with pytest.raises(Unfit, match="nobody else can be called that"):
        users.create("vera", Role.VIEWER, name="Manage.py")
    client.cookies["name"] = "manage.py"
    client.post("/settings/keys", {"name": "shop"})
    assert [(row.who, row.typed) for row in Audit.objects.all()] == [("manage.py", True)]


def test_a_name_that_cannot_be_stored_is_told_as_far_as_it_can(client: Client, clean_store: None) -> None:
    client.cookies["name"] = "an%00n"
    assert client.post("/settings/keys", {"name": "shop"}).status_code == 200
    assert audited()[0][0] == "an�n"


@pytest.mark.parametrize("shown", ["http://[", "//[", "%00", "http://evil.example//evil.example/x"])
def test_htmx_may_come_from_an_odd_address(client: Client, clean_store: None, shown: str) -> None:
    make("ada", Role.ADMINISTRATOR)
    answer = client.get("/flows", headers={"HX-Request": "true", "HX-Current-URL": shown})
    assert answer.status_code == 401 and answer.headers["HX-Redirect"].startswith("/login")


def test_no_password_is_kept_of_a_try(client: Client, clean_store: None) -> None:
    make("ada", Role.ADMINISTRATOR)
    sign_in(client, "ada", "a wrong password")
    (row,) = AccessAttempt.objects.values()
    assert "a wrong password" not in repr(row) and ("", "failed to sign in", "ada") in audited()


ELSEWHERE = [
    "//evil.example", "/\\evil.example", "https:evil.example", "https://evil.example/", "\\\\evil", "/\t/evil.example",
    "/%09/evil", "javascript:alert(1)", "///evil", " /flows", "/\n/evil", "http:///evil", "",
]  # fmt: skip


@pytest.mark.parametrize("following", ELSEWHERE)
def test_nobody_is_led_elsewhere(client: Client, clean_store: None, following: str) -> None:
    make("ada", Role.ADMINISTRATOR)
    led = sign_in(client, "ada", PASSWORD, next=following).headers["Location"]
    assert led in ("/", "/%09/evil")  # the latter is a path of ours, odd as it is
    assert client.get("/login", {"next": following}).headers["Location"] == led


def test_own_paths_are_kept() -> None:
    assert own_path("/flow/entity/order/a%2Fb?env=staging#row") == "/flow/entity/order/a%2Fb?env=staging#row"


def test_a_one_time_password_leads_to_changing_it(client: Client, clean_store: None) -> None:
    make("ada", Role.ADMINISTRATOR)
    vera, once = users.create("vera", Role.VIEWER)
    sign_in(client, "vera", once)
    assert client.get("/").headers["Location"] == "/account/password"
    for no_page in ("/flows?pulse=1", "/flow/entity/order/1?format=otlp", "/nowhere"):
        assert client.get(no_page).headers["Location"] == "/account/password"
    kept = client.get("/flows?env=staging").headers["Location"]
    assert kept == "/account/password?next=%2Fflows%3Fenv%3Dstaging"
    assert client.get("/flows?format=json").status_code == 403 and client.get("/mark.svg").status_code == 200
    wrong = client.post(kept, {"current": once, "new": "12345678901", "again": "x"})
    assert '<input type="hidden" name="next" value="/flows?env=staging">' in wrong.content.decode()
    assert wrong.status_code == 400 and "entirely numeric" in wrong.content.decode()
    told = {"current": once, "new": "a password of mine", "again": "a password of mine"}
    assert client.post(kept, told).headers["Location"] == "/flows?env=staging"
    assert client.get("/flows").status_code == 200
    told |= {"current": told["new"], "new": "another password", "again": "another password"}
    assert client.post("/account/password", told | {"next": "//evil.example"}).headers["Location"] == "/"
    told |= {"current": "another password", "new": "a password of mine", "again": "a password of mine"}
    assert client.post("/account/password", told).headers["Location"] == "/account?changed=1"
    assert User.objects.get(pk=vera.pk).check_password("a password of mine")


def test_a_person_is_added_by_page_and_the_first_must_administer(client: Client, clean_store: None) -> None:
    told = {"username": "vera", "name": "", "email": "", "role": "viewer"}
    assert client.post("/settings/people", told).status_code == 400 and not User.objects.exists()
    page = client.post(
        "/settings/people", told | {"username": "ada", "role": "administrator"}
    ).content.decode()
    secret = re.search(r"<code>([a-z0-9-]{19})</code>", page)
    assert secret and "asks everybody to sign in" in page
    parsed(page)
    assert client.get("/settings/people").status_code == 302
    assert sign_in(client, "ada", secret[1]).status_code == 302


def test_roles_and_switches_hold_from_the_next_request_on(clean_store: None) -> None:
    ada, otto = make("ada", Role.ADMINISTRATOR), make("otto", Role.OPERATOR)
    admin, other = signed_in(ada), signed_in(otto)
    assert other.get("/settings/people").status_code == 403
    admin.post(f"/settings/people/{otto.pk}/role", {"role": "administrator"})
    assert other.get("/settings/people").status_code == 200
    admin.post(f"/settings/people/{otto.pk}/switch")
    assert other.get("/settings/people").status_code == 302
    refused = admin.post(f"/settings/people/{ada.pk}/role", {"role": "viewer"})
    assert refused.status_code == 409 and "last administrator" in refused.content.decode()
    admin.post(f"/settings/people/{otto.pk}/switch")
    reset = admin.post(f"/settings/people/{otto.pk}/password")
    assert reset.status_code == 200 and "shown now and never again" in reset.content.decode()
    assert other.get("/flows").status_code == 302, "a new password ends the sessions of the old one"
    assert [action for _, action, _ in audited()] == [
        "role changed", "person switched off", "person switched on", "password reset",
    ]  # fmt: skip


def test_a_token_reads_and_writes_as_its_person(clean_store: None, client: Client) -> None:
    otto = make("otto", Role.OPERATOR)
    page = signed_in(otto).post("/account/tokens", {"label": "nightly", "role": "viewer", "days": "30"})
    found = re.search(r"tlt_[A-Za-z0-9]{32}", page.content.decode())
    assert found
    headers = {"Authorization": f"Bearer {found[0]}"}
    assert client.get("/flows?format=json", headers=headers).status_code == 200
    told = client.post("/problems/x/mute?format=json", headers=headers)
    assert told.status_code == 403 and "your token nightly is a viewer’s" in told.json()["sentence"]
    assert client.post("/account/tokens", {"label": "more"}, headers=headers).status_code == 403
    made = Token.objects.get()
    assert made.used_ns and made.until_ns and found[0] not in repr(vars(made))
    signed_in(otto).post(f"/account/tokens/{made.pk}/revoke")
    refused = client.get("/flows?format=txt", headers=headers)
    assert refused.status_code == 401 and refused.headers["WWW-Authenticate"] == "Bearer"


def test_csrf_is_asked_of_cookies_and_not_of_tokens(store: Store) -> None:
    store.put(batch(Service("shop").span("pay", 0, 1, attributes={"order.id": "4711"})))
    otto = make("otto", Role.OPERATOR)
    note = {"do": "note", "text": "called them"}
    assert signed_in(otto, csrf=True).post("/flow/entity/order/4711", note).status_code == 403
    from tracing import tokens

    _, secret = tokens.issue(otto, "bot")
    headers = {"Authorization": f"Bearer {secret}"}
    answer = Client(enforce_csrf_checks=True).post("/flow/entity/order/4711", note, headers=headers)
    assert answer.status_code == 302 and ("otto", "flow noted", "order 4711") in audited()


def test_what_is_said_is_signed_by_who_is_signed_in(store: Store) -> None:
    from tracing.people import Note

    store.put(batch(Service("shop").span("pay", 0, 1, attributes={"order.id": "4711"})))
    client = signed_in(make("otto", Role.OPERATOR))
    assert 'name="name"' not in client.get("/flow/entity/order/4711").content.decode()
    client.post("/flow/entity/order/4711", {"do": "note", "text": "x", "name": "the boss"})
    assert Note.objects.get().name == "otto"


def test_keys_by_page(clean_store: None) -> None:
    client = signed_in(make("ada", Role.ADMINISTRATOR))
    assert client.post("/settings/keys", {"name": "shop", "limit": "0"}).status_code == 400
    page = client.post("/settings/keys", {"name": "shop", "limit": "500"}).content.decode()
    parsed(page)
    assert re.search(r"tlk_[A-Za-z0-9]{32}", page) and "takes nothing without a key" in page
    key = SenderKey.objects.get()
    assert key.per_second == 500 and key.created_by == "ada"
    assert client.post(f"/settings/keys/{key.pk}/limit", {"limit": "many"}).status_code == 400
    client.post(f"/settings/keys/{key.pk}/limit", {"limit": ""})
    client.post(f"/settings/keys/{key.pk}/revoke")
    key.refresh_from_db()
    assert key.per_second is None and key.revoked_ns
    assert [action for _, action, _ in audited()] == ["key made", "key limited", "key revoked"]


def test_the_audit_is_filtered_and_paged(clean_store: None) -> None:
    from tracing import auditing

    client = signed_in(make("ada", Role.ADMINISTRATOR))
    for n in range(5):
        auditing.note("ada" if n % 2 else "otto", "rule changed", f"rule {n}", "<b>")
    first = client.get("/settings/audit?format=json&limit=3").json()
    rest = client.get(f"/settings/audit?format=json&limit=3&before={first['next']}").json()
    assert [row["subject"] for row in first["audit"] + rest["audit"]] == [
        f"rule {n}" for n in range(4, -1, -1)
    ]
    assert rest["next"] is None
    assert len(client.get("/settings/audit?format=json&who=ADA").json()["audit"]) == 2
    assert client.get("/settings/audit?before=x").status_code == 400
    assert "rule 4" in client.get("/settings/audit?format=txt").content.decode()
    parsed(client.get("/settings/audit?limit=2").content.decode())


def test_names_from_before_there_were_people_are_no_accounts(
    client: Client, clean_store: None, store: Store
) -> None:
    store.put(batch(Service("shop").span("place", 0, 1, attributes={"order.id": "4711"})))
    order = "/flow/entity/order/4711"
    client.post(order, {"do": "note", "text": "mine", "name": "ada"})
    told = {"username": "ada", "name": "", "email": "", "role": "administrator"}
    client.post("/settings/people", told)
    User.objects.update(must_change=False)
    ada = signed_in(User.objects.get())
    ada.post(order, {"do": "note", "text": "mine too", "name": "somebody else"})
    rows = ada.get("/settings/audit?format=json").json()["audit"]
    assert [(row["who"], row["action"], row["typed"]) for row in rows] == [
        ("ada", "flow noted", False), ("ada", "person added", True), ("ada", "flow noted", True),
    ]  # fmt: skip
    # What became of the rows about people says nothing of the others.
    Audit.objects.filter(action="person added").delete()
    assert ada.get("/settings/audit").content.decode().count(">as typed<") == 1
    assert ada.get("/settings/audit?format=txt").content.decode().count("ada (as typed)") == 1


@pytest.mark.parametrize(
    "path", ["/login", "/account", "/account/password", "/settings/people", "/settings/keys"]
)
def test_pages_of_people_are_strict(clean_store: None, path: str) -> None:
    client = Client() if path == "/login" else signed_in(make("ada", Role.ADMINISTRATOR))
    if path == "/login":
        make("ada", Role.ADMINISTRATOR)
    parsed(client.get(path).content.decode())


def test_a_stranger_learns_nothing_from_an_error(client: Client, clean_store: None) -> None:
    make("ada", Role.ADMINISTRATOR)
    page = Client(enforce_csrf_checks=True).post("/login", {"username": "x"}).content.decode()
    assert "This form was not taken" in page and "/settings/people" not in page and "Flows" not in page
