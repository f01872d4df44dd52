"""The command: one drill, a table of what was found, one JSON line. See the package."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.drill import drills
from tests.drill.measure import Period


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.drill", description=__doc__)
    options.add_argument("drill", choices=sorted(drills.DRILLS))
    options.add_argument("--orders", type=int, default=5_000)
    options.add_argument("--days", type=float, default=14.0)
    options.add_argument("--seed", type=int, default=4_711)
    options.add_argument(
        "--baseline", type=Path, help="a file that keeps the undisturbed run for other drills"
    )
    options.add_argument("--kills", type=int, default=200)
    options.add_argument(
        "--watch", choices=("process", "turns"), default="process",
        help="the product's watcher, or its duties in turns, which is repeatable",
    )  # fmt: skip
    asked = options.parse_args()
    began = time.monotonic()
    run: Callable[[argparse.Namespace], dict[str, Any]] = drills.DRILLS[asked.drill]
    found = run(asked)
    for period in found.pop("periods", []):
        print(line(period), file=sys.stderr)
    told = {"drill": asked.drill, "orders": asked.orders, "days": asked.days, "seed": asked.seed}
    print(json.dumps({**told, **found, "took_s": round(time.monotonic() - began, 1)}))


def line(period: Period) -> str:
    told = asdict(period)
    rate = 1000 * period.false_orders / period.orders if period.orders else 0.0
    waits = f"p50 {period.p50_h} h, p90 {period.p90_h} h"
    return (
        f"{told['name']:<11} orders {period.orders:>5}  stuck {period.stuck:>4}  found {period.found:>4}  "
        f"false alarms {period.false:>3} ({rate:.1f} of 1,000 orders)  boundary to flip {waits}"
    )


if __name__ == "__main__":
    main()
