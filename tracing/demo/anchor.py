"""Where a seed's history ends on this home, so that a second run sends the very same history again.

Kept as `demo-<seed>.json` in THREADLINE_HOME. Once retention has taken that history, a new era begins: other keys
and ids, because what is sent again after its day was dropped would count again.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tracing.demo.scene import MINUTE

DAY = 24 * 60 * MINUTE
REACH_DAYS = 3  # the stories reach back so far


@dataclass(frozen=True)
class Anchor:
    """The end of the history in Unix nanoseconds, and how many histories this home had before under the seed.

    `sent` names the sizes of history (orders/hours) that were delivered completely.
    """

    anchor_ns: int
    era: int = 0
    sent: tuple[str, ...] = ()


def remembered(home: Path, seed: int, now_ns: int, retention_days: int, hours: int) -> Anchor:
    """This home's anchor for the seed; a new one ends at the last full minute. Raises OSError."""
    path = _path(home, seed)
    fresh = Anchor(now_ns // MINUTE * MINUTE)
    if path.exists():
        known = _read(path)
        gone_ns = known.anchor_ns + (retention_days + 1) * DAY + max(REACH_DAYS * DAY, hours * 60 * MINUTE)
        if now_ns <= gone_ns:
            return known
        fresh = Anchor(fresh.anchor_ns, known.era + 1)
    _write(path, fresh)
    return fresh


def remember_sent(home: Path, seed: int, anchor: Anchor, size: str) -> None:
    """Note that a history of this size was delivered, so that `--live` need not begin with it again."""
    if size not in anchor.sent:
        _write(_path(home, seed), replace(anchor, sent=(*anchor.sent, size)))


def _path(home: Path, seed: int) -> Path:
    return home / f"demo-{seed}.json"


def _write(path: Path, anchor: Anchor) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(anchor)) + "\n")


def _read(path: Path) -> Anchor:
    try:
        told = json.loads(path.read_text())
        return Anchor(int(told["anchor_ns"]), int(told["era"]), tuple(told.get("sent", ())))
    except (ValueError, KeyError, TypeError) as error:
        raise OSError(f"{path} does not hold a demo's anchor; delete it to begin a new history") from error
