"""What a flow's page says before it shows anything: the answer in a sentence, and how far it can be trusted.

Pure words from numbers; the same text heads the page, the plain form and the Markdown form.
"""

from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any, NamedTuple

from timeline import moments, signs
from timeline.layout.forest import EVENT, LOG, MOVE, SPAN, Forest
from timeline.queries.hits import date_of
from timeline.queries.sampling import Sampling
from timeline.queries.standing import Standing
from timeline.queries.story import Story
from timeline.summaries import FlowSummary
from tracing import clock
from tracing.lengths import DAY_NS, SECOND_NS
from tracing.watch.evidence import paused

# Verdicts of which it matters how long they wait already.
WAITING = frozenset({"due", "late", "stuck", "unknown"})


@dataclass(frozen=True, slots=True)
class FirstError:
    """The failure that came first: where, what it said, when."""

    service: str
    name: str
    text: str
    time_ns: int
    row_id: str
    type: str = ""  # of its exception; empty where none was told


class Note(NamedTuple):
    """A number with its words, and the filter that keeps the records behind it; empty where none does."""

    text: str
    filter: str = ""


@dataclass(frozen=True, slots=True)
class Trust:
    """What is missing or odd in a flow. `resent` and `late` depend on how it arrived."""

    orphans: int = 0
    dropped: int = 0
    resent: int = 0
    versions: int = 0
    unattached_logs: int = 0
    late: int = 0
    truncated: bool = False
    cycles: int = 0
    redacted: int = 0
    skew: tuple[
        tuple[str, int, bool], ...
    ] = ()  # service, what is added to its times, whether all of it agrees

    def as_json(self) -> dict[str, Any]:
        return {
            "orphans": self.orphans,
            "dropped": self.dropped,
            "resent": self.resent,
            "versions": self.versions,
            "unattached_logs": self.unattached_logs,
            "late": self.late,
            "skew": [{"service": service, "shift": str(shift_ns)} for service, shift_ns, _ in self.skew],
            "truncated": self.truncated,
            "cycles": self.cycles,
            "redacted": self.redacted,
        }


def trust(flow: FlowSummary, story: Story) -> Trust:
    forest, sums = story.forest, story.sums.values()
    kin, tables = forest.kin, forest.tables
    spans = forest.shown[forest.bases[SPAN] : forest.bases[EVENT]]
    logs = forest.shown[forest.bases[LOG] : forest.bases[MOVE]]
    return Trust(
        orphans=int((kin.orphans & spans).sum()),
        dropped=int(tables.spans["dropped"][spans].sum() + tables.logs["dropped"][logs].sum()),
        resent=flow.resent + sum(told.resent for told in sums),
        versions=int(((kin.ranks > 0) & spans).sum()),
        unattached_logs=int((forest.loose & forest.shown).sum()),
        late=flow.late + sum(told.late for told in sums),
        truncated=story.truncated,
        cycles=int((kin.cut & spans).sum()),
        redacted=int(tables.spans["redacted"][spans].sum() + tables.logs["redacted"][logs].sum()),
        skew=_skew(forest),
    )


def _skew(forest: Forest) -> tuple[tuple[str, int, bool], ...]:
    names = forest.tables.services
    return tuple(
        sorted((names.get(one.service, "?"), one.shift_ns, one.agree) for one in forest.shifts.values())
    )


def doubts(told: Trust, flow: FlowSummary) -> list[Note]:
    """What is missing, in words; empty when the flow is complete as far as known."""
    notes = _counted(
        (told.orphans, "span whose parent never came", "spans whose parents never came", "orphans"),
        (told.cycles, "circle of parents, cut", "circles of parents, cut", "cycles"),
        (told.dropped, "value dropped by its sender", "values dropped by their senders", "dropped"),
    )
    if flow.kind == "request" and not flow.has_root:
        notes.insert(0, Note("no root span has come"))
    if told.truncated:
        notes.insert(0, Note("too large to show whole: the earliest part is shown"))
    if flow.retained != "all":
        notes.insert(0, Note(_gone(flow)))
    return notes


