"""People as rows: who can be made, who must stay, whether there is anybody; their roles, tokens, secrets and the audit."""

import functools
from pathlib import Path

import pytest
from django.test import RequestFactory

from tracing import auditing, oneway, peers, secret, senderkeys, tokens, users
from tracing.auditing import Audit
from tracing.clock import now_ns
from tracing.roles import Role, role_named
from tracing.tokens import Token
from tracing.unfit import Unfit
from tracing.users import User


@pytest.mark.parametrize(
    ("word", "role"),
    [("Viewer ", Role.VIEWER), ("administrator", Role.ADMINISTRATOR), ("nobody", None), ("", None)],
)
def test_a_role_is_named_by_a_word(word: str, role: Role | None) -> None:
    assert role_named(word) is role


def test_roles_speak_english() -> None:
    assert [f"{role.article} {role.word}" for role in (Role.VIEWER, Role.OPERATOR)] == [
        "a viewer",
        "an operator",
    ]


@pytest.mark.parametrize("name", ["", " ", "-ann", "ann smith", "änn", "a" * 101, "ann/../x", "ann\n"])
def test_no_username(name: str, clean_store: None) -> None:
    if name.strip() == "ann":
        assert users.check_username(name) == "ann"
        return
    with pytest.raises(Unfit, match="letters, digits"):
        users.create(name, Role.VIEWER)


def test_a_password_that_was_made_must_be_changed_and_is_argon2(clean_store: None) -> None:
    ann, made = users.create("Ann", Role.VIEWER)
    bob, told = users.create("bob", Role.VIEWER, "correct horse battery")
    assert ann.username == "ann" and ann.must_change and len(made) == 19 and ann.check_password(made)
    assert not bob.must_change and told == "correct horse battery" and bob.password.startswith("argon2")


def test_two_do_not_go_by_one_name(clean_store: None) -> None:
    users.create("ann", Role.VIEWER, name="Ann Lee")
    for username, name in (("ANN", ""), ("bob", "ann lee"), ("bob", "ann")):
        with pytest.raises(Unfit):
            users.create(username, Role.VIEWER, name=name)


def test_the_last_administrator_stays(clean_store: None) -> None:
    ada, _ = users.create("ada", Role.ADMINISTRATOR)
    bob, _ = users.create("bob", Role.VIEWER)
    for refused in (
        functools.partial(users.change, ada, role=Role.OPERATOR),
        functools.partial(users.change, ada, is_active=False),
        functools.partial(users.remove, ada),
    ):
        with pytest.raises(Unfit, match="last administrator"):
            refused()
    users.change(bob, role=Role.ADMINISTRATOR)
    users.change(ada, role=Role.VIEWER)
    with pytest.raises(Unfit, match="no user ada any more"):
        User.objects.filter(pk=ada.pk).delete()
        users.change(ada, is_active=True)


def test_whoever_is_alone_can_be_removed(clean_store: None) -> None:
    ada, _ = users.create("ada", Role.ADMINISTRATOR)
    assert users.exist()
    users.remove(ada)
    assert not users.exist()


def test_a_token_is_its_person_or_less(clean_store: None) -> None:
    otto, _ = users.create("otto", Role.OPERATOR)
    _, full = tokens.issue(otto, "all")
    _, low = tokens.issue(otto, "reads", Role.VIEWER)
    _, high = tokens.issue(otto, "hopes", Role.OPERATOR)
    Token.objects.filter(label="hopes").update(role=int(Role.ADMINISTRATOR))  # as its person once was
    _, over = tokens.issue(otto, "over", until_ns=now_ns() - 1)
    roles = {
        secret: getattr(tokens.holder(secret), "role", None)
        for secret in (full, low, high, over, "tlt_x", "")
    }
    assert list(roles.values()) == [Role.OPERATOR, Role.VIEWER, Role.OPERATOR, None, None, None]
    users.change(otto, is_active=False)
    assert tokens.holder(full) is None


def test_a_tokens_use_is_written_once_a_minute(clean_store: None) -> None:
    otto, _ = users.create("otto", Role.OPERATOR)
    made, told = tokens.issue(otto, "all")
    tokens.holder(told)
    first = tokens.Token.objects.get(pk=made.pk).used_ns
    tokens.holder(told)
    assert first and tokens.Token.objects.get(pk=made.pk).used_ns == first


