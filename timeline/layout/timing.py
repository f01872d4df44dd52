"""When everything of a forest is drawn: as it was told, or with clocks corrected; and since when it waited (pure).

`skew` estimates how far clocks are apart and `waits` who waited; rows stay in the order told whatever is drawn.
"""

from collections.abc import Iterable
from dataclasses import replace

from timeline.layout.forest import CHAPTER, MOVE, Chapter, Forest
from timeline.layout.skew import find_shifts, shifted
from timeline.layout.waits import find_waits


def timed(forest: Forest, links: Iterable[tuple[int, int]] = (), *, raw: bool = False) -> Forest:
    """The same forest with its drawn times. `links` are rows of spans: who sent, who took up; `raw` corrects nothing."""
    pairs = list(links)
    shifts = find_shifts(forest, pairs)
    moved = shifted(forest, {} if raw else shifts)
    found = replace(
        forest,
        drawn=forest.times + moved,
        drawn_ends=forest.ends + moved,
        waits=find_waits(forest, moved, pairs),
        shifts=shifts,
    )
    if moved.any():
        _date_chapters(found)
    return found


def _date_chapters(forest: Forest) -> None:
    """Chapters are drawn from their first belonging record to their last, wherever corrected clocks put those."""
    own = forest.shown & ~forest.context & (forest.kinds > CHAPTER) & (forest.kinds < MOVE)
    for node, chapter in enumerate(forest.chapters):
        place, size = int(forest.order.places[node]), int(forest.order.sizes[node])
        inside = forest.order.nodes[place + 1 : place + size]
        inside = inside[own[inside]]
        if len(inside):
            forest.drawn[node] = forest.drawn[inside].min()
            forest.drawn_ends[node] = forest.drawn_ends[inside].max()
        else:
            forest.drawn[node], forest.drawn_ends[node] = chapter.start, chapter.end


def extent(forest: Forest, node: int, chapter: Chapter) -> tuple[int, int]:
    """From when to when a chapter is drawn."""
    if forest.shifts and forest.drawn_ends[node] > 0:
        return int(forest.drawn[node]), int(forest.drawn_ends[node])
    return chapter.start, max(chapter.start, chapter.end)
