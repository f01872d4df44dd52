"""`?frozen=<id>` on a page: the same page as it was when a copy of it was taken, for whoever may read the live one.

`timeline.views.shared` draws both this and what links show; `timeline.sharing` lists the copies.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from timeline import sharing
from timeline.addresses import with_query
from timeline.answers import BadFilter, NotFound
from timeline.sharing import Shown
from timeline.staged import on_stage
from tracing.shares import Snapshot

LONGEST_ID = 18
Asked = ParamSpec("Asked")


def asked_copy(request: HttpRequest) -> Snapshot | None:
    """The copy that the address asks for; None where it asks for the live page. Raises NotFound for one that is gone."""
    asked = request.GET.get("frozen", "")
    if not asked:
        return None
    if not (asked.isascii() and asked.isdigit() and len(asked) <= LONGEST_ID):
        raise BadFilter("frozen", "A frozen copy is asked for by its number; leave it out for the live page.")
    if request.method == "POST":
        raise BadFilter("frozen", "Nothing can be said on a frozen page. Say it on the live one.")
    found = Snapshot.objects.filter(pk=int(asked)).first()
    if found is None:
        raise NotFound(
            "This frozen copy is not kept any more. Leave `frozen` out of the address for the live page."
        )
    return found


def drawn(
    request: HttpRequest,
    copy: Snapshot,
    page: Callable[Concatenate[HttpRequest, Asked], HttpResponseBase],
    *asked: Asked.args,
    **more: Asked.kwargs,
) -> HttpResponseBase:
    """A page as of a copy."""
    by = f"the problem, as its {copy.roles_told} flow" if copy.role else copy.name
    shown = Shown(copy.path, copy.taken_ns, by, copy.reason, copy.expires_ns, copy.with_values)
    if copy.subject == Snapshot.Subject.FILE:
        path = with_query(copy.path, {"frozen": str(copy.pk)})
        shown = replace(shown, path=path, file=copy.title, number=copy.pk)
    request.shown = shown  # type: ignore[attr-defined]
    stage_id = sharing.frozen_stage(copy.pk)
    return on_its_stage(stage_id, copy.taken_ns, lambda: page(request, *asked, **more))


def on_its_stage(
    stage_id: int, taken_ns: int | None, page: Callable[[], HttpResponseBase]
) -> HttpResponseBase:
    """A page drawn from a stage, whole: what is streamed would be read when the stage is left."""
    with on_stage(stage_id, taken_ns):
        response = page()
        if not isinstance(response, StreamingHttpResponse):
            return response
        whole = HttpResponse(b"".join(response), content_type=response["Content-Type"])
        for name, value in response.items():
            whole.headers[name] = value
        return whole
