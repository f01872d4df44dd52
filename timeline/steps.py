"""The steps of a type as its page shows them: in their usual order, with what is learned and who stands there (pure).

`timeline.queries.types` reads both, `timeline.views.types` draws them. Shares are of the flows that were sampled.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from timeline.moments import took
from timeline.queries.types import LearnedStep, Standing
from timeline.sentences import counted
from tracing.people import ExpectationRule, TypeSettings
from tracing.watch.customs import Customs
from tracing.watch.evidence import learning
from tracing.watch.proposing import ASK_FROM, Seen, end_of
from tracing.watch.standing import Way

# The threshold over the upper confidence limit of the quantile that the samples suffice for (`watch.learning`).
FACTORS = {"p99": "1.5", "p95": "2", "p90": "2"}
NEEDED = 29
MAIN_SHARE = 0.1  # steps that the strip above the table shows
MOST_IN_STRIP = 12
SHOWN_WAYS = 4


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step. `end` is good, bad or empty; `share` is None while nobody has counted."""

    number: int
    name: str
    learned: LearnedStep | None
    standing: Standing | None
    end: str = ""
    rules: list[ExpectationRule] = field(default_factory=list)

    @property
    def share(self) -> float | None:
        return self.learned.share if self.learned else None

    @property
    def percent(self) -> str:
        return percent(self.share)

    @property
    def ways(self) -> list[tuple[Way, str]]:
        told = self.learned.ways if self.learned else ()
        return [(way, percent(way.share)) for way in told[:SHOWN_WAYS]]

    @property
    def usual(self) -> str:
        """`4 m – 12 m`: from the median to what 99 of 100 stay below, as far as it is known."""
        if self.learned is None or self.end:
            return ""
        p50, top = self.learned.length("p50"), highest(self.learned)
        if p50 is None:
            return ""
        return f"{about(p50)} – {about(top[1])}" if top and top[0] != "p50" else about(p50)

    @property
    def usual_of(self) -> str:
        """Which quantiles these are: `p50 – p99`."""
        top = highest(self.learned) if self.learned else None
        return f"p50 – {top[0]}" if top and top[0] != "p50" else "p50"

    @property
    def words(self) -> str:
        if self.end:
            ended = self.standing.ended if self.standing else 0
            return f"an end; {counted(ended, 'flow', 'flows')} ended here" if ended else "an end"
        return learning_words(self.learned)

    @property
    def backtest(self) -> str:
        told = self.learned.facts.get("backtest") if self.learned else None
        return alarms_words(told) if told and self.learned and self.learned.threshold_ns is not None else ""

    def as_json(self) -> dict[str, Any]:
        learned, standing = self.learned, self.standing
        return {
            "step": self.name,
            "source": learned.source if learned else None,
            "system": (learned.system or None) if learned else None,
            "end": self.end or None,
            "share": self.share,
            "position": learned.position if learned else None,
            "passed": learned.passed if learned else None,
            "waiting": learned.waiting if learned else None,
            **{
                name: _text(learned.length(name)) if learned else None
                for name in ("p50", "p90", "p95", "p99")
            },
            "late_after": _text(learned.threshold_ns) if learned else None,
            "level": learned.level if learned else None,
            "learning": self.words,
            "next": [{"step": w.step, "system": w.system, "share": w.share} for w in learned.ways]
            if learned
            else [],
            **{
                name: getattr(standing, name) if standing else None
                for name in ("open", "late", "stuck", "unknown", "paused")
            },
            "oldest": _text(standing.oldest_ns) if standing else None,
        }


@dataclass(frozen=True, slots=True)
class Column:
    """One step of the strip: its band in a box of 100 × 40."""

    line: StepLine
    points: str


def step_lines(
    learned: Iterable[LearnedStep],
    standing: Iterable[Standing],
    said: TypeSettings | None,
    rules: Sequence[ExpectationRule] = (),
) -> list[StepLine]:
    """In the usual order; steps that nothing is learned of come last."""
    steps = {
        one.step: one for one in sorted(learned, key=_later_source) if one.step and one.source != "series"
    }
    stands = {one.step: one for one in standing if one.step}
    names = sorted(steps.keys() | stands.keys(), key=lambda name: _order(steps.get(name), name))
    return [
        StepLine(
            number,
            name,
            steps.get(name),
            stands.get(name),
            _end(name, steps.get(name), said),
            [rule for rule in rules if rule.subject == "flow" and rule.step in (name, "")],
        )
        for number, name in enumerate(names, 1)
    ]


def strip(lines: Sequence[StepLine]) -> list[Column]:
    """The main line as bands, as wide at each step as the share of flows that pass it."""
    main = [line for line in lines if (line.share or 0) >= MAIN_SHARE]
    if len(main) > MOST_IN_STRIP:
        kept = sorted(main, key=lambda line: -(line.share or 0))[:MOST_IN_STRIP]
        main = [line for line in main if line in kept]
    halves = [max(1.0, 18 * min(1.0, line.share or 0)) for line in main]
    return [
        Column(line, _band(half, following, bool(line.end)))
        for line, half, following in zip(main, halves, [*halves[1:], None][: len(halves)], strict=True)
    ]


