"""One flow as a summary: what its rows say about it, and the flow object of the JSON contract.

Entities and workflows are one row of `flow`; a request is one row of `request` for each day of its trace.
`timeline.queries.listing` reads many of them in order, `timeline.views.flow` draws the one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

from timeline.addresses import flow_url
from timeline.kinds import KIND_NUMBERS, KIND_OF
from timeline.queries import problems
from timeline.queries.retained import read_retained
from timeline.queries.standing import Standing, read_standing
from timeline.queries.systems import System, begun_ns, read_owners, read_systems
from tracing.clock import now_ns

FAILED = 2  # OTLP's status of a span

FLOW_COLUMNS = (
    "flow_id, kind, type, key, environment, rule_id, spans, events, logs, errors, retries, chapters,"
    " first_ns, last_ns, services, state, state_since_ns, step, step_ns, activity"
)
REQUEST_COLUMNS = (
    "trace_id, environment, spans, events, logs, errors, retries, resent, late, first_ns, last_ns, services,"
    " activity, root, root_span_id, root_name, root_service, root_status, day"
)


class Trouble(NamedTuple):
    """A problem that a flow is part of, as its page names it; `path` is the problem's page."""

    kind: str
    title: str
    path: str


@dataclass(slots=True, frozen=True)
class FlowSummary:
    """One flow. Times are Unix nanoseconds; None is unknown."""

    kind: str
    type: str
    key: str
    environment: str
    identity: bytes  # flow id (16 bytes) or trace id
    spans: int
    events: int
    logs: int
    errors: int
    retries: int
    chapters: int
    first_ns: int | None
    last_ns: int | None
    services: tuple[str, ...]
    activity: int  # Unix minute
    state: str | None = None
    state_since_ns: int | None = None
    step: str | None = None  # the last milestone
    step_ns: int | None = None
    rule_id: int | None = None
    resent: int = 0
    late: int = 0
    days: tuple[int, ...] = ()  # of a request; empty for entities and workflows
    root_span_id: bytes | None = None
    root_name: str | None = None
    root_service: str | None = None
    root_status: int | None = None
    has_root: bool = True
    systems: tuple[System, ...] = field(default=())
    retained: str = "all"  # or "partly" or "summary": what retention left of its records
    went_ns: int | None = None  # when the last of what retention took went, our clock
    judged: Standing | None = None  # None until somebody judged it, and for requests
    troubles: tuple[Trouble, ...] = ()  # problems it is wrong with now

    @property
    def title(self) -> str:
        if self.kind != "request":
            return f"{self.type} {self.key}"
        return self.root_name or f"trace {self.key}"

    @property
    def status(self) -> str:
        """`open`, `error` or `ok`. A request's is its root's; whether others go on is their verdict's to say."""
        if self.kind != "request":
            return "error" if self.errors else "ok"
        if not self.has_root:
            return "open"
        return "error" if self.root_status == FAILED else "ok"

    @property
    def standing(self) -> str | None:
        """Where it is: its state, or where nobody asserts one its last milestone."""
        return self.state if self.state is not None else self.step

    @property
    def verdict(self) -> str | None:
        """moving, due, late, stuck, unknown, paused or ended; None until judged."""
        return self.judged.verdict if self.judged else None

    @property
    def duration_ns(self) -> int | None:
        if self.first_ns is None or self.last_ns is None:
            return None
        return max(0, self.last_ns - self.first_ns)

    @property
    def is_here(self) -> bool:
        """Whether it lives in the default environment, which need not be named."""
        return self.environment == settings.ENVIRONMENT

    @property
    def path(self) -> str:
        """The path of its page."""
        return flow_url(self.kind, self.type, self.key, self.environment)

    def as_json(self, base_url: str, related: int | None = None) -> dict[str, Any]:
        """The contract's flow object; `related` is known to a flow's page only."""
        return {
            "kind": self.kind,
            "type": self.type,
            "key": self.key,
            "environment": self.environment,
            "title": self.title,
            "url": base_url + self.path,
            "status": self.status,
            "state": self.state,
            "state_since": _text(self.state_since_ns),
            "step": self.step,
            "step_at": _text(self.step_ns),
            "verdict": self.verdict,
            "waiting_for": self.judged.as_json(now_ns()) if self.judged else None,
            "first": _text(self.first_ns),
            "last": _text(self.last_ns),
            "spans": self.spans,
            "events": self.events,
            "logs": self.logs,
            "errors": self.errors,
            "related": related,
            "retries": self.retries,
            "chapters": self.chapters,
            "retained": self.retained,
            "services": list(self.services),
            "systems": [
                {"system": item.system, "state": item.state, "since": str(item.since_ns)}
                for item in self.systems
            ],
            "problems": [
                {"kind": one.kind, "title": one.title, "url": base_url + one.path} for one in self.troubles
            ],
        }


def find_flows(kind: str, type: str, key: str, environment: str | None = None) -> list[FlowSummary]:
    """All flows of that name over the environments: the default one first, then the latest."""
    if kind == "request":
        request = find_request(key) if type == "trace" else None
        return completed([request] if request else [])
    if kind not in KIND_NUMBERS or "\x00" in type + key + (environment or ""):
        return []
    found = _flows_named(KIND_NUMBERS[kind], type, key)
    if environment is not None:
        found = [flow for flow in found if flow.environment == environment]
    found.sort(key=lambda flow: (flow.environment != settings.ENVIRONMENT, -flow.activity, flow.environment))
    return completed(found)


