"""Links for others: made, found by their token, revoked. Whoever has the token has the link.

What a link shows is a copy: taken when it was made where it is frozen, taken at each look where it is live, so that
nothing but the shared view can be reached through it. `timeline.views.shared` draws it, `timeline.views.shares` lists.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest

from timeline.subjects import LONGEST, View
from timeline.unfurl import Tags
from tracing.clock import now_ns
from tracing.database import conninfo
from tracing.lengths import MINUTE_NS
from tracing.shares import ROLES, Share, Snapshot
from tracing.snapshots import belonging, copying, keeping, staging
from tracing.snapshots.copying import Part

TOKEN_BYTES = 32
MOST_OFFERED = 12
LONGEST_WAIT_S = 15


@dataclass(frozen=True, slots=True)
class Terms:
    """Who may open a link, until when, and what it shows."""

    audience: str
    frozen: bool
    with_values: bool
    expires_ns: int | None = None
    reason: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page that is drawn from a copy says of it; templates know it as `shared`."""

    path: str  # of the live page
    taken_ns: int | None = None  # None: live
    by: str = ""
    reason: str = ""
    expires_ns: int | None = None
    with_values: bool = True
    moment: str = ""  # of a live view: the same while nothing of it moved
    tags: Tags | None = None  # what a channel shows of the link; of a part of a page none
    file: str = ""  # the file whose records these are; none of them is stored
    number: int = 0  # of the file's copy: its flows lead to each other there
    share: Share | None = None  # None for a copy that one who is signed in looks at

    @property
    def frozen(self) -> bool:
        return self.taken_ns is not None


@dataclass(frozen=True, slots=True)
class Offer:
    """A copy that a page leads to; `roles` says what it is to a problem, empty where people keep it."""

    copy: Snapshot
    roles: list[str]

    @property
    def words(self) -> str:
        return " and ".join(role for role in ROLES if role in self.roles)


def connect() -> psycopg.Connection:
    """A session of its own: a copy is taken in a transaction of its own. Nobody waits for a lock for long."""
    session = psycopg.connect(conninfo(settings.DATABASES["default"]), autocommit=True, connect_timeout=3)
    # Not as an option of the connection: that would take the place of those in DATABASE_URL.
    session.execute("SELECT set_config('lock_timeout', %s, false)", (f"{LONGEST_WAIT_S}s",))
    return session


@contextmanager
def undisturbed() -> Iterator[psycopg.Connection]:
    """A session during which nothing is forgotten: a view that is read in it may be kept."""
    with connect() as session, keeping.undisturbed(session):
        yield session


def make(session: psycopg.Connection, view: View, terms: Terms) -> Share:
    """A new link to a view that was read `undisturbed`. Raises `belonging.TooLarge`; if frozen, what `keeping.freeze` does."""
    if terms.frozen:
        snapshot_id = keep(session, view, terms, pinned=False)
    else:
        snapshot_id = None
        belonging.demand_room(session, view.copied.flows, view.copied.requests)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    return Share.objects.create(
        token=token,
        digest=_digest(token),
        subject=view.subject,
        title=view.title[:300],
        path=view.path,
        query=view.query,
        audience=terms.audience,
        snapshot_id=snapshot_id,
        frozen=terms.frozen,
        with_values=terms.with_values,
        created_ns=now_ns(),
        expires_ns=terms.expires_ns,
        reason=terms.reason,
        name=terms.name,
    )


def keep(session: psycopg.Connection, view: View, terms: Terms, *, pinned: bool) -> int:
    """Freeze a view; the copy's id. Raises as `make` does."""
    about = keeping.About(
        subject=view.subject,
        title=view.title,
        path=view.path,
        flow_id=view.flow.identity if view.flow else None,
        problem_id=view.problem.identity if view.problem else None,
        expires_ns=terms.expires_ns,
        pinned=pinned,
        with_values=terms.with_values,
        reason=terms.reason,
        name=terms.name,
    )
    return keeping.freeze(session, view.copied, about, settings.SNAPSHOT_BYTES)


def find(token: str) -> Share | None:
    """The link of a token; None for one that was never given, is over or was revoked: all the same way."""
    found = Share.objects.select_related("snapshot").filter(digest=_digest(token)).first()
    return found if found is not None and is_open(found) else None


