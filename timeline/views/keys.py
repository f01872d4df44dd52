"""`/settings/keys`: what services send with. Made with a secret that is shown once, limited, revoked.

`tracing.senderkeys` keeps them, `tracing.keyring` asks for them where data is received.
"""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from timeline.access import needs
from timeline.answers import NotFound, page_answer
from timeline.peopleforms import KeyForm
from timeline.reader import name_of
from timeline.views.now import otlp_address
from tracing import auditing, guarding, senderkeys
from tracing.roles import Role
from tracing.senderkeys import SenderKey
from tracing.unfit import Unfit


@needs(Role.ADMINISTRATOR, Role.ADMINISTRATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def keys(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _page(request, KeyForm())
    form = KeyForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=400)
    told = form.cleaned_data
    try:
        made, secret = senderkeys.issue(told["name"], told["limit"], name_of(request))
    except Unfit as problem:
        form.add_error(problem.field, problem.sentence)
        return _page(request, form, status=400)
    auditing.note(name_of(request), "key made", made.name, limit_words(made))
    return _page(request, KeyForm(), made, secret)


@needs(Role.ADMINISTRATOR, Role.ADMINISTRATOR)
@require_POST
def revoke(request: HttpRequest, key_id: int) -> HttpResponse:
    found = _key(key_id)
    senderkeys.revoke(found)
    auditing.note(name_of(request), "key revoked", found.name)
    return HttpResponseRedirect(reverse("keys"))


@needs(Role.ADMINISTRATOR, Role.ADMINISTRATOR)
@require_POST
def limit(request: HttpRequest, key_id: int) -> HttpResponse:
    found = _key(key_id)
    text = request.POST.get("limit", "").strip()
    try:
        if text and not (text.isascii() and text.isdigit() and len(text) < 10):
            raise Unfit(
                "limit", f"A limit is a number of records a second, from 1 to {senderkeys.MOST_LIMIT:,}."
            )
        senderkeys.set_limit(found, int(text) if text else None)
    except Unfit as problem:
        return _page(request, KeyForm(), refused=f"{found.name}: {problem.sentence}", status=400)
    auditing.note(name_of(request), "key limited", found.name, limit_words(found))
    return HttpResponseRedirect(reverse("keys"))


def limit_words(key: SenderKey) -> str:
    return f"at most {key.per_second:,} records a second" if key.per_second else "without a limit"


def _key(key_id: int) -> SenderKey:
    found = SenderKey.objects.filter(pk=key_id).first()
    if found is None:
        raise NotFound("There is no such key.")
    return found


def _page(
    request: HttpRequest,
    form: KeyForm,
    made: SenderKey | None = None,
    secret: str = "",
    refused: str = "",
    status: int = 200,
) -> HttpResponse:
    known = list(SenderKey.objects.all())
    context = {
        "form": form,
        "keys": sorted(known, key=lambda key: (not key.is_valid, key.name)),
        "made": made,
        "secret": secret,
        "is_first": made is not None and len(known) == 1 and not guarding.is_reachable(),
        "refused": refused,
        "otlp": otlp_address(request),
    }
    response = page_answer(request, "people/keys.html", context, status=status)
    if secret:
        response.headers["Cache-Control"] = "no-store"
    return response