def find_request(trace_id: str) -> FlowSummary | None:
    """The request flow of a trace (32 hex digits), or None."""
    try:
        wanted = bytes.fromhex(trace_id)
    except ValueError:
        return None
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {REQUEST_COLUMNS} FROM request WHERE trace_id = %s", [wanted])
        return fold_request(cursor.fetchall())


def completed(flows: Sequence[FlowSummary]) -> list[FlowSummary]:
    """The same flows with what other tables know: systems, retention, verdicts, problems. A fixed few queries."""
    if not flows:
        return []
    stated = [flow.identity for flow in flows if flow.kind != "request"]
    systems = read_systems(stated) if stated else {}
    judged = read_standing(stated) if stated else {}
    retained = read_retained(flows)
    troubles = problems.of_flows([flow.identity for flow in flows])
    # Whoever speaks alone needs nobody's leave.
    shared = {flow.type for flow in flows if len(systems.get(flow.identity, ())) > 1}
    owners = read_owners(shared) if shared else {}
    found = []
    for flow in flows:
        left = retained.get(flow.identity)
        told, standing = systems.get(flow.identity, ()), judged.get(flow.identity)
        state, since_ns = _state(flow, told, owners.get(flow.type))
        found.append(
            replace(
                flow,
                systems=told,
                state=state,
                state_since_ns=since_ns,
                retained=left.share if left else "all",
                went_ns=left.went_ns if left else None,
                judged=standing.at(flow.last_ns) if standing else None,
                troubles=tuple(map(_trouble, troubles.get(flow.identity, ()))),
            )
        )
    return found


def _state(flow: FlowSummary, systems: Iterable[System], owner: str | None) -> tuple[str | None, int | None]:
    """What the flow's state is and since when: the owner's where the type has one that speaks, else the latest."""
    for one in systems:
        if one.system == owner:
            return one.state, one.since_ns
    # The row only knows who said the state last; it holds since the first of the systems that say it began to.
    since_ns = begun_ns(systems, flow.state)
    return flow.state, flow.state_since_ns if since_ns is None else since_ns


def _trouble(told: Mapping[str, str]) -> Trouble:
    return Trouble(told["kind"], told["title"], told["url"].removeprefix(settings.URL))


def from_row(row: Sequence[Any]) -> FlowSummary:
    """A row of `FLOW_COLUMNS`."""
    state, state_since_ns, step, step_ns, activity = row[15:20]
    return FlowSummary(
        identity=bytes(row[0]),
        kind=KIND_OF[row[1]],
        type=row[2],
        key=row[3],
        environment=row[4],
        rule_id=row[5],
        spans=row[6],
        events=row[7],
        logs=row[8],
        errors=row[9],
        retries=row[10],
        chapters=row[11],
        first_ns=row[12],
        last_ns=row[13],
        services=tuple(sorted(row[14])),
        state=state,
        state_since_ns=state_since_ns,
        step=step,
        step_ns=step_ns,
        activity=activity,
    )


def fold_request(rows: Iterable[Sequence[Any]]) -> FlowSummary | None:
    """Rows of `REQUEST_COLUMNS` of one trace, one a day, as one flow; None without rows."""
    days = sorted(rows, key=lambda row: int(row[18]))
    if not days:
        return None
    rooted = min((row for row in days if row[13] is not None), key=lambda row: bytes(row[13]), default=None)
    told = rooted or days[0]
    trace_id = bytes(told[0])
    return FlowSummary(
        kind="request",
        type="trace",
        key=trace_id.hex(),
        identity=trace_id,
        environment=told[1],
        spans=sum(row[2] for row in days),
        events=sum(row[3] for row in days),
        logs=sum(row[4] for row in days),
        errors=sum(row[5] for row in days),
        retries=sum(row[6] for row in days),
        resent=sum(row[7] for row in days),
        late=sum(row[8] for row in days),
        chapters=1,
        first_ns=min((row[9] for row in days if row[9] is not None), default=None),
        last_ns=max((row[10] for row in days if row[10] is not None), default=None),
        services=tuple(sorted({service for row in days for service in row[11]})),
        activity=max(row[12] for row in days),
        days=tuple(row[18] for row in days),
        has_root=rooted is not None,
        root_span_id=bytes(rooted[14]) if rooted and rooted[14] is not None else None,
        root_name=rooted[15] if rooted else None,
        root_service=rooted[16] if rooted else None,
        root_status=rooted[17] if rooted else None,
    )


def _flows_named(kind: int, type: str, key: str) -> list[FlowSummary]:
    # Served by flow_key: one key in every type and environment is a handful of rows.
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {FLOW_COLUMNS} FROM flow"
            " WHERE lower(key) = lower(%s) AND key = %s AND type = %s AND kind = %s",
            [key, key, type, kind],
        )
        return [from_row(row) for row in cursor.fetchall()]


def _text(time_ns: int | None) -> str | None:
    return None if time_ns is None else str(time_ns)
