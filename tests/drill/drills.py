"""The drills: what each sends, who judges, and what must come of it."""

import argparse
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.drill import kills, plans
from tests.drill.house import House, built
from tests.drill.kills import Killed
from tests.drill.measure import by_step, false_alarms, loud, periods
from tests.drill.plans import Delivery
from tests.drill.replays import Flipped, Replay
from tests.drill.truth import COURSE, DAY, HOUR, START, Event, Order, orders
from tests.drill.watchers import Process, Turns, Watcher
from tests.receivers import hooked

Found = dict[str, Any]
# Every so many-th order is followed by somebody, so that there is enough to tell.
FOLLOWED = 8
# True p99s after which a wait is one that any threshold may call late.
FAR = 1.4
# Verdict, step and deadline of each flow, once all are looked at at the same time.
_STANDING = """
SELECT f.key, e.verdict, coalesce(e.step, ''), coalesce(e.late_ns, 0) FROM expectation e JOIN flow f USING (flow_id)
"""
_PAGES = """
SELECT p.kind, count(*) FROM flip f JOIN problem p USING (problem_id)
WHERE f.before = 'forming' AND f.after = 'open' AND p.severity > 1 GROUP BY 1
"""


@dataclass(slots=True)
class Told:
    """What one run left: flips as they came, how all flows stand at the end, problems that would have paged."""

    flips: list[Flipped]
    standing: dict[str, tuple[str, str, int]]
    pages: dict[str, int]
    took_s: dict[str, float]
    verdicts: dict[int, dict[str, int]]


@dataclass(slots=True)
class Shop:
    """The simulated fortnight."""

    orders: dict[str, Order]
    events: list[Event]
    end_ns: int

    @classmethod
    def of(cls, asked: argparse.Namespace) -> "Shop":
        end_ns = START + round(asked.days * DAY)
        made = orders(asked.orders, asked.days, asked.seed)
        return cls({one.key: one for one in made}, plans.happened(made, end_ns), end_ns)


def replayed(
    shop: Shop,
    plan: Sequence[Delivery],
    watch: str,
    down: tuple[int, int] | None = None,
    start_ns: int = START,
) -> Told:
    """One house, one plan."""
    with built(start_ns) as house:
        _set_up_django()
        watcher: Watcher = Process(house) if watch == "process" else Turns(house, start_ns)
        replay = Replay(house, watcher, plan, down)
        replay.run(start_ns, shop.end_ns)
        took_s = {**watcher.took_s, "sending": house.sending_s}
        told = Told(replay.flips, _standing(house, watcher, shop.end_ns), {}, took_s, replay.verdicts)
        told.pages = dict(house.database.execute(_PAGES.encode()).fetchall())
        return told


def undisturbed(shop: Shop, asked: argparse.Namespace) -> Told:
    """The fortnight as it happened, judged in turns; kept in a file for the next drill where one is named."""
    if asked.baseline and asked.baseline.exists():
        kept: Told = pickle.loads(asked.baseline.read_bytes())
        return kept
    told = replayed(shop, plans.as_it_happened(shop.events), "turns")
    if asked.baseline:
        asked.baseline.write_bytes(pickle.dumps(told))
    return told


def _set_up_django() -> None:
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tracing.settings")
    django.setup()


def _standing(house: House, watcher: Watcher, end_ns: int) -> dict[str, tuple[str, str, int]]:
    """How all stand a minute later, when what can be learned is learned and everybody is looked at again."""
    at_ns = end_ns + 61_000_000_000
    house.reach(at_ns)
    watcher.settle(at_ns)
    house.database.execute("UPDATE expectation SET looks_ns = %s", (at_ns,))
    watcher.judge(at_ns)
    rows = house.database.execute(_STANDING.encode()).fetchall()
    return {key: (verdict, step, late_ns) for key, verdict, step, late_ns in rows}


def summary(shop: Shop, told: Told) -> Found:
    found = periods(told.flips, shop.orders, shop.end_ns)
    whole = found[-1]
    return {
        "periods": found,
        "found": f"{whole.found} of {whole.stuck}",
        "false_alarms": whole.false,
        "false_per_1000": round(1000 * whole.false_orders / len(shop.orders), 2),
        "boundary_to_flip_h": [whole.p50_h, whole.p90_h],
        "by_step": by_step(told.flips, shop.orders, shop.end_ns),
        "pages": told.pages,
        "seconds": {name: round(value, 1) for name, value in told.took_s.items()},
    }


def fortnight(asked: argparse.Namespace) -> Found:
    """What is found of the truth, and how soon."""
    shop = Shop.of(asked)
    if asked.watch == "turns":
        return summary(shop, undisturbed(shop, asked))
    return summary(shop, replayed(shop, plans.as_it_happened(shop.events), "process"))


def finished_only(asked: argparse.Namespace) -> Found:
    shop = Shop.of(asked)
    with learning_from_finished():
        return summary(shop, replayed(shop, plans.as_it_happened(shop.events), "turns"))


@contextmanager
def learning_from_finished() -> Iterator[None]:
    """Flows that still wait are forgotten, as if a step were known by those that left it. In this process only."""
    from tracing.watch import survival

    whole = survival.pace

    def pace(passed: Any, waiting: Any, weights: Any = None, *rest: Any, **named: Any) -> Any:
        return whole(passed, (), weights)

    survival.pace = pace  # type: ignore[assignment]
    try:
        yield
    finally:
        survival.pace = whole


