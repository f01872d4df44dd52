"""The duty that calls an outside service while the judge works: when the calls stop, that service tells somebody.

The address is `THREADLINE_DEADMAN_URL`. That the judge works is read from its row in `watch_round`; the call's own
row there, `deadman call`, is what `/settings/notifications` shows, and keeps several watchers from calling at once.
"""

import logging
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field

import psycopg
from django.conf import settings
from psycopg.types.json import Jsonb

from tracing.clock import now_ns
from tracing.lengths import SECOND_NS
from tracing.watch.channels import masked

logger = logging.getLogger(__name__)

JUDGE = "judge"
CALL = "deadman call"
EVERY_NS = 60 * SECOND_NS
WELL_NS = 120 * SECOND_NS
TIMEOUT_S = 10.0

_JUDGED = "SELECT ended_ns FROM watch_round WHERE duty = %s"
# One call a minute over all watchers; a clock that was set back does not silence it.
_CLAIM = """
INSERT INTO watch_round AS r (duty, began_ns, ended_ns, took_ms, rows) VALUES (%(call)s, %(now)s, %(now)s, 0, 0)
ON CONFLICT (duty) DO UPDATE SET began_ns = %(now)s WHERE r.began_ns <= %(now)s - %(every)s OR r.began_ns > %(now)s
RETURNING true
"""
_NOTE = "UPDATE watch_round SET ended_ns = %s, took_ms = %s, facts = %s WHERE duty = %s"


@dataclass
class Call:
    """One request, made beside the loop. `error` is None until it is over, empty where it went well."""

    url: str
    began: float = field(default_factory=time.monotonic)
    error: str | None = None

    def make(self) -> None:
        request = urllib.request.Request(self.url, headers={"User-Agent": "Threadline"})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S):
                self.error = ""
        except urllib.error.HTTPError as error:
            with error:
                self.error = f"It answered {error.code}."
        except Exception as error:
            reason = getattr(error, "reason", None) or error
            self.error = masked(f"It cannot be reached: {reason}", self.url)


class Deadman:
    """The duty; one a watcher."""

    def __init__(self, url: str | None = None) -> None:
        self.url = settings.DEADMAN_URL if url is None else url
        self.call: Call | None = None
        self.failing = False

    def work(self, connection: psycopg.Connection) -> None:
        if self.call is not None:
            self._note(connection, self.call)
            return
        if not self.url or not is_well(connection):
            return
        claim = {"call": CALL, "now": now_ns(), "every": EVERY_NS}
        if connection.execute(_CLAIM, claim).fetchone() is not None:
            self.call = Call(self.url)
            threading.Thread(target=self.call.make, daemon=True).start()

    def _note(self, connection: psycopg.Connection, call: Call) -> None:
        """What came of the call, once it is over; a failure is logged once, until one goes well again."""
        took_s = time.monotonic() - call.began
        error = "No answer in time." if call.error is None and took_s > 2 * TIMEOUT_S else call.error
        if error is None:
            return
        self.call = None
        if error and not self.failing:
            logger.error("The call of THREADLINE_DEADMAN_URL failed. %s", error)
        self.failing = bool(error)
        connection.execute(_NOTE, (now_ns(), int(took_s * 1_000), Jsonb({"error": error}), CALL))


def is_well(connection: psycopg.Connection) -> bool:
    """Whether the judge ended a round within the last two minutes, by our clock."""
    row = connection.execute(_JUDGED, (JUDGE,)).fetchone()
    return row is not None and now_ns() - row[0] <= WELL_NS
