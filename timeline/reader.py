"""How the reader signs what they say: as the person signed in, in local mode by the name they typed last."""

from urllib.parse import quote, unquote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict

from timeline.person import person_of
from tracing.values import storable

COOKIE = "name"
YEAR_S = 31_536_000
LONGEST = 100


def name_of(request: HttpRequest) -> str:
    """In local mode empty until they said it."""
    person = person_of(request)
    if person.user is not None:
        return person.name
    return storable(unquote(request.COOKIES.get(COOKIE, "")))[:LONGEST]


def said(request: HttpRequest) -> QueryDict:
    """What was posted, signed: whoever is signed in cannot say something under another name."""
    if person_of(request).user is None:
        return request.POST
    signed = request.POST.copy()
    signed["name"] = name_of(request)
    return signed


def signed_by(request: HttpRequest) -> str:
    """The name under what is being posted: for the audit, before the cookie knows it."""
    return said(request).get("name", "").strip()[:LONGEST] or name_of(request)


def remember(response: HttpResponse, name: str) -> HttpResponse:
    """A cookie carries ASCII only, so the name is percent-encoded."""
    response.set_cookie(
        COOKIE, quote(name), max_age=YEAR_S, samesite="Lax", httponly=True, secure=settings.IS_HTTPS
    )
    return response
