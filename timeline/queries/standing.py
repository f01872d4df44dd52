"""What the watcher last said of flows: the verdict, what each waits for, and the numbers behind it.

`tracing.watch` writes the rows, `tracing.watch.evidence` puts them into words; `timeline.summaries` hangs them on
flows. A flow without a row, or one that nobody has looked at yet, has no verdict.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from typing import Any

import orjson
from django.db import connection

from tracing.watch.customs import is_bad_end
from tracing.watch.evidence import known, why

# For the page of a flow and for lists: one look-up by primary key for all flows of a page.
_STANDINGS = """
SELECT flow_id, type, verdict, verdict_since_ns, step, system, since_ns, awaited_step, awaited_system,
       expected_ns, late_ns, stuck_ns, source, reason, quiet, heard_ns, evidence
FROM expectation WHERE flow_id = ANY(%s) AND verdict IS NOT NULL
"""


@dataclass(slots=True, frozen=True)
class Standing:
    """One flow as it was judged. Times are Unix nanoseconds of the sender's clock; None is unknown."""

    type: str
    verdict: str
    verdict_since_ns: int | None
    step: str  # where it is
    system: str
    since_ns: int | None  # since when it is there
    awaited_step: str  # empty where anything will do
    awaited_system: str
    expected_ns: int | None
    late_ns: int | None
    stuck_ns: int | None
    source: str  # empty where nothing is expected
    reason: str
    quiet: bool
    heard_ns: int | None  # the end of the last record that the judge knew
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def waits(self) -> bool:
        """Whether something is expected of it: neither over, nor at a step from which nobody knows what follows."""
        return bool(self.source) and self.verdict != "ended" and self.since_ns is not None

    @property
    def ended_badly(self) -> bool:
        return self.verdict == "ended" and is_bad_end(self.evidence.get("end"), self.step)

    @property
    def told(self) -> dict[str, Any]:
        """The evidence with what the row's columns say beside it."""
        by_ns = {} if self.expected_ns is None else {"by_ns": self.expected_ns}
        return {"type": self.type, "quiet": self.quiet, **by_ns, **self.evidence}

    def at(self, last_ns: int | None) -> "Standing":
        """The same of a flow whose last record is so late: what it waited for is not told once it has moved on.

        Who goes as usual is not judged again at each record. Late and stuck stay so until somebody has looked.
        """
        is_old = None not in (self.heard_ns, last_ns) and (self.heard_ns or 0) < (last_ns or 0)
        if not is_old or self.verdict not in ("moving", "due"):
            return self
        blind = {name: told for name, told in self.evidence.items() if name == "blind"}
        return replace(
            self, since_ns=None, awaited_step="", awaited_system="", expected_ns=None, late_ns=None, stuck_ns=None,
            source="", reason="", evidence=blind,
        )  # fmt: skip

    def why(self, now_ns: int, zone: tzinfo = UTC) -> str:
        """What it waits for and how that is known; for an ended flow how it ended."""
        return why(*self._arguments(now_ns), self.told, zone)

    def known(self, now_ns: int, zone: tzinfo = UTC) -> str:
        """The same without what it waits for: for a page that has said that already."""
        return known(*self._arguments(now_ns), self.told, zone)

    def _arguments(self, now_ns: int) -> tuple[str, str, int, int, str, str]:
        since_ns = now_ns if self.since_ns is None else self.since_ns
        if self.verdict == "ended":
            return self.step, "", since_ns, now_ns, "", "ended"
        return self.awaited_step, self.awaited_system, since_ns, now_ns, self.source, self.reason

    def as_json(self, now_ns: int) -> dict[str, Any] | None:
        """The contract's `waiting_for`; None where nothing is."""
        if not self.waits:
            return None
        return {
            "step": self.awaited_step or None,
            "service": self.awaited_system or None,
            "since": str(self.since_ns),
            "expected_at": None if self.expected_ns is None else str(self.expected_ns),
            "source": self.source,
            "why": self.why(now_ns),
        }


def read_standing(flow_ids: Sequence[bytes]) -> dict[bytes, Standing]:
    """The judged among these flows, by flow id."""
    with connection.cursor() as cursor:
        cursor.execute(_STANDINGS, [list(flow_ids)])
        return {bytes(row[0]): _standing(row[1:]) for row in cursor.fetchall()}


def _standing(row: Sequence[Any]) -> Standing:
    type, verdict, verdict_since_ns, step, system, since_ns, awaited_step, awaited_system, *rest = row
    expected_ns, late_ns, stuck_ns, source, reason, quiet, heard_ns, evidence = rest
    return Standing(
        type, verdict, verdict_since_ns, step or "", system or "", since_ns, awaited_step or "",
        awaited_system or "", expected_ns, late_ns, stuck_ns, source or "", reason or "", quiet, heard_ns,
        _object(evidence),
    )  # fmt: skip


def _object(told: Any) -> dict[str, Any]:
    """Evidence as an object, whether the driver read the column or hands it on as text."""
    read = orjson.loads(told) if isinstance(told, str | bytes) else told
    return read if isinstance(read, dict) else {}
