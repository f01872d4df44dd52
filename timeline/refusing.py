"""How a page says no to a person: sign in first, your role is not enough, change your password first, that token is none.

Pages lead on, programs and htmx get a status and a sentence. `timeline.access` decides; `timeline.views.errors` says the rest.
"""

from urllib.parse import quote, urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from timeline.addresses import with_query
from timeline.answers import json_answer, page_answer, text_answer
from timeline.person import Person
from tracing.roles import Role

SIGN_IN = (
    "Sign in first: this Threadline shows its pages to people it knows. Scripts send an API token as"
    " Authorization: Bearer tlt_…"
)
BAD_TOKEN = (
    "This API token is not known here, or was revoked, or is over. Make a new one on your account's page."
)
NO_ROLE = "You have no role here any more: the place where you sign in gives you none. An administrator can tell why."
CHANGE_FIRST = "Change your password first: the one you have was made by somebody else."
BY_HAND = "Only a person who has signed in by hand has a password and tokens to change."
# What scripts ask a page for.
NO_PAGES = frozenset({"format", "pulse", "part"})
PROGRAMS = ("json", "txt", "md", "csv")


def sign_in(request: HttpRequest) -> HttpResponse:
    """To the page for signing in, which leads back; 401 for programs."""
    if request.headers.get("HX-Request"):
        return _htmx(request)
    if _is_program(request):
        return _unauthorized(request, SIGN_IN)
    back = request.get_full_path() if request.method in ("GET", "HEAD") else "/"
    return HttpResponseRedirect(sign_in_address(back))


def sign_in_address(back: str) -> str:
    return reverse("login") + (f"?next={quote(back, safe='/')}" if back not in ("", "/") else "")


def bad_token(request: HttpRequest) -> HttpResponse:
    return _unauthorized(request, BAD_TOKEN)


def not_enough(request: HttpRequest, person: Person, needed: Role) -> HttpResponse:
    if person.role == Role.NOBODY:
        return _said(request, NO_ROLE, 403)
    role = f"{person.role.article} {person.role.word}"
    whose = f"your token {person.token} is {role}’s" if person.token else f"you are {role}"
    return _said(request, f"This takes {needed.article} {needed.word}, and {whose}.", 403)


def by_hand(request: HttpRequest) -> HttpResponse:
    """A token makes no further tokens and no passwords, and in local mode there is nobody to have them."""
    return _said(request, BY_HAND, 403)


def change_first(request: HttpRequest, *, is_page: bool) -> HttpResponse:
    """To the page for a password of one's own, and from there on to the page that was asked for, if it was one."""
    asked = ""
    if "HX-Request" in request.headers:
        asked = _shown(request)
    elif is_page and request.method == "GET" and not NO_PAGES.intersection(request.GET):
        asked = request.get_full_path()
    address = with_query(reverse("account-password"), {"next": asked if asked != "/" else ""})
    if request.headers.get("HX-Request") or _is_program(request):
        response = _said(request, CHANGE_FIRST, 403)
        response.headers["HX-Redirect"] = address
        return response
    return HttpResponseRedirect(address)


def _shown(request: HttpRequest) -> str:
    """The page that htmx asked from; `/` where that is no address."""
    try:
        shown = urlsplit(request.headers.get("HX-Current-URL", ""))
    except ValueError:
        return "/"
    return shown.path + (f"?{shown.query}" if shown.query else "")


def _htmx(request: HttpRequest) -> HttpResponse:
    """htmx would draw the page for signing in into the part it asked for: it is told to go there as a whole."""
    back = _shown(request)
    response = HttpResponse(f"{SIGN_IN}\n", status=401, content_type="text/plain; charset=utf-8")
    response.headers["HX-Redirect"] = sign_in_address(back)
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _is_program(request: HttpRequest) -> bool:
    if request.GET.get("format") in PROGRAMS or "Authorization" in request.headers:
        return True
    return request.headers.get("Accept", "").startswith("application/json")


def _unauthorized(request: HttpRequest, sentence: str) -> HttpResponse:
    response = _said(request, sentence, 401)
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _said(request: HttpRequest, sentence: str, status: int) -> HttpResponse:
    form = request.GET.get("format", "")
    if form == "json" or request.headers.get("Accept", "").startswith("application/json"):
        word = "unauthorized" if status == 401 else "forbidden"
        return json_answer({"status": status, "error": word, "field": None, "sentence": sentence}, status)
    if form in PROGRAMS or status == 401 or request.headers.get("HX-Request"):
        return text_answer(sentence, "md" if form == "md" else "txt", status)
    return page_answer(request, "403.html", {"sentence": sentence}, status=status)
