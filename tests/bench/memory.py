"""Memory of the running product: PSS of each process, summed over the database's.

uv run python -m tests.bench.memory     two minutes after ready, idle; prints one JSON line
"""

import contextlib
import json
import tempfile
import time
from pathlib import Path

from tests import product

IDLE_S = 120


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="threadline-bench-") as home:
        began = time.monotonic()
        with product.started(Path(home)) as running:
            ready_s = time.monotonic() - began
            time.sleep(IDLE_S)
            print(
                json.dumps(
                    {"bench": "idle", "ready_s": round(ready_s, 1), "memory_mb": pss_by_process(running)}
                )
            )


def pss_by_process(running: product.Running) -> dict[str, float]:
    """Megabytes by child's name, `up` itself, and their sum."""
    children = running.children()
    sizes = {name: round(sum(_pss(each) for each in _tree(pid)) / 1024, 1) for name, pid in children.items()}
    sizes["up"] = round(_pss(running.process.pid) / 1024, 1)
    return sizes | {"all": round(sum(sizes.values()), 1)}


def _tree(pid: int) -> list[int]:
    """The process and all below it."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        found.append(waiting.pop())
        for path in Path(f"/proc/{found[-1]}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                waiting += [int(word) for word in path.read_text().split()]
    return found


def _pss(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


if __name__ == "__main__":
    main()
