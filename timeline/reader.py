"""How the reader calls themselves: while there are no users, what people say carries the name they typed last."""

from urllib.parse import quote, unquote

from django.http import HttpRequest, HttpResponse

COOKIE = "name"
YEAR_S = 31_536_000
LONGEST = 100


def name_of(request: HttpRequest) -> str:
    """Empty until they said it."""
    return unquote(request.COOKIES.get(COOKIE, ""))[:LONGEST]


def remember(response: HttpResponse, name: str) -> HttpResponse:
    """A cookie carries ASCII only, so the name is percent-encoded."""
    response.set_cookie(COOKIE, quote(name), max_age=YEAR_S, samesite="Lax", httponly=True)
    return response
