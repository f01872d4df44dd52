"""What a cookie may say of a session."""

import pytest
from django.test import Client

from tests.cast import PASSWORD, make
from tests.test_signing import sign_in
from tracing.roles import Role
from tracing.sessions import SessionStore


@pytest.mark.parametrize("odd", ["abcdefgh\0", "ABCDEFGH12345678", "x" * 5_000, "'; --", "\ud800abcdefgh"])
def test_a_cookie_that_is_no_session_is_nobodys(client: Client, clean_store: None, odd: str) -> None:
    make("ada", Role.ADMINISTRATOR)
    # As Django reads it: a quoted cookie may hold any octet.
    client.cookies["session"] = odd
    client.cookies["session"].set(
        "session", odd, '"' + "".join(f"\\{ord(c):03o}" if ord(c) < 256 else "?" for c in odd) + '"'
    )
    assert client.get("/login").status_code == 200 and client.get("/flows").status_code == 302
    assert sign_in(client, "ada", PASSWORD).status_code == 302


def test_an_id_is_one_that_was_made(clean_store: None) -> None:
    made = SessionStore()
    made.create()
    assert SessionStore(made.session_key).session_key == made.session_key
    assert SessionStore("abcdefgh\0").session_key is None
