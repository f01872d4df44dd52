"""`/s/<token>`: a view that somebody shared, drawn by its own page from a copy; nothing else can be reached through it.

An unknown, expired, revoked or mistyped token is answered alike. `timeline.sharing` knows the links, `timeline.frozen`
keeps the page to its copy, `timeline.sharecard` has what a channel shows of it.
"""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.views.decorators.http import require_safe

from timeline import cardshelf, refusing, sharecard, sharing
from timeline.access import needs
from timeline.addresses import flow_in_address
from timeline.answers import BadFilter, NotFound, json_answer, wants_part
from timeline.freshness import Moments
from timeline.frozen import on_its_stage
from timeline.person import person_of
from timeline.queries.pulse import AGAIN_MS, read_pulse, span_pulse
from timeline.sharing import Shown
from timeline.staged import on_stage
from timeline.subjects import LOG, SPAN, View, read_view
from timeline.unlinking import without_ways_out
from timeline.views import compare, flow, problems, record
from tracing.clock import now_ns
from tracing.lengths import SECOND_NS
from tracing.roles import Role
from tracing.shares import Share, Snapshot
from tracing.snapshots.belonging import TooLarge
from tracing.snapshots.later import Later

GONE = "There is nothing at this address: the link was revoked, its time is over, or it was not copied whole."
# A page that was left by closing what was open in it has an address of its own.
LEFT = "part"
PROBLEM_MOVES_NS = 10 * SECOND_NS
MOMENTS = Moments()


class Copied(NamedTuple):
    """Where what a link shows is laid out; `taken_ns` is None and `moment` said where it is live."""

    stage_id: int
    taken_ns: int | None
    moment: str = ""


@needs(Role.NOBODY, Role.NOBODY)
@require_safe
def shared(request: HttpRequest, token: str) -> HttpResponseBase:
    """What a link shows, to whom it is for: the view that was shared, or another part of it where the address asks for one."""
    share = _asked(token)
    person = person_of(request)
    if share.audience == Share.Audience.PEOPLE and not person.views:
        return refusing.not_enough(request, person, Role.VIEWER) if person.user else refusing.sign_in(request)
    if not share.frozen and "pulse" in request.GET:
        return _private(json_answer({"pulse": _moment(share, _view(share)), "again_ms": AGAIN_MS}))
    sharing.note_opened(share)
    copied = _copied(share)
    _ask_for_view(request, share)

    def draw() -> HttpResponseBase:
        request.shown = _shown(request, share, copied)  # type: ignore[attr-defined]
        return _page(share.path)(request)

    response = on_its_stage(copied.stage_id, copied.taken_ns, draw)
    if isinstance(response, HttpResponse) and not person_of(request).views and _is_page(response):
        response.content = without_ways_out(response.content.decode(), request.path)
    return _private(response)


@needs(Role.NOBODY, Role.NOBODY)
@require_safe
def card(request: HttpRequest, token: str) -> HttpResponseBase:
    """The picture of a link that anyone may open."""
    share = _asked(token)
    if not sharecard.has_card(share):
        raise NotFound(GONE)
    copied = _copied(share)

    def draw() -> HttpResponseBase:
        return cardshelf.answer(request, sharecard.card_of(share, copied.stage_id))

    return _unnamed(on_its_stage(copied.stage_id, copied.taken_ns, draw))


def expect_channel(share: Share) -> None:
    """Whoever makes a link pastes it next, and a channel does not wait for its card: it is drawn by then."""
    if not sharecard.has_card(share):
        return
    # The link is made: where there is nothing to draw yet, it is drawn when it is asked for.
    with contextlib.suppress(NotFound, Later):
        copied = _copied(share)
        with on_stage(copied.stage_id, copied.taken_ns):
            cardshelf.png(sharecard.card_of(share, copied.stage_id))


def _asked(token: str) -> Share:
    share = sharing.find(token)
    if share is None:
        raise NotFound(GONE)
    return share


def _is_page(response: HttpResponse) -> bool:
    return response.headers.get("Content-Type", "").startswith("text/html")


def _private(response: HttpResponseBase) -> HttpResponseBase:
    response.headers["Cache-Control"] = "private, no-store"
    return _unnamed(response)


def _unnamed(response: HttpResponseBase) -> HttpResponseBase:
    """Neither search engines nor whoever a link in it leads to learn of the token."""
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _page(path: str) -> Callable[[HttpRequest], HttpResponseBase]:
    named = flow_in_address(path)
    if named is not None:
        kind, type, key, _ = named
        return lambda request: flow.answer(request, kind, type, key)
    if log := LOG.fullmatch(path):
        return partial(record.log, log_id=log[1])
    if span := SPAN.fullmatch(path):
        return partial(record.record, trace_id=span[1], span_id=span[2])
    if path.startswith("/problems/"):
        return lambda request: problems.answer(request, path.removeprefix("/problems/"))
    return lambda request: compare.compare(request)


def _ask_for_view(request: HttpRequest, share: Share) -> None:
    """The request asks for the view that was shared unless it asks for another part of it."""
    asked = request.GET.copy()
    if not asked.keys() - {"format"}:
        asked.update(QueryDict(share.query))
        if share.query:
            asked[LEFT] = "1"
    if share.subject == Snapshot.Subject.COMPARISON:
        for name, value in QueryDict(share.path.partition("?")[2]).items():
            asked[name] = str(value)
    request.GET = asked  # type: ignore[assignment]
    request.META["QUERY_STRING"] = asked.urlencode()


def _copied(share: Share) -> Copied:
    if share.snapshot is not None:
        return Copied(sharing.frozen_stage(share.snapshot.pk), share.snapshot.taken_ns)
    view = _view(share)
    moment = _moment(share, view)
    try:
        with MOMENTS.held(share.pk, moment):
            return Copied(sharing.live_stage(share, view, moment), None, moment)
    except TooLarge as large:
        # It grew since it was shared.
        raise NotFound(f"{large} A link cannot show that many any more.") from None


def _view(share: Share) -> View:
    """What a live link shows; where that is gone, so is the link."""
    try:
        return read_view(share.path)
    except (BadFilter, NotFound):
        raise NotFound(GONE) from None


def _moment(share: Share, view: View) -> str:
    """The same while nothing of a live view moved; what is large and a problem are looked at every ten seconds."""
    if view.problem is not None:
        return str(now_ns() // PROBLEM_MOVES_NS)
    if view.span is not None:
        return span_pulse(*view.span)
    pulses = [read_pulse(one) for one in view.flows]
    now = "-".join(pulse.whole for pulse in pulses)
    return MOMENTS.of(share.pk, now, sum(pulse.records for pulse in pulses))


def _shown(request: HttpRequest, share: Share, copied: Copied) -> Shown:
    shown = Shown(
        share.path,
        copied.taken_ns,
        share.name,
        share.reason,
        share.expires_ns,
        share.with_values,
        copied.moment,
        share=share,
    )
    is_page = request.GET.get("format", "html") == "html" and not wants_part(request)
    return replace(shown, tags=sharecard.tags_of(share, copied.stage_id)) if is_page else shown