def test_secrets_are_long_random_and_kept_as_hashes(clean_store: None) -> None:
    made, told = senderkeys.issue("shop")
    assert told.startswith("tlk_") and len(told) == 36 and oneway.made("x") != oneway.made("x")
    assert (
        bytes(made.digest) == oneway.digest(told) and told not in repr(vars(made)) and made.hint == told[:8]
    )


@pytest.mark.parametrize(
    ("name", "limit"), [("", None), ("x" * 101, None), ("a\nb", None), ("a", 0), ("a", 10**8)]
)
def test_no_key(clean_store: None, name: str, limit: int | None) -> None:
    with pytest.raises(Unfit):
        senderkeys.issue(name, limit)


def test_a_revoked_key_stays_with_its_name(clean_store: None) -> None:
    made, _ = senderkeys.issue("shop")
    senderkeys.revoke(made)
    assert not made.is_valid and not senderkeys.valid().exists()
    with pytest.raises(Unfit, match="already"):
        senderkeys.issue("shop")


def test_the_homes_secret_is_made_once_and_for_us_alone(tmp_path: Path) -> None:
    first = secret.kept(tmp_path / "home")
    path = tmp_path / "home" / "secret"
    assert (
        len(first) >= 50 and secret.kept(tmp_path / "home") == first and path.stat().st_mode & 0o777 == 0o600
    )
    path.write_text("short")
    second = secret.kept(tmp_path / "home")
    assert len(second) >= 50 and secret.kept(tmp_path / "home") == second
    assert [one.name for one in path.parent.iterdir()] == ["secret"]


def test_a_home_that_cannot_be_written_has_a_passing_secret(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert secret.kept(tmp_path / "file") != secret.kept(tmp_path / "file")


def test_a_note_is_cut_to_its_room_and_to_what_can_be_stored(clean_store: None) -> None:
    auditing.note("ann\x00", "rule changed", "x" * 1_000, "y" * 1_000)
    row = Audit.objects.get()
    assert (
        len(row.subject) == 300
        and len(row.detail) == 500
        and "\x00" not in row.who
        and "rule changed" in str(row)
    )


def test_only_our_proxy_says_whom_it_speaks_for(rf: RequestFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    request = rf.get("/", REMOTE_ADDR="10.0.0.9", HTTP_X_FORWARDED_FOR="6.6.6.6, 192.0.2.7")
    assert peers.address_of(request) == "10.0.0.9"
    monkeypatch.setattr("django.conf.settings.PROXY", True)
    assert peers.address_of(request) == "192.0.2.7"
    assert peers.address_of(rf.get("/", REMOTE_ADDR="", HTTP_X_FORWARDED_FOR="x")) == ""
    for told, address in {
        "192.0.2.7:52044": "192.0.2.7",
        "[2001:db8::7]:52044": "2001:db8::7",
        "[2001:db8::7]": "2001:db8::7",
        "2001:db8::7": "2001:db8::7",
        "[x]:1": "",
        "::ffff:192.0.2.7": "192.0.2.7",
    }.items():
        assert peers.address_of(rf.get("/", HTTP_X_FORWARDED_FOR=f"6.6.6.6, {told}")) == address


def test_a_reset_by_somebody_else_ends_tokens_and_an_own_change_does_not(clean_store: None) -> None:
    user, _ = users.create("eve", Role.OPERATOR)
    _, told = tokens.issue(user, "script")
    users.set_password(user, "a fine password", own=True)
    assert tokens.holder(told)
    users.set_password(user)
    assert tokens.holder(told) is None
    _, told = tokens.issue(user, "script")
    users.set_password(user, "told to them")
    assert tokens.holder(told) is None


def test_a_token_does_no_more_than_its_person(clean_store: None) -> None:
    user, _ = users.create("vic", Role.VIEWER)
    with pytest.raises(Unfit, match="vic is a viewer"):
        tokens.issue(user, "boss", Role.ADMINISTRATOR)
    assert tokens.issue(user, "own", Role.VIEWER)


def test_nobody_is_called_as_somebody_else_signs(clean_store: None) -> None:
    users.create("b.smith", Role.VIEWER, name="Ann")
    with pytest.raises(Unfit, match="goes by the name ann"):
        users.create("ann", Role.VIEWER)
    assert "ann" in users.names_like("an")
