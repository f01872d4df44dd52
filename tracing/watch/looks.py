"""Which looks cannot wait and which can, as predicates over `expectation`; an index serves each (pure).

Every flow with a look to come is in exactly one of the three.
"""

from typing import LiteralString

# Who has a deadline, or a look that cannot wait.
DEADLINE: LiteralString = """looks_ns IS NOT NULL
    AND (hurried OR verdict NOT IN ('moving', 'ended') OR verdict = 'moving' AND expected_ns IS NOT NULL)"""
# Nobody has looked at them yet.
NEW: LiteralString = "looks_ns IS NOT NULL AND NOT hurried AND verdict IS NULL"
# They are in order, and nothing is awaited of them; or they ended, and something came since.
IDLE: LiteralString = """looks_ns IS NOT NULL AND NOT hurried
    AND (verdict = 'ended' OR verdict = 'moving' AND expected_ns IS NULL)"""