def open_links() -> QuerySet[Share]:
    """The links that somebody could open now, the latest first."""
    return Share.objects.filter(revoked_ns=None).exclude(_over())


def closed_links() -> QuerySet[Share]:
    """Those that nobody can open any more, the latest first."""
    return Share.objects.filter(Q(revoked_ns__isnull=False) | _over())


def _over() -> Q:
    return Q(expires_ns__isnull=False, expires_ns__lt=now_ns()) | Q(frozen=True, snapshot=None)


def is_open(share: Share) -> bool:
    """Whether it can be opened now: not revoked, its time not over, what it shows not let go."""
    over = share.expires_ns is not None and share.expires_ns < now_ns()
    return not (share.revoked_ns is not None or over or (share.frozen and share.snapshot is None))


def revoke(share_id: int) -> Share | None:
    """From here on nobody opens it; the copy behind it goes with it. None where there is no such link."""
    found = Share.objects.filter(pk=share_id).first()
    if found is not None and found.revoked_ns is None:
        found.revoked_ns = now_ns()
        found.save(update_fields=["revoked_ns"])
    return found


def note_opened(share: Share) -> None:
    """Counted once a minute at most: a page that is looked at asks many times."""
    now = now_ns()
    recently = Q(opened_ns__isnull=True) | Q(opened_ns__lt=now - MINUTE_NS)
    Share.objects.filter(recently, pk=share.pk).update(opened_ns=now, openings=F("openings") + 1)


def of_flow(flow_id: bytes) -> list[Offer]:
    """The copies of a flow that people may look at, the latest first."""
    return _offers(Snapshot.objects.filter(flow_id=flow_id, with_values=True))


def of_problem(problem_id: bytes) -> list[Offer]:
    """The flows that a problem keeps by itself, and copies of its page."""
    return _offers(Snapshot.objects.filter(problem_id=problem_id, with_values=True))


def _offers(copies: QuerySet[Snapshot]) -> list[Offer]:
    """Of the same flow for the same problem one is enough."""
    found: dict[tuple[object, ...], Offer] = {}
    for one in copies.exclude(pinned=False, role="")[:MOST_OFFERED]:
        of = (bytes(one.flow_id or b""), bytes(one.problem_id or b"")) if one.role else (one.pk,)
        offer = found.setdefault(of, Offer(one, []))
        if one.role:
            offer.roles.extend(one.roles)
    return list(found.values())


def of_path(path: str) -> list[Snapshot]:
    """The copies of a page's view whose subject may be gone, the latest first."""
    if "\x00" in path or len(path) > LONGEST:
        return []
    return list(Snapshot.objects.filter(path=path, with_values=True).exclude(pinned=False, role="")[:1])


def frozen_stage(snapshot_id: int) -> int:
    """Where a frozen copy is laid out."""
    return _staged(keeping.stage_name(snapshot_id), lambda session: keeping.parts(session, snapshot_id))


def live_stage(share: Share, view: View, moment: str) -> int:
    """Where a live view is laid out; `moment` is the same while nothing of it moved."""
    return _staged(
        f"{staging.LIVE}{share.pk} {moment}",
        lambda session: copying.take(session, view.copied, now_ns(), values=share.with_values).parts,
    )


def _staged(name: str, parts: Callable[[psycopg.Connection], Iterable[Part]]) -> int:
    with connect() as session:
        found = staging.known(session, name)
        if found is not None:
            return found
        # What is laid out from what was read before something was forgotten would show it.
        with keeping.undisturbed(session):
            return staging.staged(session, name, lambda: parts(session))


def label(request: HttpRequest) -> Shown | None:
    """Of a page drawn from a copy; None for any other."""
    found: Shown | None = getattr(request, "shown", None)
    return found


def own_address(request: HttpRequest, address: str) -> str:
    """Where the page that is drawn asks for more of itself: behind a link, the link."""
    shown = label(request)
    return request.path if shown and shown.share else address


def shared(request: HttpRequest) -> dict[str, Shown | None]:
    """For templates: what a page that is drawn from a copy says of it."""
    return {"shared": label(request)}


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
