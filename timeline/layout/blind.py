"""When we could not have been told: the stretches that nobody was there to receive, for the hatched band (pure).

`queries.awake` reads when receivers were there, the judge's evidence adds what it found besides.
"""

from collections.abc import Iterable, Sequence

Stretch = tuple[int, int]
# A receiver notes every two seconds that it is there; senders try again for longer than it takes to start one anew.
LEAST_NS = 30_000_000_000


def blind(
    awake: Iterable[Stretch], start_ns: int, now_ns: int, told: Iterable[Sequence[int | None]] = ()
) -> list[Stretch]:
    """The blind stretches from a moment until now, in order, none touching another.

    Before the first receiver was ever there nobody was blind: nothing was to be received. `told` are further ones, without
    an end where they last.
    """
    found = [(since, now_ns if until is None else until) for since, until in told if since is not None]
    before: int | None = None
    for since, until in sorted(awake):
        if before is not None and since - before >= LEAST_NS:
            found.append((before, since))
        before = until if before is None else max(before, until)
    if before is not None and now_ns - before >= LEAST_NS:
        found.append((before, now_ns))
    return _joined((max(since, start_ns), min(until, now_ns)) for since, until in found)


def _joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    found: list[Stretch] = []
    for since, until in sorted(one for one in stretches if one[0] < one[1]):
        if found and since <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((since, until))
    return found