def _gone(flow: FlowSummary) -> str:
    """What retention left and when the rest went; the day is one of UTC, as retention's days are."""
    when = f", gone since {date_of(flow.went_ns // DAY_NS)}" if flow.went_ns else ""
    if flow.retained == "summary":
        return f"all of its records are past retention{when}: what is left is this summary"
    return f"some of its records are past retention{when}"


def remarks(told: Trust) -> list[Note]:
    """What is worth knowing and takes nothing away."""
    return _counted(
        (told.unattached_logs, "log without a span", "logs without a span", "unattached"),
        (told.versions, "further version of a span", "further versions of spans", "versions"),
        (told.redacted, "value redacted", "values redacted", "redacted"),
        (told.late, "record came late", "records came late", ""),
        (told.resent, "record sent again", "records sent again", ""),
    )


def sampling(told: Sampling) -> list[Note]:
    """That its senders keep some traces only; what is missing may be one they did not keep."""
    if not told.sampled:
        return []
    whose = (
        "its sender samples"
        if told.traces == 1
        else f"{told.sampled:,} of {told.traces:,} requests are sampled"
    )
    share = f", 1 in {round(1 / told.share):,} is kept" if told.share else ""
    return [Note(whose + share)]


def skews(told: Trust, *, raw: bool) -> list[Note]:
    """Whose clocks differ and what is done about it; the shift is what is added to the times that were sent."""
    done = "not corrected" if raw else "corrected"
    found = []
    for service, shift_ns, agree in told.skew:
        way, length = "behind" if shift_ns > 0 else "ahead", moments.took(abs(shift_ns))
        found.append(Note(f"{service} clock {'' if agree else 'about '}{length} {way}, {done}", "skew"))
    return found


def _counted(*wordings: tuple[int, str, str, str]) -> list[Note]:
    return [Note(counted(count, one, many), kept) for count, one, many, kept in wordings if count]


def counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def counts(flow: FlowSummary) -> list[str]:
    """`7 chapters`, `142 spans`, `2 errors`: of what there is any."""
    told = (
        (flow.chapters if flow.kind != "request" else 0, "chapter", "chapters"),
        (len(flow.services), "service", "services"),
        (flow.spans, "span", "spans"),
        (flow.events, "event", "events"),
        (flow.logs, "log", "logs"),
        (flow.errors, "error", "errors"),
        (flow.retries, "retry", "retries"),
    )
    return [counted(*one) for one in told if one[0]]


class Mark(NamedTuple):
    """A flow's state at a glance: shape, word and class of the style sheet."""

    sign: str
    word: str
    css: str


class Answer(NamedTuple):
    """What it is and where it stands; how that is known; what went wrong first."""

    first: str
    known: str
    evidence: str

    def __str__(self) -> str:
        return " ".join(part for part in self if part)


def mark_of(flow: FlowSummary, failed: bool = False, now_ns: int = 0) -> Mark:
    """A flow's verdict, and how long it waits already; its status until it is judged.

    `failed` tells of a failure among what it led to. Without a `now_ns` nothing is said that would change while it is read.
    """
    if flow.judged is not None:
        return verdict_mark(flow.judged, now_ns)
    if flow.status == "ok" and failed:
        return Mark(signs.ERROR, "ok itself, a failure below it", "error")
    return status_mark(flow)


def status_mark(flow: FlowSummary) -> Mark:
    word = {
        "error": "failed" if flow.kind == "request" else "has errors",
        "open": "no root yet",
        "ok": "ok",
    }[flow.status]
    return Mark(signs.STATUS[flow.status], word, flow.status)


def verdict_mark(judged: Standing, now_ns: int = 0) -> Mark:
    """`■ stuck 3 h 12 m`: how long it waits, for what waits too long. A bad end is told apart from a good one."""
    told = judged.verdict
    if judged.ended_badly:
        return Mark(signs.BAD_END.shape, signs.BAD_END.word, "error")
    long_ns = now_ns - judged.since_ns if judged.since_ns is not None and told in WAITING else 0
    long = f" {moments.took(long_ns)}" if now_ns and long_ns >= SECOND_NS else ""
    return Mark(signs.VERDICT.get(told, "?"), told + long, told)