def _band(half: float, following: float | None, is_end: bool) -> str:
    """A band of a step's width that leads over to the next one's; at an end it leads nowhere."""
    top, bottom = f"{20 - half:.1f}", f"{20 + half:.1f}"
    if following is None or is_end:
        return f"0,{top} 64,{top} 64,{bottom} 0,{bottom}"
    led = f"100,{20 - following:.1f} 100,{20 + following:.1f}"
    return f"0,{top} 64,{top} {led} 64,{bottom} 0,{bottom}"


def seen_steps(lines: Iterable[StepLine]) -> list[Seen]:
    """What a proposal is made of."""
    return [
        Seen(
            line.name,
            one.system,
            one.source,
            one.passed,
            one.waiting,
            one.is_end,
            one.plateau,
            float(line.number) if one.position is None else one.position,
            one.ways,
        )
        for line in lines
        if (one := line.learned) is not None
    ]


def highest(step: LearnedStep) -> tuple[str, int] | None:
    """The highest quantile that is known: its name and length."""
    for name in ("p99", "p95", "p90", "p50"):
        length = step.length(name)
        if length is not None:
            return name, length
    return None


def learning_words(step: LearnedStep | None) -> str:
    """How much is learned, and what follows from it."""
    if step is None:
        return "nothing learned yet"
    if step.threshold_ns is None:
        needed = int(step.facts.get("needed") or NEEDED)
        if step.plateau >= ASK_FROM:
            return f"no deadline: {percent(step.plateau)} stay here for good, and nobody has said whether it is an end"
        return learning(step.passed, needed)
    level = step.level or "p99"
    words = (
        f"late after {took(step.threshold_ns)}: {FACTORS.get(level, '1.5')} × the upper limit of {level}"
        f" of {step.passed:,}"
    )
    if step.facts.get("held_since_ns"):
        words += "; held, while a queue makes it uncertain"
    return words + _grey_words(step, level)


def _grey_words(step: LearnedStep, level: str) -> str:
    """Why nobody is told of flows that are late by it; empty where somebody is."""
    if step.facts.get("recurs"):
        return "; flows come here again and again, so shown grey, never told"
    if step.facts.get("sampled"):
        return "; its sender drops traces, so shown grey, never told"
    if step.facts.get("quiet"):
        return "; it would have been wrong too often, so shown grey, never told"
    return "; shown grey, never told" if level == "p90" else ""


def is_grey(step: LearnedStep) -> bool:
    """Whether flows that are late by it are shown, and nobody is told."""
    return bool(_grey_words(step, step.level or "p99"))


def rhythm_words(series: LearnedStep | None) -> str:
    """How often a flow of the type begins, as far as it is even, and what follows from it."""
    period_ns = series.length("period_ns") if series else None
    if series is None or period_ns is None:
        return ""
    return (
        f"About every {took(period_ns)} ({series.passed + 1:,} beginnings seen): late after {took(2 * period_ns)},"
        f" stuck after {took(3 * period_ns)}."
    )


def alarms_words(told: Mapping[str, Any]) -> str:
    """`would have raised 3 alarms in 14 days, 2 never recovered`."""
    alarms, never, days = (int(told.get(name) or 0) for name in ("alarms", "never_recovered", "days"))
    stretch = f"{days:,} day{'' if days == 1 else 's'}"
    if not alarms:
        return f"would have raised no alarm in {stretch}"
    recovered = f"{never:,} never recovered" if never else "all recovered"
    return f"would have raised {alarms:,} alarm{'' if alarms == 1 else 's'} in {stretch}, {recovered}"


def about(length_ns: int) -> str:
    """A length in two units, or in one where ten of it say enough: `2 h 18 m`, `28 m`."""
    words = took(length_ns).split()
    return " ".join(words[:2]) if len(words) == 4 and int(words[0]) >= 10 else " ".join(words)


def percent(share: float | None) -> str:
    """`98 %`, `0.4 %`; never 0 or 100 for what is only near it."""
    if share is None:
        return "–"
    value = 100 * share
    if 0 < value < 1:
        return f"{max(0.1, value):.1f} %" if value < 0.95 else "1 %"
    return f"{min(99, round(value)) if value < 100 else 100} %"


def _later_source(step: LearnedStep) -> tuple[bool, int]:
    """States before milestones of the same name: what comes later in this order wins."""
    return step.source == "state", step.passed + step.waiting


def _order(step: LearnedStep | None, name: str) -> tuple[bool, float, str]:
    position = step.position if step else None
    return position is None, position or 0.0, name


def _end(name: str, step: LearnedStep | None, said: TypeSettings | None) -> str:
    """As the judge takes it: what a person said, the usual words, else where most flows stay."""
    return end_of(name, step is not None and step.is_end, customs_of(said))


def customs_of(said: TypeSettings | None) -> Customs:
    """What a person confirmed of a type, as the judge reads it."""
    if said is None:
        return Customs()
    good, bad = (None if ends is None else frozenset(ends) for ends in (said.good_ends, said.bad_ends))
    return Customs(good, bad, said.owner, said.answers)


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)
