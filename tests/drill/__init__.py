"""A fortnight of a shop whose truth is known, sent to the real receivers under a clock that is set, and judged.

    uv run python -m tests.drill fortnight|finished-only|doubled|shuffled|late|outage|kills [--orders 5000] [--days 14]

`truth` makes the orders, `plans` says when which record arrives, `house` runs the product's parts, `watchers` judge,
`replays` moves the clock, `measure` counts what was found. Outside the five-minute tests: `tests/test_drill.py` runs a
short one under `-m slow`, and the truth itself always.
"""
