"""A rule tried on the stored past before it is armed: what it would have raised, and whether it can match at all.

`histories` reads a sample of the past, `backtest` goes through it; the page that arms rules shows both.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import psycopg

from tracing.watch import histories
from tracing.watch.backtest import Result, Terms, of_flows, of_series
from tracing.watch.customs import Customs, owned
from tracing.watch.proposing import closest
from tracing.watch.rulings import Ruling
from tracing.watch.standing import History

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Known:
    """What flows of the type were seen to do. All empty where none was seen."""

    steps: frozenset[str] = frozenset()
    systems: frozenset[str] = frozenset()
    ways: frozenset[tuple[str, str]] = frozenset()  # a step and the one right after it

    def __or__(self, other: "Known") -> "Known":
        return Known(self.steps | other.steps, self.systems | other.systems, self.ways | other.ways)


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it. `doubts` are sentences on why it may never match; `environments` by flow id."""

    result: Result
    doubts: list[str]
    environments: dict[bytes, str] = field(default_factory=dict)


def try_rule(
    connection: psycopg.Connection,
    ruling: Ruling,
    environments: Sequence[str],
    customs: Customs,
    known: Known,
    now_ns: int,
) -> Trial:
    """`environments` are those the rule holds in, `known` what was learned of the type beside the sample."""
    past: list[History] = []
    places: dict[bytes, str] = {}
    for environment in environments:
        told = histories.read(connection, ruling.type, environment, now_ns)
        past += [replace(one, steps=owned(one.steps, customs)) for one in told]
        places |= {one.flow_id: environment for one in told}
    known |= seen_in(past)
    ends = frozenset(step for step in known.steps if customs.end_of(step))
    terms = Terms(
        ruling.within_ns, ruling.grace_ns, ruling.step, ruling.awaited_step, ruling.from_start, ends
    )
    result = of_series(past, terms, ruling.add) if ruling.series else of_flows(past, terms, ruling.add)
    return Trial(result, doubts(ruling, known, ends, result), places)


def seen_in(past: Sequence[History]) -> Known:
    ways = {
        (one.name, following.name)
        for history in past
        for one, following in zip(history.steps, history.steps[1:], strict=False)
    }
    steps = [step for history in past for step in history.steps]
    return Known(
        frozenset(step.name for step in steps), frozenset(step.system for step in steps), frozenset(ways)
    )


def doubts(ruling: Ruling, known: Known, ends: Collection[str], result: Result) -> list[str]:
    """Why a rule may never match; empty where nothing speaks against it."""
    if not known.steps:
        return [f"No flow of type `{ruling.type}` was seen yet, so there was nothing to try the rule on."]
    found = [_strange(step, known.steps) for step in (ruling.step, ruling.awaited_step)]
    if ruling.awaited_system and ruling.awaited_system not in known.systems:
        found.append(
            _meant(
                f"No step of this type was made by `{ruling.awaited_system}`",
                ruling.awaited_system,
                known.systems,
            )
        )
    found.append(_never_followed(ruling, known))
    if ruling.step in ends:
        found.append(f"`{ruling.step}` ends a flow: nothing is expected after it.")
    found = [sentence for sentence in found if sentence]
    if not found and not result.waits:
        found.append("In the stored past there was nothing to wait for: the rule would never have applied.")
    return found


def _strange(step: str, steps: Collection[str]) -> str:
    return "" if not step or step in steps else _meant(f"No flow was ever at `{step}`", step, steps)


def _meant(sentence: str, word: str, known: Collection[str]) -> str:
    near = closest(word, known)
    return f"{sentence}; did you mean `{near}`?" if near else f"{sentence}."


def _never_followed(ruling: Ruling, known: Known) -> str:
    """Whether the awaited step came right after the other; counted from the start anything may lie between."""
    step, awaited = ruling.step, ruling.awaited_step
    if (
        ruling.from_start
        or step not in known.steps
        or awaited not in known.steps
        or (step, awaited) in known.ways
    ):
        return ""
    following = sorted(after for before, after in known.ways if before == step)
    told = f"; what came was {', '.join(f'`{one}`' for one in following[:SHOWN])}" if following else ""
    return f"`{awaited}` never came right after `{step}`{told}. The wait ends with whatever comes."
