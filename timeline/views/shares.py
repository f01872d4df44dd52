"""Making, listing and revoking links, and keeping copies: `/share`, `/pin`, `/settings/shares`.

A page's Share and Pin lead here with the address of the view. `timeline.sharing` does it, `timeline.views.shared` shows.
"""

from typing import Any

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from timeline import sharing
from timeline.access import needs
from timeline.addresses import absolute, with_more
from timeline.answers import NotFound, asked_format, json_answer, page_answer
from timeline.reader import name_of, remember, said
from timeline.shareforms import KeepForm, ShareForm, filled
from timeline.sharing import Terms
from timeline.subjects import View, read_view
from timeline.views.shared import expect_channel
from tracing import auditing
from tracing.roles import Role
from tracing.shares import Share, Snapshot
from tracing.snapshots import keeping
from tracing.snapshots.belonging import TooLarge

MOST = 200  # of what is over, and of what problems keep


@needs(Role.OPERATOR, Role.OPERATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def share(request: HttpRequest) -> HttpResponse:
    return _ask(request, ShareForm, "share")


@needs(Role.OPERATOR, Role.OPERATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def pin(request: HttpRequest) -> HttpResponse:
    return _ask(request, KeepForm, "pin")


def _ask(request: HttpRequest, kind: type[KeepForm], what: str) -> HttpResponse:
    posted = said(request) if request.method == "POST" else None
    view = read_view((posted or request.GET).get("of", ""))
    form = filled(kind, posted, view.address, name_of(request))
    if posted is None or not form.is_valid():
        return _form(request, form, view, what, 200 if posted is None else 400)
    try:
        if isinstance(form, ShareForm):
            made = _shared(view.address, form.terms())
            expect_channel(made)
            target = reverse("share-made", args=[made.pk])
        else:
            target = with_more(view.path, {"frozen": str(_pinned(view.address, form.terms()))})
    except (keeping.QuotaFull, TooLarge) as full:
        form.add_error(None, getattr(full, "sentence", str(full)))
        return _form(request, form, view, what, 409)
    return remember(HttpResponseRedirect(target), form.terms().name)


def _shared(address: str, terms: Terms) -> Share:
    with sharing.undisturbed() as session:
        view = read_view(address)
        made = sharing.make(session, view, terms)
        auditing.note(terms.name, "link made", view.title, _told(terms))
        return made


def _pinned(address: str, terms: Terms) -> int:
    with sharing.undisturbed() as session:
        view = read_view(address)
        snapshot_id = sharing.keep(session, view, terms, pinned=True)
        auditing.note(terms.name, "pinned", view.title, terms.reason)
        return snapshot_id


def _form(request: HttpRequest, form: KeepForm, view: View, what: str, status: int) -> HttpResponse:
    context = {"form": form, "view": view, "what": what, "usage": _usage()}
    return page_answer(request, "share/make.html", context, status=status)


@needs(Role.OPERATOR, Role.OPERATOR)
@require_safe
def made(request: HttpRequest, share_id: int) -> HttpResponse:
    found = _share(share_id)
    return page_answer(request, "share/made.html", {"share": found, "address": _address(found)})


@needs(Role.OPERATOR, Role.OPERATOR)
@require_safe
def shares(request: HttpRequest) -> HttpResponse:
    """The links that are open, those that are not, and the copies that are kept.

    What somebody made and can take back here stands here whole, however many; only what is over and what problems keep by
    themselves is cut.
    """
    links = list(sharing.open_links())
    closed = list(sharing.closed_links()[:MOST])
    kept = list(Snapshot.objects.filter(pinned=True, role=""))
    automatic = list(Snapshot.objects.exclude(role="")[:MOST])
    if asked_format(request) == "json":
        behind = Snapshot.objects.filter(pinned=False, role="")[:MOST]
        told = {
            "shares": [_link_json(one) for one in (*links, *closed)],
            "copies": [_copy_json(one) for one in (*kept, *automatic, *behind)],
        }
        return json_answer({**told, "usage": _usage()})
    context = {
        "open": [(one, _address(one)) for one in links],
        "closed": closed,
        "kept": kept,
        "automatic": automatic,
        "most": MOST,
        "usage": _usage(),
    }
    return page_answer(request, "settings/shares.html", context)


@needs(Role.OPERATOR, Role.OPERATOR)
@require_POST
def revoke(request: HttpRequest, share_id: int) -> HttpResponse:
    found = sharing.revoke(share_id)
    if found is None:
        raise NotFound("There is no such link.")
    auditing.note(
        name_of(request), "link revoked", found.title, f"made by {found.name}" if found.name else ""
    )
    return HttpResponseRedirect(reverse("shares"))


@needs(Role.OPERATOR, Role.OPERATOR)
@require_POST
def unpin(request: HttpRequest, snapshot_id: int) -> HttpResponse:
    """Let a copy go that people pinned; one behind a link goes with the link."""
    found = Snapshot.objects.filter(pk=snapshot_id, pinned=True).first()
    if found is None:
        raise NotFound("There is no such copy.")
    with sharing.connect() as session:
        keeping.drop(session, [found.pk])
    auditing.note(name_of(request), "copy let go", found.title, found.reason)
    return HttpResponseRedirect(reverse("shares"))


def _told(terms: Terms) -> str:
    """What a link shows and to whom, without the link."""
    whom = "for anyone" if terms.audience == Share.Audience.ANYONE else "for people"
    return ", ".join(
        part
        for part in (
            whom,
            "frozen" if terms.frozen else "live",
            "" if terms.with_values else "without values",
            terms.reason,
        )
        if part
    )


def _share(share_id: int) -> Share:
    found = Share.objects.select_related("snapshot").filter(pk=share_id).first()
    if found is None:
        raise NotFound("There is no such link.")
    return found


def _address(share: Share) -> str:
    return absolute(f"/s/{share.token}")


def _usage() -> dict[str, int]:
    used, _, count = keeping.usage(connection)
    return {"used": used, "count": count, "quota": settings.SNAPSHOT_BYTES}


def _link_json(one: Share) -> dict[str, Any]:
    return {
        "id": one.pk,
        "title": one.title,
        "live_url": absolute(one.path),
        "audience": one.audience,
        "frozen": one.frozen,
        "with_values": one.with_values,
        "by": one.name,
        "reason": one.reason,
        "created": str(one.created_ns),
        "expires": _text(one.expires_ns),
        "revoked": _text(one.revoked_ns),
        "opened": _text(one.opened_ns),
        "openings": one.openings,
        "open": sharing.is_open(one),
    }


def _copy_json(one: Snapshot) -> dict[str, Any]:
    return {
        "id": one.pk,
        "title": one.title,
        "url": absolute(with_more(one.path, {"frozen": str(one.pk)})),
        "taken": str(one.taken_ns),
        "expires": _text(one.expires_ns),
        "pinned": one.pinned,
        "role": one.role or None,
        "records": one.records,
        "size": one.size,
        "by": one.name,
        "reason": one.reason,
    }


def _text(time_ns: int | None) -> str | None:
    return None if time_ns is None else str(time_ns)
