"""Signing in by somebody else's word (OpenID Connect): which role a claim gives, who is refused, what goes wrong on the way.

django-allauth speaks the protocol; it is loaded only where THREADLINE_OIDC_URL is set, and of its pages none can be reached.
`timeline.views.oidc` has the two addresses.
"""

import re
from collections.abc import Mapping
from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse

from timeline.answers import page_answer
from tracing import auditing, users
from tracing.peers import address_of
from tracing.roles import Role
from tracing.users import User

NO_ROLE = (
    "You are known there, but nothing it says of you gives you a role here. An administrator of this Threadline can"
    " tell why."
)
SWITCHED_OFF = "Your account here is switched off. An administrator of this Threadline can switch it on."
FAILED = "Signing in there did not work out. Try again, or sign in with a password."
AWAY = "The place where you sign in does not answer. Try again in a while, or sign in with a password."


def role_of(claims: Mapping[str, Any]) -> Role:
    """The highest role that the claim gives, a text or a list of texts; the default where it gives none."""
    told = claims.get(settings.OIDC_ROLE_CLAIM)
    said = told if isinstance(told, (list, tuple)) else [told]
    given = [settings.OIDC_ROLES[one] for one in said if isinstance(one, str) and one in settings.OIDC_ROLES]
    return Role(max(given, default=settings.OIDC_DEFAULT_ROLE))


def claims_of(told: Mapping[str, Any]) -> dict[str, Any]:
    """What the provider says: of its two statements the signed one counts where both say something."""
    return {**dict(told.get("userinfo") or {}), **dict(told.get("id_token") or {})}


def free_username(claims: Mapping[str, Any]) -> str:
    """Of what they are called there, in a form that is nobody's here: an account of ours is never taken over by its name."""
    wanted = str(claims.get("preferred_username") or claims.get("email") or claims.get("sub") or "")
    name = re.sub(r"[^a-z0-9._@+-]+", "-", users.normal(wanted)).strip("._@+-")[:90] or "somebody"
    taken = users.names_like(name) | {auditing.TERMINAL}
    number = 2
    found = name
    while found in taken:
        found, number = f"{name}-{number}", number + 1
    return found


class Adapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """What allauth asks us on its way."""

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """They have proved who they are there: let them in with the role they have by now, or refuse them."""
        auditing.begin(typed=False)
        claims = claims_of(sociallogin.account.extra_data)
        role = role_of(claims)
        known = sociallogin.is_existing
        if role == Role.NOBODY:
            if known:
                _give(sociallogin.user, role)
            raise _refused(request, NO_ROLE, str(sociallogin.user if known else free_username(claims)))
        if known and not sociallogin.user.is_active:
            raise _refused(request, SWITCHED_OFF, str(sociallogin.user))
        if known:
            user = sociallogin.user
        else:
            try:
                user = self._made(request, sociallogin, claims, role)
            except IntegrityError:  # somebody of that name came at the same moment
                user = self._made(request, sociallogin, claims, role)
        _give(user, role)
        where = f"by {settings.OIDC_URL} from {address_of(request) or 'an unknown address'}"
        auditing.note(str(user), "signed in", user.username, where)

    def _made(self, request: HttpRequest, sociallogin: Any, claims: Mapping[str, Any], role: Role) -> User:
        with transaction.atomic():
            user = User(
                username=free_username(claims), role=int(role), email=str(claims.get("email") or "")[:254]
            )
            user.set_unusable_password()
            user.save()
            sociallogin.connect(request, user)
        auditing.note(user.username, "person added", user.username, f"{role.word}, by {settings.OIDC_URL}")
        return user

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, *arguments: Any, **named: Any
    ) -> None:
        raise ImmediateHttpResponse(page(request, FAILED, 401))

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return False


def _give(user: User, role: Role) -> None:
    """The role that the provider gives by now: with none, their other sessions and their tokens open nothing either.

    It counts for the last administrator too: `manage.py user` makes another.
    """
    if user.role == role:
        return
    auditing.note(
        str(user), "role changed", user.username, f"{user.given.word} → {role.word}, as told at sign-in"
    )
    user.role = int(role)
    user.save(update_fields=["role"])


def _refused(request: HttpRequest, sentence: str, who: str) -> ImmediateHttpResponse:
    auditing.note("", "failed to sign in", who, f"by {settings.OIDC_URL}: {sentence}")
    return ImmediateHttpResponse(page(request, sentence, 403))


def page(request: HttpRequest, sentence: str, status: int) -> HttpResponse:
    return page_answer(request, "people/refused.html", {"sentence": sentence}, status=status)
