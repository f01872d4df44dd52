"""Who is told, when again, and which routes cannot work: tables of cases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing.lengths import SECOND_NS
from tracing.unfit import Unfit
from tracing.watch import routing
from tracing.watch.finding import KINDS
from tracing.watch.routing import Matter, Route, Told

MATTER = Matter("stuck", "order", "production", 3, "open", flows=22)
OPS, DEV, BOSS = 1, 2, 3
SECOND = SECOND_NS


def matter(**more: object) -> Matter:
    from dataclasses import replace

    return replace(MATTER, **more)  # type: ignore[arg-type]


WAYS = [
    ("no route, nobody", [], MATTER, []),
    ("a route of everything", [Route(OPS)], MATTER, [OPS]),
    ("the first that fits", [Route(OPS, 1), Route(DEV, 2)], MATTER, [OPS]),
    ("and the next where it goes on", [Route(OPS, 1, goes_on=True), Route(DEV, 2)], MATTER, [OPS, DEV]),
    ("a channel once", [Route(OPS, 1, goes_on=True), Route(OPS, 2)], MATTER, [OPS]),
    ("by position", [Route(OPS, 1, position=2), Route(DEV, 2, position=1)], MATTER, [DEV]),
    ("by type", [Route(OPS, 1, types=frozenset({"payment"})), Route(DEV, 2)], MATTER, [DEV]),
    ("its type", [Route(OPS, types=frozenset({"payment", "order"}))], MATTER, [OPS]),
    ("a service has no type", [Route(OPS, types=frozenset({"order"}))], matter(type=""), []),
    ("by kind", [Route(OPS, 1, kinds=frozenset({"failed"})), Route(DEV, 2)], MATTER, [DEV]),
    ("by environment", [Route(OPS, environment="staging")], MATTER, []),
    ("its environment", [Route(OPS, environment="production")], MATTER, [OPS]),
    ("severity at least", [Route(OPS, severity=3)], matter(severity=2), []),
    ("a warning", [Route(OPS, severity=2)], matter(severity=2), [OPS]),
    ("grey is never told", [Route(OPS, severity=0)], matter(severity=1), []),
    ("muted is not told", [Route(OPS)], matter(state="muted"), []),
    ("acknowledged is not told", [Route(OPS)], matter(state="acknowledged"), []),
    ("forming is not told", [Route(OPS)], matter(state="forming"), []),
    ("resolved is not told as open", [Route(OPS)], matter(state="resolved"), []),
    ("an effect is not told beside its cause", [Route(OPS)], matter(folded=True), []),
    ("a route that is off is not there", [Route(OPS, 1, enabled=False), Route(DEV, 2)], MATTER, [DEV]),
]


@pytest.mark.parametrize(("routes", "problem", "told"), [case[1:] for case in WAYS], ids=[c[0] for c in WAYS])
def test_who_is_told(routes: list[Route], problem: Matter, told: list[int]) -> None:
    assert [route.channel_id for route in routing.ways(problem, routes)] == told


TOLD = Told("opened", 0, "stuck", 3, 22)
ROUTE = Route(OPS)
NEXT = [
    ("nothing new", MATTER, TOLD, ROUTE, 600, None),
    ("more, but too soon", matter(flows=30), TOLD, ROUTE, 299, None),
    ("more", matter(flows=30), TOLD, ROUTE, 300, "more"),
    ("more, never", matter(flows=30), TOLD, Route(OPS, interval_s=0), 9_000, None),
    ("repeat", MATTER, TOLD, ROUTE, 14_400, "repeat"),
    ("not yet", MATTER, TOLD, ROUTE, 14_399, None),
    ("repeat, never", MATTER, TOLD, Route(OPS, repeat_s=0), 10**6, None),
    ("late became stuck", MATTER, Told("opened", 0, "late", 3, 22), ROUTE, 1, "worse"),
    ("graver", MATTER, Told("opened", 0, "stuck", 2, 22), ROUTE, 1, "worse"),
    ("stuck became late", matter(kind="late"), TOLD, ROUTE, 1, None),
    ("worse although acknowledged", matter(state="acknowledged"), Told("more", 0, "late", 3, 22), ROUTE, 1, "worse"),
    ("acknowledged: not more", matter(state="acknowledged", flows=99), TOLD, ROUTE, 86_400, None),
    ("muted: not even worse", matter(state="muted"), Told("opened", 0, "late", 3, 22), ROUTE, 86_400, None),
    ("folded: nothing", matter(folded=True, flows=99), Told("opened", 0, "late", 3, 22), ROUTE, 86_400, None),
    ("no route any more: no repeat", matter(flows=99), TOLD, None, 86_400, None),
    ("no route any more: still worse", MATTER, Told("opened", 0, "late", 3, 22), None, 1, "worse"),
    ("the last one is not out yet", matter(flows=99), Told("opened", 0, "late", 3, 1, pending=True), ROUTE, 86_400, None),
    ("after the all-clear nothing", matter(flows=99), Told("resolved", 0, "stuck", 3, 22), ROUTE, 86_400, None),
    ("grey now", matter(severity=1, flows=99), TOLD, ROUTE, 86_400, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("problem", "told", "route", "after_s", "phase"), [case[1:] for case in NEXT], ids=[c[0] for c in NEXT]
)
def test_what_is_told_next(
    problem: Matter, told: Told, route: Route | None, after_s: int, phase: str | None
) -> None:
    assert routing.next_phase(problem, told, route, after_s * SECOND) == phase


UNFIT = [
    (Route(OPS, kinds=frozenset({"stuk"})), "kinds", "no kind of problem called stuk"),
    (Route(OPS, severity=1), "severity", "Grey problems"),
    (Route(OPS, severity=4), "severity", "choose warning"),
    (Route(OPS, wait_s=-1), "wait_s", "negative"),
    (Route(OPS, interval_s=-300), "interval_s", "negative"),
    (Route(OPS, repeat_s=-1), "repeat_s", "negative"),
    (Route(OPS, repeat_s=31 * 86_400), "repeat_s", "30 days"),
    (Route(OPS, interval_s=9), "interval_s", "At least 10 seconds"),
]


@pytest.mark.parametrize(("route", "field", "sentence"), UNFIT)
def test_a_route_that_cannot_work_is_refused(route: Route, field: str, sentence: str) -> None:
    with pytest.raises(Unfit, match=sentence) as refused:
        routing.check(route)
    assert refused.value.field == field


def test_usual_routes_are_taken() -> None:
    routing.check(Route(OPS))
    routing.check(Route(OPS, kinds=frozenset(KINDS), wait_s=0, interval_s=0, repeat_s=0))


NEVER = "Never reached: route 1"
NOTHING_MORE = "Says nothing more: route 1"
SHADOWS = [
    ([Route(OPS, 1), Route(DEV, 2)], {2: NEVER}),
    ([Route(OPS, 1), Route(DEV, 2), Route(BOSS, 3)], {2: NEVER, 3: NEVER}),
    ([Route(OPS, 1, goes_on=True), Route(DEV, 2)], {}),
    ([Route(OPS, 1, goes_on=True), Route(OPS, 2)], {2: NOTHING_MORE}),
    ([Route(OPS, 1, enabled=False), Route(DEV, 2)], {}),
    ([Route(OPS, 1, severity=3), Route(DEV, 2)], {}),
    ([Route(OPS, 1), Route(DEV, 2, severity=3)], {2: NEVER}),
    ([Route(OPS, 1, types=frozenset({"order"})), Route(DEV, 2)], {}),
    ([Route(OPS, 1, types=frozenset({"order", "job"})), Route(DEV, 2, types=frozenset({"job"}))], {2: NEVER}),
    ([Route(OPS, 1, environment="staging"), Route(DEV, 2, environment="staging")], {2: NEVER}),
    ([Route(OPS, 1, environment="staging"), Route(DEV, 2)], {}),
]


@pytest.mark.parametrize(("routes", "warned"), SHADOWS)
def test_a_route_that_is_never_reached_is_warned_about(routes: list[Route], warned: dict[int, str]) -> None:
    found = routing.warnings(routes)
    assert found.keys() == warned.keys()
    assert all(found[route].startswith(sentence) for route, sentence in warned.items())


some = st.frozensets(st.sampled_from(["order", "job", ""]), max_size=2)
any_route = st.builds(
    Route,
    channel_id=st.integers(1, 3),
    types=some,
    kinds=st.frozensets(st.sampled_from(["stuck", "late"]), max_size=2),
    environment=st.sampled_from(["", "production", "staging"]),
    severity=st.integers(2, 3),
    goes_on=st.booleans(),
    enabled=st.booleans(),
)
any_matter = st.builds(
    Matter,
    kind=st.sampled_from(["stuck", "late", "failed"]),
    type=st.sampled_from(["order", "job", "call", ""]),
    environment=st.sampled_from(["production", "staging"]),
    severity=st.integers(1, 3),
    state=st.just("open"),
)


@given(st.lists(any_route, max_size=5), any_matter)
def test_a_route_that_is_warned_about_changes_nothing(routes: list[Route], problem: Matter) -> None:
    from dataclasses import replace

    numbered = [replace(route, route_id=number) for number, route in enumerate(routes)]
    warned = routing.warnings(numbered)
    told = [route.channel_id for route in routing.ways(problem, numbered)]
    for number in warned:
        others = [route for route in numbered if route.route_id != number]
        assert set(told) == {route.channel_id for route in routing.ways(problem, others)}
