"""The cast: who comes to an address, and as whom. One sender, one viewer, one operator, one administrator, one stranger.

`test_access_table` lets each of them try every address; other tests borrow who they need.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from django.contrib.auth.hashers import make_password
from django.test import Client

from tracing import senderkeys
from tracing.roles import Role
from tracing.users import User

BACKEND = "django.contrib.auth.backends.ModelBackend"
PASSWORD = "correct horse battery"
NAMES = {"vera": Role.VIEWER, "otto": Role.OPERATOR, "ada": Role.ADMINISTRATOR}


@dataclass
class Actor:
    """Somebody with a browser or a program; `role` is what they may do at most."""

    name: str
    role: Role
    client: Client
    headers: Mapping[str, str] = field(default_factory=dict)
    user: User | None = None


def signed_in(user: User, *, csrf: bool = False) -> Client:
    client = Client(enforce_csrf_checks=csrf)
    client.force_login(user, backend=BACKEND)
    return client


@cache
def _hashed() -> str:
    """Hashing takes a tenth of a second; whoever has the same password may have the same hash here."""
    return make_password(PASSWORD)


def make(name: str, role: Role) -> User:
    return User.objects.create(username=name, role=int(role), password=_hashed())


def everybody() -> list[Actor]:
    """All of them; the stranger with a link is in `test_shares_people`."""
    made = [make(name, role) for name, role in NAMES.items()]
    _, secret = senderkeys.issue("shop")
    return [
        Actor("stranger", Role.NOBODY, Client()),
        Actor("sender", Role.NOBODY, Client(), {"Authorization": f"Bearer {secret}"}),
        *(Actor(user.username, user.given, signed_in(user), user=user) for user in made),
    ]