def doubled(asked: argparse.Namespace) -> Found:
    """Twice the records, the same flips."""
    shop = Shop.of(asked)
    once = undisturbed(shop, asked)
    twice = replayed(shop, plans.doubled(shop.events), "turns")
    return {
        "flips": [len(once.flips), len(twice.flips)],
        "differing_flips": sorted(_turned(once.flips) ^ _turned(twice.flips))[:20],
        "differing_standing": _differing(once, twice),
    }


def shuffled(asked: argparse.Namespace) -> Found:
    """Any order, judged at the end, gives the same verdicts."""
    shop = Shop.of(asked)
    once = undisturbed(shop, asked)
    mixed = plans.shuffled(shop.events, shop.end_ns, asked.seed)
    after = replayed(shop, mixed, "turns", start_ns=shop.end_ns - HOUR)
    # A threshold that is held while a queue makes it uncertain is a matter of when it was learned (`paces`).
    verdicts = [
        key for key, told in once.standing.items() if told[:2] != after.standing.get(key, ("", ""))[:2]
    ]
    deadlines = sum(told != after.standing.get(key) for key, told in once.standing.items()) - len(verdicts)
    return {"standing": len(once.standing), "differing_verdicts": verdicts[:20], "other_deadlines": deadlines}


def late(asked: argparse.Namespace) -> Found:
    """A twentieth comes an hour late: more flips only there, each closed by itself."""
    shop = Shop.of(asked)
    ones = plans.late_ones(shop.events, asked.seed)
    once = undisturbed(shop, asked)
    after = replayed(shop, plans.partly_late(shop.events, ones), "turns")
    known = {(flip.key, flip.step) for flip in loud(once.flips)}
    extra = [flip for flip in loud(after.flips) if (flip.key, flip.step) not in known]
    awaited = {(event.key, COURSE[event.leg - 1].state) for event in ones if event.leg}
    others = sorted({(flip.key, flip.step) for flip in extra} - awaited)
    wrong = {key for key, (verdict, _, _) in after.standing.items() if verdict in ("late", "stuck")}
    return {
        "late_records": len(ones),
        "extra_flips": len(extra),
        # What is learned while a twentieth is not there yet differs a little: who waits far beyond the truth may turn.
        "extra_far_beyond": sum(_waited(shop.orders[key], step) >= FAR for key, step in others),
        "extra_of_others": [one for one in others if _waited(shop.orders[one[0]], one[1]) < FAR],
        "still_open": sorted({flip.key for flip in extra} & wrong - _stuck(shop))[:20],
        "missing_flips": len(known - {(flip.key, flip.step) for flip in loud(after.flips)}),
        "differing_standing": _differing(once, after),
    }


def outage(asked: argparse.Namespace) -> Found:
    """We receive nothing for an hour: nobody is called late in it, nor in the grace that follows."""
    shop = Shop.of(asked)
    from_ns = START + round(min(5.0, asked.days / 2)) * DAY + 14 * HOUR
    until_ns = from_ns + HOUR
    plan = plans.past_an_outage(shop.events, from_ns, until_ns, asked.seed)
    told = replayed(shop, plan, asked.watch, (from_ns, until_ns))
    meanwhile = [flip for flip in loud(told.flips) if from_ns <= flip.judged_ns < until_ns]
    return {
        **summary(shop, told),
        "flips_meanwhile": [f"{flip.key} {flip.before} {flip.after}" for flip in meanwhile],
        "false_in_the_day_after": sum(
            until_ns <= flip.judged_ns < until_ns + DAY for flip in false_alarms(told.flips, shop.orders)
        ),
        "unknown_most": max((one.get("unknown", 0) for one in told.verdicts.values()), default=0),
        "unknown_last": list(told.verdicts.values())[-1].get("unknown", 0) if told.verdicts else None,
    }


def deaths(asked: argparse.Namespace) -> Found:
    """The watcher is killed again and again; nothing is lost and nothing is said twice without saying so."""
    shop = Shop.of(asked)
    with built(START) as house, hooked() as hook:
        _set_up_django()
        kills.listen(house, hook)
        kills.follow(house, list(shop.orders)[::FOLLOWED])
        watcher = Killed(house, asked.kills, min(1.0, asked.kills / (asked.days * 140)), asked.seed)
        replay = Replay(house, watcher, plans.as_it_happened(shop.events))
        replay.run(START, shop.end_ns)
        kills.calm(house, watcher, shop.end_ns)
        return {"killed": watcher.killed, **kills.counted(house, hook)}


def _turned(flips: Sequence[Flipped]) -> set[tuple[str, str, int]]:
    return {(flip.key, flip.after, flip.at_ns) for flip in flips}


def _differing(one: Told, other: Told) -> list[str]:
    return sorted(
        f"{key}: {one.standing.get(key)} {other.standing.get(key)}"
        for key in one.standing.keys() | other.standing.keys()
        if one.standing.get(key) != other.standing.get(key)
    )[:20]


def _waited(order: Order, state: str) -> float:
    """How long the order was at the step, in true p99s of it; 0 where it stayed."""
    leg = next(number for number, one in enumerate(COURSE) if one.state == state)
    arrived = {event.leg: event.at_ns for event in order.events if not event.failed}
    if leg + 1 not in arrived:
        return 0.0
    return (arrived[leg + 1] - arrived[leg]) / COURSE[leg + 1].true_ns(0.99)


def _stuck(shop: Shop) -> set[str]:
    return {key for key, order in shop.orders.items() if order.stuck}


DRILLS: dict[str, Callable[[argparse.Namespace], Found]] = {
    "fortnight": fortnight,
    "finished-only": finished_only,
    "doubled": doubled,
    "shuffled": shuffled,
    "late": late,
    "outage": outage,
    "kills": deaths,
}
