"""How long flows stay at a step, learned from those that went on and from those that still wait (pure).

Who waits has not gone on *yet*: leaving such flows out makes every step look shorter than it is. So they are counted as
censored: Kaplan & Meier 1958, with Greenwood's variance (1926), and limits of quantiles after Brookmeyer & Crowley 1982 on
the log-log scale. Flows that never go on are told apart from those watched for too short a time after Maller & Zhou 1992.
Ties: who goes on at a moment is counted before who is last seen waiting at it. The order of durations is exact; the
curve is kept in `buckets`. `learning` brings the durations, `judging` uses the `Pace`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tracing.lengths import DAY_NS, HOUR_NS, SECOND_NS
from tracing.watch.buckets import EDGES
from tracing.watch.standing import Pace

Floats = NDArray[np.float64]
Values = Sequence[float] | NDArray[np.float64] | NDArray[np.int64]

FLOOR_NS = 60 * SECOND_NS
HALF_LIFE_NS = 7 * DAY_NS
LIVES = 5
HELD_NS = 3 * DAY_NS
# One-sided, as the smallest numbers of samples are: 0.95 of the standard normal distribution.
Z = 1.6448536269514722
DOUBT = 0.05
# Quantile's name, share that takes longer, samples without which its limit does not exist (Wilks 1941: 1 - q^n >= 0.95),
# and what its limit is multiplied with.
LEVELS = (("p99", 0.01, 299, 1.5), ("p95", 0.05, 59, 2.0), ("p90", 0.10, 29, 2.0))
FEWEST = LEVELS[-1][2]
# A plateau is believed once this many waited for twice the longest time that anybody took.
SEVERAL = 3
BEYOND = 2
STUCK_BELOW = 0.05
END_ABOVE = 0.5


@dataclass(frozen=True, slots=True)
class Curve:
    """Shares of flows that are still there just after each duration at which some went on."""

    at_ns: Floats  # rising
    share: Floats  # falling from below 1
    upper: Floats  # its one-sided 95 % confidence limit, falling

    def staying(self, duration_ns: float) -> float:
        """Share of flows that stay longer than this; 1 before the first went on, what is left after the last."""
        place = int(np.searchsorted(self.at_ns, duration_ns, side="right"))
        return float(self.share[place - 1]) if place else 1.0

    def staying_by_bucket(self) -> list[float]:
        """`staying` at the upper edge of each of the 80 buckets: what is stored of a curve, and drawn."""
        return [self.staying(edge) for edge in EDGES]

    def quantile(self, longer: float) -> int | None:
        """The duration beyond which no more than the share `longer` stay; None where that is not reached."""
        return _first(self.at_ns, self.share, longer)

    def limit(self, longer: float) -> int | None:
        """The upper 95 % confidence limit of that quantile."""
        return _first(self.at_ns, self.upper, longer)


@dataclass(frozen=True, slots=True)
class Seen:
    """Durations of a step. `part` is how much of a waiting flow is counted, `weight` how much any is worth today."""

    passed: Floats
    waiting: Floats
    passed_weight: Floats
    waiting_weight: Floats
    part: Floats


def pace(
    passed_ns: Values,
    waiting_ns: Values,
    passed_weights: Values | None = None,
    waiting_weights: Values | None = None,
    usual_life_ns: int | None = None,
    *,
    no_end: bool = False,
) -> Pace:
    """What durations of a step say of it; `ways` stays empty.

    `passed_ns`: how long flows stayed that went on. `waiting_ns`: how long those were there that had not when they were last
    looked at, cut where we became blind. Weights (`weights`) default to 1; smallest numbers are of flows, not of weights.
    `usual_life_ns`: how long flows of the type usually live, None where no one knows. `no_end`: a person said that the step
    is none, so whoever stays is stuck, however many.

    Threshold: 1.5 x the upper limit of p99; where that does not exist, 2 x that of p95, else of p90 (`level` says
    which), at least 60 s. None while too little was seen, at an end, and where 5 to 50 % stay (somebody has to say
    whether they may). Fewer than 5 % that stay are stuck; limits are then of those that go on, S' = (S - pi) / (1 - pi).
    """
    seen = _seen(passed_ns, waiting_ns, passed_weights, waiting_weights)
    passed, waiting = len(seen.passed), len(seen.waiting)
    if not passed:
        ends = not no_end and _long(seen, _life_ns(usual_life_ns)) >= FEWEST
        return Pace(passed, waiting, is_end=ends, plateau=1.0 if ends else 0.0)
    curve = _curve(seen)
    ends = not no_end and _is_end(seen, curve, usual_life_ns)
    plateau = float(curve.share[-1]) if ends else _plateau(seen, curve)
    if plateau:
        curve = _curve(_without_stuck(seen, curve))
    known = Pace(
        passed,
        waiting,
        p50=_told(curve, passed, 0.50),
        p90=_told(curve, passed, 0.10),
        p95=_told(curve, passed, 0.05),
        p99=_told(curve, passed, 0.01),
        plateau=plateau,
        is_end=ends,
    )
    return known if plateau >= STUCK_BELOW and not no_end else _with_threshold(known, curve)


def pace_of_finished(passed_ns: Values, passed_weights: Values | None = None) -> Pace:
    """The same learned as if nobody waited: too short while flows are young. For comparison only."""
    return pace(passed_ns, (), passed_weights)


def held(before: Pace, after: Pace, held_ns: int) -> Pace:
    """What counts where the last look knew more than this one: `before`'s threshold, for three days at most.

    While flows queue up, those that wait make high quantiles uncertain, and the alarm they raise would fall silent
    because it is right. `held_ns`: for how long `before`'s threshold has been held already, 0 where it was learned.
    """
    ranks = (None, *(level for level, _, _, _ in reversed(LEVELS)))
    if ranks.index(after.level) >= ranks.index(before.level) or held_ns >= HELD_NS:
        return after
    return replace(after, threshold=before.threshold, level=before.level, needed=before.needed, is_end=False)


def curve(
    passed_ns: Values,
    waiting_ns: Values,
    passed_weights: Values | None = None,
    waiting_weights: Values | None = None,
) -> Curve:
    """The Kaplan-Meier curve of these, as `pace` takes them, stuck flows included; empty where nobody went on."""
    return _curve(_seen(passed_ns, waiting_ns, passed_weights, waiting_weights))


def weights(ages_ns: Values) -> Floats:
    """What a sample of this age is worth: half after 7 days; an age below zero counts as zero."""
    ages: Floats = np.maximum(np.asarray(ages_ns, dtype=np.float64), 0.0)
    return np.exp2(-ages / HALF_LIFE_NS)


def _seen(
    passed: Values, waiting: Values, passed_weights: Values | None, waiting_weights: Values | None
) -> Seen:
    went, stays = (np.maximum(np.asarray(each, dtype=np.float64), 0.0) for each in (passed, waiting))
    worth = [
        np.ones(len(each)) if given is None else np.maximum(np.asarray(given, dtype=np.float64), 1e-9)
        for each, given in ((went, passed_weights), (stays, waiting_weights))
    ]
    if (len(went), len(stays)) != (len(worth[0]), len(worth[1])):
        raise ValueError("each duration needs one weight")
    return Seen(went, stays, worth[0], worth[1], np.ones(len(stays)))


def _curve(seen: Seen) -> Curve:
    at, place = np.unique(seen.passed, return_inverse=True)
    share, variance, heads = _kaplan_meier(seen, at, place)
    if not len(at):
        return Curve(at, share, share)
    logs = np.log(np.where(share > 0, share, 0.5))
    with np.errstate(divide="ignore"):
        upper = np.exp(logs * np.exp(-Z * np.sqrt(variance) / -logs))
    if share[-1] == 0:
        upper[-1] = _limit_at_zero(
            replace(seen, passed_weight=np.ones(len(seen.passed))), at, place, heads[-1]
        )
    # The limit may rise again where few are left; a later moment's is an earlier one's too, so take the last crossing.
    upper = np.maximum.accumulate(np.maximum(upper, share)[::-1])[::-1]
    return Curve(at, share, upper)


def _kaplan_meier(seen: Seen, at: Floats, place: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
    """Share that stays after each moment, variance of its logarithm (Greenwood), and heads at risk at the moment.

    Under weights a head at risk counts for less: (sum w)^2 / sum w^2 (Kish 1965).
    """
    went = np.bincount(place, weights=seen.passed_weight, minlength=len(at))
    there = _at_risk(seen, at, seen.passed_weight, seen.waiting_weight * seen.part)
    squares = _at_risk(seen, at, seen.passed_weight**2, seen.waiting_weight**2 * seen.part)
    heads = _at_risk(seen, at, np.ones(len(seen.passed)), seen.part)
    left = np.clip(1.0 - went / there, 0.0, 1.0)
    # After the last, sums of floats leave crumbs of nobody.
    left[left < 1e-9] = 0.0
    kept = np.where(left > 0, left, 1.0)
    variance: Floats = np.cumsum((1.0 - kept) / (kept * (there**2 / squares)), dtype=np.float64)
    return np.cumprod(left, dtype=np.float64), variance, heads


def _at_risk(seen: Seen, at: Floats, passed_worth: Floats, waiting_worth: Floats) -> Floats:
    """The worth of all that were there for at least each of these durations."""
    durations = np.concatenate([seen.passed, seen.waiting])
    order = np.argsort(durations, kind="stable")
    worth = np.concatenate([passed_worth, waiting_worth])[order]
    beyond = np.concatenate([np.cumsum(worth[::-1])[::-1], [0.0]])
    return beyond[np.searchsorted(durations[order], at, side="left")]


def _limit_at_zero(seen: Seen, at: Floats, place: NDArray[np.int64], last_heads: float) -> float:
    """The upper limit where all have gone on, for which Greenwood's variance says nothing.

    Of n samples none stayed longer: 1 - 0.05^(1/n) (Wilks 1941), n being the number of uncensored samples that would
    know as much as these do. It is no smaller than what those few tell that were left at the last moment. Heads are
    counted, not weights: that the largest of n exceeds a quantile does not depend on what they are worth.
    """
    heads = replace(seen, waiting_weight=np.ones(len(seen.waiting)))
    share, variance, _ = _kaplan_meier(heads, at, place)
    before, spread = (share[-2], variance[-2]) if len(at) > 1 else (1.0, 0.0)
    known = (1.0 - before) / (before * spread) if spread > 0 else last_heads
    return float(max(1.0 - DOUBT ** (1.0 / known), before * (1.0 - DOUBT ** (1.0 / last_heads))))


def _first(at: Floats, falling: Floats, longer: float) -> int | None:
    reached = np.flatnonzero(falling <= longer + 1e-12)
    return round(float(at[reached[0]])) if len(reached) else None


def _told(curve: Curve, passed: int, longer: float) -> int | None:
    """A quantile that the number of samples can tell: of twenty the 95th percentile, of a hundred the 99th."""
    return curve.quantile(longer) if passed * longer >= 1 else None


def _with_threshold(known: Pace, curve: Curve) -> Pace:
    for level, longer, fewest, factor in LEVELS:
        limit = curve.limit(longer) if known.passed >= fewest else None
        if limit is not None:
            return replace(known, threshold=max(FLOOR_NS, round(limit * factor)), level=level, needed=fewest)
    more = [fewest for _, _, fewest, _ in reversed(LEVELS) if fewest > known.passed]
    return replace(known, needed=more[0] if more else known.passed + 1)


def _life_ns(usual_life_ns: int | None) -> float:
    """Who waited for so long at one step has outlived the usual: an hour and five lives, at most a day.

    Five, because of flows that are all young a life is short: those that were not there yet had no time for the next step.
    """
    return float(DAY_NS if usual_life_ns is None else min(max(HOUR_NS, LIVES * usual_life_ns), DAY_NS))


def _long(seen: Seen, beyond_ns: float) -> int:
    return int(np.count_nonzero(seen.waiting >= beyond_ns))


def _plateau(seen: Seen, curve: Curve) -> float:
    """The share that stays for good; 0 where nobody does, or where nobody was watched for long enough to tell.

    Long enough (Maller & Zhou 1992): the longest watched had waited for twice the last event, so that the interval in which
    their test counts events holds all of them.
    """
    long = _long(seen, max(BEYOND * float(curve.at_ns[-1]), float(FLOOR_NS)))
    return float(curve.share[-1]) if long >= SEVERAL and long + len(seen.passed) >= FEWEST else 0.0


def _is_end(seen: Seen, curve: Curve, usual_life_ns: int | None) -> bool:
    """More than half stay as far as is seen, and those that outlived the usual outnumber those that went on.

    So a queue that formed just now makes no end. The last may have gone on late (a refund after a fortnight): that
    the rest is watched for twice as long, as for a plateau, is not asked.
    """
    long = _long(seen, _life_ns(usual_life_ns))
    return bool(curve.share[-1] > END_ABOVE) and long > len(seen.passed) and long + len(seen.passed) >= FEWEST


def _without_stuck(seen: Seen, curve: Curve) -> Seen:
    """Of each flow that waits, only the part that will go on: (S(c) - pi) / S(c) where it was last seen at c.

    Kaplan and Meier's estimate of these is (S - pi) / (1 - pi) exactly, because it hands what was waiting at c on
    to later moments in proportion to S (Efron 1967); and numbers at risk and variances are those of flows that go on.
    """
    places = np.searchsorted(curve.at_ns, seen.waiting, side="right")
    staying = np.concatenate([[1.0], curve.share])[places]
    return replace(seen, part=(staying - curve.share[-1]) / staying)
