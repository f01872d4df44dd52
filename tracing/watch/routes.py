"""Routes as people keep them in the database: as values for `routing`, in their order, moved up and down."""

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Max

from tracing.people import Route
from tracing.watch import routing


def as_value(route: Route) -> routing.Route:
    """The model as the pure value; a route that is not saved yet has the id 0."""
    return routing.Route(
        channel_id=route.channel_id,
        route_id=route.pk or 0,
        position=route.position,
        types=frozenset(route.types),
        kinds=frozenset(route.kinds),
        environment=route.environment,
        severity=route.severity,
        wait_s=route.wait_s,
        interval_s=route.interval_s,
        repeat_s=route.repeat_s,
        goes_on=route.goes_on,
        enabled=route.enabled and route.channel.enabled,
    )


def save(route: Route) -> Route:
    """Check and save; a new one comes last. Raises `Unfit`."""
    routing.check(as_value(route))
    with transaction.atomic():
        if route.pk is None:
            last = Route.objects.aggregate(last=Max("position"))["last"]
            route.position = 1 if last is None else last + 1
        route.save()
    return route


def move(route: Route, by: int) -> None:
    """Up (−1) or down (1) by one place; at the end nothing happens. All are numbered anew."""
    with transaction.atomic():
        routes: list[Route] = list(Route.objects.select_for_update())
        place = next(place for place, one in enumerate(routes) if one.pk == route.pk)
        other = place + by
        if 0 <= other < len(routes):
            routes[place], routes[other] = routes[other], routes[place]
        for position, one in enumerate(routes, start=1):
            one.position = position
        Route.objects.bulk_update(routes, ["position"])


def warnings(routes: Sequence[Route]) -> dict[int, str]:
    """By id, why a route tells nothing as things stand."""
    found = routing.warnings(as_value(route) for route in routes)
    off = {
        route.pk: f"{route.channel.label} is switched off." for route in routes if not route.channel.enabled
    }
    return found | off
