"""Rows in other orders than the story's: the same rows, each once."""

import pytest

from tests.forests import OneLog as log
from tests.forests import OneSpan as span
from tests.forests import label, tables
from timeline.layout.forest import Chapter
from timeline.layout.growing import grow
from timeline.layout.plan import Fold, plan
from timeline.layout.sorting import FIELDS, sorted_nodes
from timeline.layout.timing import timed

MS = 1_000_000
SPANS = [
    span("a", 1_000 * MS, 1_900 * MS),
    span("b", 1_100 * MS, 1_150 * MS, "a", service=3, status=2),
    span("c", 1_200 * MS, 1_700 * MS, "a", service=2),
    span("d", 1_050 * MS, 1_100 * MS, trace=1, service=2),
]
CASES = {
    "start": "§x a §y d b #1 c",
    "-start": "c #1 b §y d §x a",
    "took": "#1 b §y d c §x a",
    "-took": "§x a c b §y d #1",
    "service": "§x §y c d a #1 b",
    "status": "b §x a #1 c §y d",
    "": "§x a b #1 c §y d",
    "nonsense": "§x a b #1 c §y d",
}


@pytest.mark.parametrize("sort", CASES)
def test_order(sort: str) -> None:
    chapters = [
        Chapter("x", bytes(15) + b"\x01", has_row=True, start=1_000 * MS, end=1_900 * MS),
        Chapter("y", bytes(15) + b"\x02", has_row=True, start=1_050 * MS, end=1_100 * MS),
    ]
    told = plan(
        timed(grow(tables(SPANS, (), [log(1, 1_160 * MS, "a")], traces=2), chapters)), Fold(expand=True)
    )
    found = sorted_nodes(told, sort.lstrip("-"), sort.startswith("-"))
    assert " ".join(label(told.forest, node) for node in found.tolist()) == CASES[sort]


def test_every_field_keeps_every_row() -> None:
    told = plan(timed(grow(tables(SPANS, traces=2), [Chapter("x", bytes(15) + b"\x01")])))
    for field in FIELDS:
        assert sorted(sorted_nodes(told, field).tolist()) == sorted(told.nodes.tolist())
