"""`/account`: one's own page: who one is here, a new password, API tokens for scripts.

Tokens are `tracing.tokens`. A script that came with a token can neither make another nor change the password.
"""

from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from timeline import refusing
from timeline.access import needs, own_path
from timeline.answers import NotFound, page_answer
from timeline.peopleforms import PasswordForm, TokenForm
from timeline.person import person_of
from tracing import auditing, tokens, users
from tracing.clock import now_ns
from tracing.roles import Role, role_named
from tracing.tokens import Token
from tracing.users import User

MOST_TOKENS = 50


@needs(Role.VIEWER, Role.VIEWER)
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    return _page(request, TokenForm(person_of(request).role))


@needs(Role.VIEWER, Role.VIEWER)
@sensitive_post_parameters("current", "new", "again")
@require_http_methods(["GET", "HEAD", "POST"])
def password(request: HttpRequest) -> HttpResponse:
    user = _self(request)
    if user is None:
        return refusing.by_hand(request)
    if not user.has_usable_password():
        raise NotFound("You sign in elsewhere, so there is no password of yours here.")
    following = request.POST.get("next", "") or request.GET.get("next", "")
    form = PasswordForm(user, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        users.set_password(user, form.cleaned_data["new"], own=True)
        # This session goes on under a new id; all others end.
        update_session_auth_hash(request, user)
        auditing.note(str(user), "password changed", user.username)
        return HttpResponseRedirect(own_path(following) if following else f"{reverse('account')}?changed=1")
    status = 400 if form.errors else 200
    context = {"form": form, "must": user.must_change, "next": following}
    return page_answer(request, "people/password.html", context, status=status)


@needs(Role.VIEWER, Role.VIEWER)
@require_POST
def token_new(request: HttpRequest) -> HttpResponse:
    user = _self(request)
    if user is None:
        return refusing.by_hand(request)
    form = TokenForm(user.given, request.POST)
    if form.is_valid() and Token.objects.filter(user=user).count() >= MOST_TOKENS:
        form.add_error("label", f"You have {MOST_TOKENS} tokens already: revoke one that nobody uses.")
    if not form.is_valid():
        return _page(request, form, status=400)
    told = form.cleaned_data
    made, secret = tokens.issue(user, told["label"], role_named(told["role"]), form.until_ns(now_ns()))
    auditing.note(str(user), "token made", made.label, _described(made))
    return _page(request, TokenForm(user.given), made, secret)


@needs(Role.VIEWER, Role.VIEWER)
@require_POST
def token_revoke(request: HttpRequest, token_id: int) -> HttpResponse:
    user = _self(request)
    if user is None:
        return refusing.by_hand(request)
    found = Token.objects.filter(pk=token_id, user=user).first()
    if found is None:
        raise NotFound("You have no such token.")
    found.delete()
    auditing.note(str(user), "token revoked", found.label)
    return HttpResponseRedirect(reverse("account"))


def _self(request: HttpRequest) -> User | None:
    """Who is signed in by hand; None in local mode and for a script."""
    person = person_of(request)
    return None if person.token else person.user


def _described(made: Token) -> str:
    return f"{made.hint}…, {made.given.word if made.given else 'as its person'}"


def _page(
    request: HttpRequest, form: TokenForm, made: Token | None = None, secret: str = "", status: int = 200
) -> HttpResponse:
    person = person_of(request)
    context = {
        "form": form,
        "tokens": list(Token.objects.filter(user=person.user)) if person.user else [],
        "made": made,
        "secret": secret,
        "changed": "changed" in request.GET,
        "by_hand": person.user is not None and not person.token,
    }
    return page_answer(request, "people/account.html", context, status=status)
