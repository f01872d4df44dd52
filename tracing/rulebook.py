"""Loads the enabled rules from the database as a compiled `correlation.Rulebook`, with the version they are.

Ingest reads the version under the shared form of one advisory lock, publishing takes it alone (`tracing.rules`),
so nothing commits under an older version once a newer one is published.
"""

from typing import Any, LiteralString

import psycopg

from tracing.correlation import Rulebook
from tracing.mentions import Rule

# "TLRU": shared by every transaction that stores, exclusive to publishing a rule version.
RULES_LOCK = 0x544C5255

# In the order of `as_rule`.
RULE_COLUMNS: LiteralString = "id, kind, type, keys, type_attributes, any_prefix, state_attributes"
_RULES: LiteralString = f"SELECT {RULE_COLUMNS} FROM tracing_rule WHERE enabled ORDER BY id"


def load(connection: psycopg.Connection, environment: str) -> Rulebook:
    """The rules in force in the connection's snapshot."""
    row = connection.execute("SELECT rule_version FROM installation").fetchone()
    rules = [as_rule(*columns) for columns in connection.execute(_RULES).fetchall()]
    return Rulebook(rules, environment, row[0] if row else 1)


def as_rule(
    rule_id: int,
    kind: str,
    type_name: str,
    keys: list[list[str]],
    type_attributes: list[str],
    any_prefix: bool,
    state_attributes: list[str],
) -> Rule:
    """A stored rule as a value, from RULE_COLUMNS."""
    return Rule(
        rule_id, kind, type_name, _tuples(keys), tuple(type_attributes), any_prefix, tuple(state_attributes)
    )


def _tuples(keys: Any) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(names) for names in keys)
