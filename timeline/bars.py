"""The chart above a list as shapes: bars on a 1000 × 56 canvas, each with the range it selects (pure).

`timeline.queries.chart` counts, `templates/flows/chart.html` draws; `static/range.js` adds selecting by dragging.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo

from timeline.moments import full
from timeline.queries.chart import Chart

WIDTH, HEIGHT = 1000.0, 56.0
LEAST_HEIGHT = 2.0
MINUTE_NS = 60_000_000_000


@dataclass(frozen=True, slots=True)
class Bar:
    """`from_ns` inclusive, `to_ns` exclusive. `href` lists exactly what is counted."""

    x: str
    width: str
    slot: str  # the width of the whole stretch, for the pointer
    y: str
    height: str
    bad_y: str  # the part with errors stands at the foot
    bad_height: str
    count: int
    failing: int
    from_ns: int
    to_ns: int
    href: str
    title: str


def bars(chart: Chart, href: Callable[[int, int], str], zone: tzinfo) -> list[Bar]:
    """Bars that stand on the base line, the tallest as high as the canvas; an empty stretch has no height."""
    slot = WIDTH / len(chart.counts)
    most = max(chart.counts) or 1
    about = "about " if chart.estimated else ""
    drawn = []
    for index, (count, failing) in enumerate(zip(chart.counts, chart.failing, strict=True)):
        height = _height(count, most)
        bad_height = _bad_height(height, failing, count)
        errors = f", {about}{failing:,} with errors" if failing else ""
        from_ns = (chart.first + index * chart.width) * MINUTE_NS
        to_ns = from_ns + chart.width * MINUTE_NS
        bar = Bar(
            x=f"{index * slot:.2f}",
            width=f"{slot * 0.82:.2f}",
            slot=f"{slot:.2f}",
            y=f"{HEIGHT - height:.2f}",
            height=f"{height:.2f}",
            bad_y=f"{HEIGHT - bad_height:.2f}",
            bad_height=f"{bad_height:.2f}",
            count=count,
            failing=failing,
            from_ns=from_ns,
            to_ns=to_ns,
            href=href(from_ns, to_ns),
            title=f"{about}{count:,} last active from {full(from_ns, zone)} to {full(to_ns, zone)}{errors}",
        )
        drawn.append(bar)
    return drawn


def _height(count: int, most: int) -> float:
    """By square root, so that one burst does not flatten all else."""
    return max(LEAST_HEIGHT, (HEIGHT - 2) * math.sqrt(count / most)) if count else 0.0


def _bad_height(height: float, failing: int, count: int) -> float:
    """Its share of the bar."""
    return min(height, max(LEAST_HEIGHT, height * failing / count)) if failing and count else 0.0
