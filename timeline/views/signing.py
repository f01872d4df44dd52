"""`/login` and `/logout`: a page of our own, which works without scripts and tells nobody who exists.

After some failures further tries are refused for a while without a look at their password (`tracing.tries`).
"""

from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from timeline import moments
from timeline.access import needs, own_path
from timeline.addresses import with_query
from timeline.answers import page_answer
from timeline.peopleforms import LONGEST_PASSWORD
from timeline.person import person_of
from timeline.reader import name_of
from tracing import auditing, tries, users
from tracing.lengths import SECOND_NS
from tracing.peers import address_of
from tracing.roles import Role

WRONG = "This username and password do not go together."
BUSY = "Too many people are signing in at this moment: try again in a second."


class SignInForm(forms.Form):
    username = forms.CharField(
        max_length=200,
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    password = forms.CharField(
        max_length=LONGEST_PASSWORD,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


@needs(Role.NOBODY, Role.NOBODY)
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    following = own_path(request.POST.get("next", "") or request.GET.get("next", ""))
    if request.method != "POST":
        # Who is in already, or need not sign in here, goes on.
        return (
            HttpResponseRedirect(following)
            if person_of(request).views
            else _page(request, SignInForm(), following)
        )
    form = SignInForm(request.POST)
    if not form.is_valid():
        return _page(request, form, following, WRONG, status=400)
    username = users.normal(form.cleaned_data["username"])
    address = address_of(request)
    if seconds := tries.wait_s(username, address):
        return _wait(request, form, following, seconds)
    try:
        with tries.looked_at():
            user = authenticate(request, username=username, password=form.cleaned_data["password"])
    except tries.Busy:
        return _wait(request, form, following, 1, BUSY, 503)
    where = f"from {address or 'an unknown address'}"
    if user is None:
        # Those that are refused without a look are not written down: nobody fills the audit by trying on.
        auditing.note("", "failed to sign in", username, where)
        seconds = tries.wait_s(username, address)
        if seconds:
            held = f"{where}: further tries are refused for {moments.took(seconds * SECOND_NS)}"
            auditing.note("", "sign-in held up", username, held)
            return _wait(request, form, following, seconds)
        return _page(request, form, following, WRONG, status=401)
    # A new session under a new id, also for whoever was in already.
    request.session.flush()
    login(request, user)
    auditing.note(str(user), "signed in", username, where)
    return HttpResponseRedirect(following)


@needs(Role.NOBODY, Role.NOBODY)
@never_cache
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    name = name_of(request) if person_of(request).user else ""
    logout(request)
    if name:
        auditing.note(name, "signed out", name)
    response = HttpResponseRedirect(reverse("login"))
    # What a browser kept of pages goes with the session.
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def _wait(
    request: HttpRequest,
    form: SignInForm,
    following: str,
    seconds: int,
    sentence: str = "",
    status: int = 429,
) -> HttpResponse:
    sentence = sentence or f"Too many tries in a row: try again in {moments.took(seconds * SECOND_NS)}."
    response = _page(request, form, following, sentence, status=status)
    response.headers["Retry-After"] = str(seconds)
    return response


def _page(
    request: HttpRequest, form: SignInForm, following: str, sentence: str = "", status: int = 200
) -> HttpResponse:
    context = {
        "form": form,
        "next": following if following != "/" else "",
        "sentence": sentence,
        "provider": _provider(following),
    }
    return page_answer(request, "people/login.html", context, status=status)


def _provider(following: str) -> dict[str, str] | None:
    """Where else one can sign in: its name and the way there."""
    if not settings.OIDC_URL:
        return None
    address = reverse("openid_connect_login", args=[settings.OIDC_PROVIDER])
    return {
        "name": urlsplit(settings.OIDC_URL).hostname or "",
        "href": with_query(address, {"next": following}),
    }