def summed_up(flow: FlowSummary, now_ns: int) -> str:
    """`stuck 3 h 12 m · paid · waiting for shipment.created from wms`: for a line of its own. Empty until judged."""
    judged = flow.judged
    if judged is None:
        return ""
    where = flow.standing or judged.step
    return " · ".join(part for part in (verdict_mark(judged, now_ns).word, where, awaited(judged)) if part)


def awaited(judged: Standing, quote: str = "") -> str:
    """`waiting for shipment.created from wms`, names between quotes; empty where nothing is expected."""
    if not judged.waits:
        return ""
    whom = f" from {quote}{judged.awaited_system}{quote}" if judged.awaited_system else ""
    if judged.reason == "retry":
        operation = judged.told.get("operation") or judged.awaited_step or "it"
        told = "abandoned retry of" if judged.verdict in ("late", "stuck") else "waiting for another try of"
        return f"{told} {quote}{operation}{quote}"
    if judged.reason == "deadline":
        return "waiting for its end"
    step = f"{quote}{judged.awaited_step}{quote}" if judged.awaited_step else "anything"
    return f"waiting for {step}{whom}"


def answer(
    flow: FlowSummary, error: FirstError | None, root_ns: int | None, zone: tzinfo = UTC, now_ns: int = 0
) -> Answer:
    """The sentence that answers, and the evidence after it. `root_ns` is how long a request's root took, where known.

    Names stand between backticks where `tracing.watch.evidence` puts them there.
    """
    first = _request(flow, root_ns) if flow.kind == "request" else _state(flow, zone, now_ns)
    known = flow.judged.known(now_ns or clock.now_ns(), zone) if flow.judged else ""
    if known and not known.endswith((".", "!", "?")):
        known += "."
    if error is not None:
        said = ": ".join(part for part in (error.name, error.text) if part)
        when = moments.short(error.time_ns, zone, now_ns)
        return Answer(first, known, f"First error: {error.service}, {said} at {when}.")
    return Answer(first, known, "No errors." if not flow.errors else f"{flow.errors} errors.")


def _request(flow: FlowSummary, root_ns: int | None) -> str:
    took = moments.took(flow.duration_ns if root_ns is None else root_ns)
    if not flow.has_root:
        return f"A request whose root span has not come; what came so far covers {took}."
    below = f", past {counted(flow.errors, 'error', 'errors')} below it" if flow.errors else ""
    end = "and failed" if flow.status == "error" else f"and went well{below}"
    services = f" across {len(flow.services)} services" if len(flow.services) > 1 else ""
    return f"{flow.root_name} at {flow.root_service} took {took}{services} {end}."


def _state(flow: FlowSummary, zone: tzinfo, now_ns: int) -> str:
    waiting = _waiting(flow, zone, now_ns)
    if flow.state is None or flow.state_since_ns is None:
        if flow.step is not None and flow.step_ns is not None:
            return f"Last milestone: {flow.step} at {moments.short(flow.step_ns, zone, now_ns)}{waiting}."
        times = "once" if flow.chapters == 1 else f"in {flow.chapters:,} chapters"
        return f"Seen {times}; no state and no milestone told yet{waiting}."
    since = moments.short(flow.state_since_ns, zone, now_ns)
    says = [item.system for item in flow.systems if item.state == flow.state]
    others = [f"{item.system} says {item.state}" for item in flow.systems if item.state != flow.state]
    told = f"{_begun(flow.state)} since {since}, says {' and '.join(says) or 'the latest record'}{waiting}."
    return told + (f" Meanwhile {', '.join(others)}." if others else "")


def _waiting(flow: FlowSummary, zone: tzinfo, now_ns: int) -> str:
    """`; waiting for shipment.created from wms since 14:43`, and which maintenance holds the judgement back."""
    judged = flow.judged
    if judged is None:
        return ""
    told = awaited(judged, "`")
    if told and judged.since_ns is not None:
        told += f" since {moments.short(judged.since_ns, zone, now_ns)}"
    held = (
        paused(judged.told, now_ns or clock.now_ns(), zone).rstrip(".") if judged.verdict == "paused" else ""
    )
    return "".join(f"; {part}" for part in (told, held) if part)


def _begun(state: str) -> str:
    """A state as a sentence begins; one that is no plain word stays as it was sent."""
    return state.capitalize() if state.isalpha() and state.islower() else state
