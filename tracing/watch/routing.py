"""Which problems are told on which channel, and what is told next of one that was told already (pure).

`telling` asks this of what the tables say and writes the messages; `sending` carries them out. Times are Unix
nanoseconds of our clock; lengths of a route are seconds, zero for never.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tracing.lengths import SECOND_NS
from tracing.unfit import Unfit
from tracing.watch.finding import GREY, KINDS, NEEDS_A_PERSON, WARNING

LONGEST_S = 30 * 86_400
SHORTEST_S = 10  # of an interval or a repeat that is not never: the loop looks every second or two
STANDS = frozenset({"open", "acknowledged"})


@dataclass(frozen=True, slots=True)
class Route:
    """Which problems go to one channel. Empty `types`, `kinds` and `environment` are any; `severity` is the least."""

    channel_id: int
    route_id: int = 0
    position: int = 0
    types: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    environment: str = ""
    severity: int = WARNING
    wait_s: int = 30
    interval_s: int = 300
    repeat_s: int = 14_400
    goes_on: bool = False
    enabled: bool = True  # the route and its channel


@dataclass(frozen=True, slots=True)
class Matter:
    """A problem, as far as telling it needs. `folded`: it follows from another that is open. `flows`: ever."""

    kind: str
    type: str
    environment: str
    severity: int
    state: str
    folded: bool = False
    flows: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """The last message about a problem on a channel. `pending`: it is not out yet, nor given up."""

    phase: str
    at_ns: int
    kind: str
    severity: int
    flows: int
    pending: bool = False


def ways(matter: Matter, routes: Iterable[Route]) -> list[Route]:
    """The routes on which an open problem is told, each channel once: the first that fits, and on while `goes_on`."""
    if matter.state != "open" or matter.folded or matter.severity <= GREY:
        return []
    found: dict[int, Route] = {}
    for route in in_order(routes):
        if fits(route, matter):
            found.setdefault(route.channel_id, route)
            if not route.goes_on:
                break
    return list(found.values())


def in_order(routes: Iterable[Route]) -> list[Route]:
    return sorted(routes, key=lambda route: (route.position, route.route_id))


def fits(route: Route, matter: Matter) -> bool:
    """A problem of a service has no type, so only a route of all types fits it."""
    return (
        route.enabled
        and (not route.types or matter.type in route.types)
        and (not route.kinds or matter.kind in route.kinds)
        and route.environment in ("", matter.environment)
        and matter.severity >= route.severity
    )


def next_phase(matter: Matter, told: Told, route: Route | None, now_ns: int) -> str | None:
    """What is due on a channel that was told a problem: worse at once, more after the interval, a repeat.

    `route` is the one that leads to the channel now, None where none does any more: then only worse is told.
    """
    if matter.state not in STANDS or matter.folded or matter.severity <= GREY or told.pending:
        return None
    if told.phase == "resolved":
        return None
    if is_worse(matter, told):
        return "worse"
    if route is None or matter.state != "open":
        return None
    passed_ns = now_ns - told.at_ns
    if route.interval_s and matter.flows > told.flows and passed_ns >= route.interval_s * SECOND_NS:
        return "more"
    if route.repeat_s and passed_ns >= route.repeat_s * SECOND_NS:
        return "repeat"
    return None


def is_worse(matter: Matter, told: Told) -> bool:
    """A wait that turned from late to stuck, or a severity that rose."""
    return (matter.kind == "stuck" and told.kind == "late") or matter.severity > told.severity


def check(route: Route) -> None:
    """Raises Unfit for a route that cannot work, whatever the others are."""
    unknown = sorted(route.kinds - set(KINDS))
    if unknown:
        raise Unfit(
            "kinds", f"There is no kind of problem called {unknown[0]}. There are {', '.join(KINDS)}."
        )
    if not WARNING <= route.severity <= NEEDS_A_PERSON:
        raise Unfit("severity", "Grey problems are shown and never told: choose warning or needs a person.")
    for field, length in (
        ("wait_s", route.wait_s),
        ("interval_s", route.interval_s),
        ("repeat_s", route.repeat_s),
    ):
        if length < 0:
            raise Unfit(field, "A time cannot be negative. Zero means never, or for the wait: at once.")
        if length > LONGEST_S:
            raise Unfit(field, "Longer than 30 days: nobody waits for that.")
        if field != "wait_s" and 0 < length < SHORTEST_S:
            raise Unfit(field, f"At least {SHORTEST_S} seconds, or 0 for never.")


def warnings(routes: Iterable[Route]) -> dict[int, str]:
    """By route id, why a route tells nothing as the others stand. Absent: it may tell something."""
    numbered = [(number, route) for number, route in enumerate(in_order(routes), start=1) if route.enabled]
    told = ((route, _shadow(route, numbered[:place])) for place, (_, route) in enumerate(numbered))
    return {route.route_id: sentence for route, sentence in told if sentence}


def _shadow(route: Route, before: Sequence[tuple[int, Route]]) -> str:
    for number, earlier in before:
        if not covers(earlier, route):
            continue
        if not earlier.goes_on:
            return f"Never reached: route {number} takes everything that would come here."
        if earlier.channel_id == route.channel_id:
            return f"Says nothing more: route {number} tells the same channel all of it."
    return ""


def covers(wide: Route, narrow: Route) -> bool:
    """Whether all that fits the one fits the other too."""
    return (
        (not wide.types or (bool(narrow.types) and narrow.types <= wide.types))
        and (not wide.kinds or (bool(narrow.kinds) and narrow.kinds <= wide.kinds))
        and wide.environment in ("", narrow.environment)
        and wide.severity <= narrow.severity
    )
