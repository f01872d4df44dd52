"""The day of a record is a function of the sender's time alone."""

import pytest

from tests.builders import Service
from tracing.records import DAY_NS, FIRST_DAY, LAST_DAY, MAX_NS, Batch, day_of, is_plausible


@pytest.mark.parametrize(
    ("time_ns", "day", "plausible"),
    [
        (0, 0, False),
        (1, 0, False),
        (DAY_NS - 1, 0, False),
        (DAY_NS, 1, False),
        (FIRST_DAY * DAY_NS - 1, FIRST_DAY - 1, False),
        (1_420_070_400_000_000_000, FIRST_DAY, True),  # 2015-01-01
        (1_795_000_000_000_000_000, 20_775, True),
        (4_102_444_800_000_000_000 - 1, LAST_DAY - 1, True),
        (4_102_444_800_000_000_000, LAST_DAY, False),  # 2100-01-01
        (MAX_NS, 106_751, False),
    ],
)
def test_days(time_ns: int, day: int, plausible: bool) -> None:
    assert day_of(time_ns) == day
    assert is_plausible(time_ns) is plausible
    assert Service("s").span("s", 0, 0, start_ns=time_ns).day == day
    assert Service("s").log("s", 0, time_ns=time_ns).day == day


def test_batches_share_nothing() -> None:
    first, second = Batch(), Batch()
    first.spans.append(Service("s").span("s", 0, 1))
    assert second.spans == []
