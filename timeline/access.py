"""Who may do what: finds out who asks, and lets them in where their role is enough.

A view says what it needs with `needs`; without a word it takes a viewer to read and an operator to write. Addresses that lead
nowhere need a viewer too, so that a stranger learns nothing of them. The answers that refuse are `timeline.refusing`.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.urls import Resolver404, resolve
from django.utils.cache import patch_vary_headers

from timeline import refusing
from timeline.person import STRANGER, Person
from tracing import auditing, guarding, tokens
from tracing.roles import Role
from tracing.unavailable import AWAY, answer_to

View = TypeVar("View", bound=Callable[..., HttpResponseBase])
READING = ("GET", "HEAD", "OPTIONS")
# What somebody with a password made for them may do until they have their own.
BEFORE_CHANGING = ("account-password", "logout")


class Needs(NamedTuple):
    """The least role for reading an address and for posting to it."""

    read: Role = Role.VIEWER
    write: Role = Role.OPERATOR

    def of(self, method: str | None) -> Role:
        return self.read if method in READING else self.write


def needs(read: Role, write: Role) -> Callable[[View], View]:
    """What a view needs. The view itself stays as it was: one may stand at two addresses with two needs."""

    def marked(view: View) -> View:
        @functools.wraps(view)
        def guarded(*arguments: Any, **named: Any) -> HttpResponseBase:
            return view(*arguments, **named)

        guarded.needs = Needs(read, write)  # type: ignore[attr-defined]
        return cast(View, guarded)

    return marked


class Refused(Exception):
    """A token that stands for nobody."""


class Access:
    """Middleware around every page; static files and what senders send go another way."""

    def __init__(self, answer: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            person = _who(request)
        except Refused:
            return refusing.bad_token(request)
        except AWAY as error:
            return answer_to(request, error)
        request.person = person  # type: ignore[attr-defined]
        auditing.begin(typed=_is_local(person))
        refused = self._refused(request, person)
        response = refused or self.answer(request)
        if not _is_local(person):
            _keep_private(response)
        return response

    def _refused(self, request: HttpRequest, person: Person) -> HttpResponseBase | None:
        name, needed = _asked(request)
        role = needed.of(request.method)
        if (
            person.user is not None
            and person.user.must_change
            and not person.token
            and name not in BEFORE_CHANGING
        ):
            # What anybody may read is theirs too.
            return refusing.change_first(request, is_page=bool(name)) if role > Role.NOBODY else None
        if person.role >= role:
            return None
        return refusing.sign_in(request) if person is STRANGER else refusing.not_enough(request, person, role)


def _asked(request: HttpRequest) -> tuple[str, Needs]:
    """The name of the address, and what its view needs."""
    try:
        match = resolve(request.path_info)
    except Resolver404:
        return "", Needs()
    found = getattr(match.func, "needs", None)
    return match.url_name or "", found if isinstance(found, Needs) else Needs()


def _who(request: HttpRequest) -> Person:
    told = request.headers.get("Authorization", "")
    scheme, _, secret = told.partition(" ")
    if scheme.lower() == "bearer" and secret.strip().startswith(tokens.PREFIX):
        return _by_token(request, secret.strip())
    if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
        return Person(request.user.given, request.user)
    return Person(Role.ADMINISTRATOR) if guarding.is_open() else STRANGER


def _by_token(request: HttpRequest, secret: str) -> Person:
    found = tokens.holder(secret)
    if found is None:
        raise Refused
    # No cookie speaks for them, so no other page can have made them send this.
    request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
    return Person(found.role, found.user, found.label)


def _is_local(person: Person) -> bool:
    return person.user is None and person.role > Role.NOBODY


def _keep_private(response: HttpResponseBase) -> None:
    """Neither a proxy nor the back button after signing out shows what somebody else may not see."""
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "private, no-store"
    patch_vary_headers(response, ("Cookie", "Authorization"))


def own_path(text: str) -> str:
    """The address to go on to after signing in; `/` for anything that could lead elsewhere.

    Browsers take `\\` for `/` and leave out tabs and line ends, so `/\\evil` and `/<tab>/evil` are other hosts to them.
    """
    if (
        not text.startswith("/")
        or text.startswith("//")
        or "\\" in text
        or any(ord(one) < 33 or ord(one) == 127 for one in text)
    ):
        return "/"
    parts = urlsplit(text)
    return "/" if parts.scheme or parts.netloc else text
