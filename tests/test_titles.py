"""Numbers in titles and reasons."""

import pytest

from tracing.watch.titles import counted, moment, short

S = 1_000_000_000


@pytest.mark.parametrize(
    ("number", "noun", "words"),
    [
        (1, "order", "1 order"),
        (22, "order", "22 orders"),
        (1_204, "delivery", "1,204 deliveries"),
        (2, "batch", "2 batches"),
        (2, "day", "2 days"),
        (2, "process", "2 processes"),
        (2, "y", "2 ys"),
        (2, "sync-3", "2 sync-3"),
        (2, "заказ", "2 заказ"),
        (2, "", "2 "),
    ],
)
def test_counted(number: int, noun: str, words: str) -> None:
    assert counted(number, noun) == words


def test_moments_and_lines() -> None:
    assert moment(1_795_000_000 * S) == "2026-11-18 11:06 UTC"
    assert moment(2**63 - 1).startswith("2262-")
    assert moment(2**80) == f"{2**80} ns"
    assert short("a\n b", 5) == "a b"
    assert short("abcdef", 5) == "abcd…"
