"""How many passwords are looked at: tries of one username from one address, from one network, and of one username at all.

axes counts what failed (`tracing.settings`). Each password takes a hash of 100 MB and a tenth of a second, so that only
some are looked at at once, whoever asks. Whoever is signed in notices nothing of all this.
"""

import ipaddress
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from axes.models import AccessAttempt
from django.conf import settings
from django.db import models

# Of all usernames: many people may come from one address, but nobody forgets fifty passwords in five minutes.
MOST_OF_NETWORK = 50
# From all addresses. Whoever has hundreds of networks keeps a person out with it, but does not guess their password.
MOST_OF_USERNAME = 100
AT_ONCE = 2
PATIENCE_S = 0.5

_room = threading.BoundedSemaphore(AT_ONCE)


class Busy(Exception):
    """As many passwords as may be are being looked at."""


def wait_s(username: str, address: str) -> int:
    """Seconds until a try is looked at, at most; 0 where it is now. `address` is empty where none is known."""
    recent = AccessAttempt.objects.filter(attempt_time__gt=datetime.now(UTC) - settings.AXES_COOLOFF_TIME)
    own = recent.filter(username=username)
    scopes = [
        (own.filter(ip_address=address or None), settings.AXES_FAILURE_LIMIT),
        (own, MOST_OF_USERNAME),
    ]
    if address:
        scopes.append((recent.filter(ip_address__range=_network(address)), MOST_OF_NETWORK))
    return max(_left_s(attempts, limit) for attempts, limit in scopes)


@contextmanager
def looked_at() -> Iterator[None]:
    """A password is looked at meanwhile. Raises Busy."""
    if not _room.acquire(timeout=PATIENCE_S):
        raise Busy
    try:
        yield
    finally:
        _room.release()


def _network(address: str) -> tuple[str, str]:
    """The first and last address of those that one household or server has."""
    bits = 64 if ipaddress.ip_address(address).version == 6 else 32
    network = ipaddress.ip_network(f"{address}/{bits}", strict=False)
    return str(network[0]), str(network[-1])


def _left_s(attempts: "models.QuerySet[AccessAttempt]", limit: int) -> int:
    found = attempts.order_by().aggregate(
        failures=models.Sum("failures_since_start"), latest=models.Max("attempt_time")
    )
    if (found["failures"] or 0) < limit:
        return 0
    left: timedelta = found["latest"] + settings.AXES_COOLOFF_TIME - datetime.now(UTC)
    return max(1, round(left.total_seconds()))
