"""Moves the clock through a plan: what arrives is sent, then the watcher is given the moment.

Ten minutes at a step, and each moment in between at which somebody may be called late: a watcher that looks every second
would have called it so although the record came a minute later, and a drill that looks at both together would hide that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.drill.house import House
from tests.drill.plans import Delivery
from tests.drill.requests import body
from tests.drill.truth import MINUTE, SECOND
from tests.drill.watchers import Watcher

STEP = 10 * MINUTE

# When flows will be called late or stuck, if nothing comes until then.
_TURNS = """
SELECT DISTINCT greatest(late_ns + delay, looks_ns) / 1000000000 * 1000000000 + 1000000000 FROM (
    SELECT CASE WHEN verdict = 'late' THEN stuck_ns ELSE late_ns END AS late_ns, looks_ns,
        CASE WHEN verdict IN ('late', 'due') THEN 0 ELSE 3000000000 END AS delay
    FROM expectation WHERE verdict IN ('moving', 'due', 'late') AND looks_ns < %(until)s
) AS e WHERE late_ns < %(until)s
"""
_FLIPS = """
SELECT f.key, p.before, p.after, p.at_ns, p.judged_ns, coalesce(p.step, ''), coalesce(e.source, ''), e.quiet
FROM flip p JOIN flow f USING (flow_id) JOIN expectation e USING (flow_id) WHERE p.judged_ns > %s AND p.judged_ns <= %s
ORDER BY p.judged_ns, p.at_ns, f.key
"""
# Grey ones that came to be told: no turn of their verdict, but of what a person hears of them.
_LOUD = """
SELECT f.key, e.verdict, e.verdict, %s::bigint, %s::bigint, coalesce(e.step, ''), coalesce(e.source, ''), false
FROM expectation e JOIN flow f USING (flow_id) WHERE f.key = ANY(%s) AND e.verdict IN ('late', 'stuck') AND NOT e.quiet
ORDER BY f.key
"""


@dataclass(frozen=True, slots=True)
class Flipped:
    """A flow's turn, with what its expectation was at that moment. Before and after are the same where grey became loud."""

    key: str
    before: str | None
    after: str
    at_ns: int
    judged_ns: int
    step: str
    source: str
    quiet: bool


@dataclass(slots=True)
class Replay:
    """One run through a plan. `down` is when we receive nothing."""

    house: House
    watcher: Watcher
    plan: Sequence[Delivery]
    down: tuple[int, int] | None = None
    flips: list[Flipped] = field(default_factory=list)
    verdicts: dict[int, dict[str, int]] = field(default_factory=dict)  # by moment, only while down and after
    _grey: set[str] = field(default_factory=set)
    _sent: int = 0
    _read_ns: int = 0

    def run(self, start_ns: int, end_ns: int) -> None:
        for at_ns in range(start_ns + STEP, end_ns + STEP, STEP):
            for moment in self._moments(min(at_ns, end_ns)):
                self._arrive(moment)
                self.watcher.judge(moment)
                self._read(moment)
            self._arrive(min(at_ns, end_ns))
            self.watcher.settle(min(at_ns, end_ns))
            self._read(min(at_ns, end_ns))

    def _moments(self, until_ns: int) -> Iterator[int]:
        """Turns within the step; what happens at one may bring another."""
        last_ns = 0
        while True:
            rows = self.house.database.execute(_TURNS.encode(), {"until": until_ns}).fetchall()
            left = [row[0] for row in rows if last_ns < row[0] < until_ns - SECOND]
            if not left:
                return
            last_ns = min(left)
            yield last_ns

    def _arrive(self, until_ns: int) -> None:
        """Everything that arrives until then, and receivers that say they were there."""
        self._stop_or_start(until_ns)
        self._send(until_ns)
        self.house.reach(until_ns)

    def _send(self, until_ns: int) -> None:
        while self._sent < len(self.plan) and self.plan[self._sent].at_ns <= until_ns:
            delivery = self.plan[self._sent]
            self.house.send(delivery.at_ns, body(delivery))
            self._sent += 1

    def _stop_or_start(self, until_ns: int) -> None:
        if self.down is None:
            return
        from_ns, to_ns = self.down
        if self.house.collect is not None and from_ns <= until_ns < to_ns:
            self._send(from_ns)
            self.house.reach(from_ns)
            self.house.shut()
        elif self.house.collect is None and until_ns >= to_ns:
            self.house.reach(to_ns)
            self.house.open()

    def _read(self, at_ns: int) -> None:
        rows = self.house.database.execute(_FLIPS.encode(), (self._read_ns, at_ns)).fetchall()
        new = [Flipped(*row) for row in rows]
        self._grey -= {flip.key for flip in new}
        self._grey |= {flip.key for flip in new if flip.quiet and flip.after in ("late", "stuck")}
        if self._grey:
            grey = self.house.database.execute(_LOUD.encode(), (at_ns, at_ns, list(self._grey))).fetchall()
            new += [Flipped(*row) for row in grey]
            self._grey -= {row[0] for row in grey}
        self.flips += new
        self._read_ns = at_ns
        if self.down is not None and self.down[0] <= at_ns < self.down[1] + 6 * (self.down[1] - self.down[0]):
            counts = self.house.database.execute(
                "SELECT verdict, count(*) FROM expectation GROUP BY 1"
            ).fetchall()
            self.verdicts[at_ns] = {str(row[0]): row[1] for row in counts}
