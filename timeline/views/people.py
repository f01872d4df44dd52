"""`/settings/people`: who may sign in, with which role. Made with a password that is shown once and must be changed.

`tracing.users` keeps them and refuses to leave nobody who administers; `timeline.views.account` is everybody's own page.
"""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from timeline.access import needs
from timeline.answers import NotFound, page_answer
from timeline.peopleforms import PersonForm, RoleForm
from timeline.person import person_of
from timeline.reader import name_of
from tracing import auditing, users
from tracing.roles import GIVEN, Role, role_named
from tracing.unfit import Unfit
from tracing.users import User

FIRST = "The first person must be an administrator: from then on signing in is needed, and somebody has to let the others in."


@needs(Role.ADMINISTRATOR, Role.ADMINISTRATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def people(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _page(request, _fresh())
    form = PersonForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=400)
    told = form.cleaned_data
    role = role_named(told["role"]) or Role.VIEWER
    if role != Role.ADMINISTRATOR and not users.administrators().exists():
        form.add_error("role", FIRST)
        return _page(request, form, status=400)
    try:
        user, secret = users.create(told["username"], role, None, told["name"], told["email"])
    except Unfit as problem:
        form.add_error(problem.field, problem.sentence)
        return _page(request, form, status=400)
    auditing.note(name_of(request), "person added", user.username, f"{role.word}")
    # Shown in the answer itself: what is kept nowhere cannot be shown after a redirect.
    return _page(request, _fresh(), made=user, secret=secret, is_new=True)


@needs(Role.ADMINISTRATOR, Role.ADMINISTRATOR)
@require_POST
def role(request: HttpRequest, user_id: int) -> HttpResponse:
    user = _user(user_id)
    form = RoleForm(request.POST)
    wanted = role_named(form.cleaned_data["role"]) if form.is_valid() else None
    if wanted is None:
        return _page(request, _fresh(), refused="A role is viewer, operator or administrator.", status=400)
    try:
        users.change(user, role=wanted)
    except Unfit as problem:
        return _page(request, _fresh(), refused=problem.sentence, status=409)
    auditing.note(name_of(request), "role changed", user.username, f"{user.given.word} → {wanted.word}")
    return _done(user)


@needs(Role.ADMINISTRATOR, Role.ADMINISTRATOR)
@require_POST
def switch(request: HttpRequest, user_id: int) -> HttpResponse:
    """Off: every session and token of theirs ends at once. On again as they were."""
    user = _user(user_id)
    try:
        users.change(user, is_active=not user.is_active)
    except Unfit as problem:
        return _page(request, _fresh(), refused=problem.sentence, status=409)
    auditing.note(name_of(request), f"person switched {'off' if user.is_active else 'on'}", user.username)
    return _done(user)


@needs(Role.ADMINISTRATOR, Role.ADMINISTRATOR)
@require_POST
def password(request: HttpRequest, user_id: int) -> HttpResponse:
    """A new one-time password; whoever was signed in with the old one no longer is."""
    user = _user(user_id)
    if person_of(request).user == user:
        return HttpResponseRedirect(reverse("account-password"))
    secret = users.set_password(user)
    auditing.note(name_of(request), "password reset", user.username)
    return _page(request, _fresh(), made=user, secret=secret)


def _fresh() -> PersonForm:
    first = not users.administrators().exists()
    return PersonForm(initial={"role": (Role.ADMINISTRATOR if first else Role.VIEWER).word})


def _done(user: User) -> HttpResponse:
    return HttpResponseRedirect(f"{reverse('people')}?changed={user.pk}#p{user.pk}")


def _user(user_id: int) -> User:
    found = User.objects.filter(pk=user_id).first()
    if found is None:
        raise NotFound("There is no such person.")
    return found


def _page(
    request: HttpRequest,
    form: PersonForm,
    made: User | None = None,
    secret: str = "",
    is_new: bool = False,
    refused: str = "",
    status: int = 200,
) -> HttpResponse:
    everybody = list(User.objects.all())
    context = {
        "form": form,
        "people": everybody,
        "roles": GIVEN,
        "made": made,
        "secret": secret,
        "is_first": is_new and len(everybody) == 1,
        "refused": refused,
        "changed": request.GET.get("changed", ""),
    }
    response = page_answer(request, "people/people.html", context, status=status)
    if secret:
        response.headers["Cache-Control"] = "no-store"
    return response
