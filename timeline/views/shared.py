"""`/s/<token>`: a view that somebody shared, drawn by its own page from a copy; nothing else can be reached through it.

An unknown, expired, revoked or mistyped token is answered alike. `timeline.sharing` knows the links, `timeline.staged`
keeps the page to its copy.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.views.decorators.http import require_safe

from timeline import sharing
from timeline.addresses import flow_in_address
from timeline.answers import NotFound, json_answer
from timeline.frozen import on_its_stage
from timeline.queries.pulse import AGAIN_MS, read_pulse
from timeline.sharing import Shown
from timeline.subjects import View, read_view
from timeline.views import compare, flow, problems
from tracing.clock import now_ns
from tracing.lengths import SECOND_NS
from tracing.shares import Share
from tracing.snapshots.belonging import TooLarge

GONE = "There is nothing at this address: the link was revoked, its time is over, or it was not copied whole."
# A page that was left by closing what was open in it has an address of its own.
LEFT = "part"
PROBLEM_MOVES_NS = 10 * SECOND_NS


@require_safe
def shared(request: HttpRequest, token: str) -> HttpResponseBase:
    share = sharing.find(token)
    if share is None:
        raise NotFound(GONE)
    if "pulse" not in request.GET:
        sharing.note_opened(share)
    _as_shared(request, share)
    response = _frozen(request, share) if share.frozen else _live(request, share)
    # Neither search engines nor whoever a link in it leads to learn of the token.
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _page(path: str) -> Callable[[HttpRequest], HttpResponseBase]:
    named = flow_in_address(path)
    if named is not None:
        kind, type, key, _ = named
        return lambda request: flow.answer(request, kind, type, key)
    if path.startswith("/problems/"):
        return lambda request: problems.answer(request, path.removeprefix("/problems/"))
    return lambda request: compare.compare(request)


def _as_shared(request: HttpRequest, share: Share) -> None:
    """The request asks for the view that was shared unless it asks for another part of it."""
    asked = request.GET.copy()
    if not asked.keys() - {"format"}:
        asked.update(QueryDict(share.query))
        if share.query:
            asked[LEFT] = "1"
    if share.subject == "comparison":
        for name, value in QueryDict(share.path.partition("?")[2]).items():
            asked[name] = str(value)
    request.GET = asked  # type: ignore[assignment]
    request.META["QUERY_STRING"] = asked.urlencode()


def _frozen(request: HttpRequest, share: Share) -> HttpResponseBase:
    snapshot = share.snapshot
    assert snapshot is not None
    request.shown = _shown(share, snapshot.taken_ns)  # type: ignore[attr-defined]
    stage_id = sharing.frozen_stage(snapshot.pk)
    return on_its_stage(stage_id, snapshot.taken_ns, lambda: _page(share.path)(request))


def _live(request: HttpRequest, share: Share) -> HttpResponseBase:
    view = read_view(share.path)
    moment = _moment(view)
    request.shown = _shown(share, None, moment)  # type: ignore[attr-defined]
    if "pulse" in request.GET:
        return json_answer({"pulse": moment, "again_ms": AGAIN_MS})
    try:
        stage_id = sharing.live_stage(share, view, moment)
    except TooLarge as large:
        # It grew since it was shared.
        raise NotFound(f"{large} A link cannot show that many any more.") from None
    return on_its_stage(stage_id, None, lambda: _page(share.path)(request))


def _moment(view: View) -> str:
    """The same while nothing of a live view moved; a problem is looked at every ten seconds."""
    if view.problem is not None:
        return str(now_ns() // PROBLEM_MOVES_NS)
    return "-".join(read_pulse(one).whole for one in view.flows)


def _shown(share: Share, taken_ns: int | None, moment: str = "") -> Shown:
    return Shown(
        share.path, taken_ns, share.name, share.reason, share.expires_ns, share.with_values, moment, share
    )
