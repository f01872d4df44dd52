"""Numbers in titles and reasons."""

import pytest

from tracing.watch.titles import counted, lasting, moment, short

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


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "1 s"),
        (45.2, "45 s"),
        (840, "14 min"),
        (3_600, "1 h"),
        (11_520, "3 h 12 min"),
        (187_300, "2 d 4 h"),
    ],
)
def test_lasting(seconds: float, words: str) -> None:
    assert lasting(round(seconds * S)) == words


def test_moments_and_lines() -> None:
    assert moment(1_795_000_000 * S) == "2026-11-18 11:06 UTC"
    assert moment(2**63 - 1).startswith("2262-")
    assert short("a\n b", 5) == "a b"
    assert short("abcdef", 5) == "abcd…"
