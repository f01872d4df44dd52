"""The seeded rules as pure values, straight from the migration that seeds them: no database."""

from functools import cache
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from tracing.correlation import Rulebook
from tracing.mentions import Rule
from tracing.rulebook import as_rule


class _Collected:
    """Stands where the migration's Rule model would, and keeps the rows."""

    def __init__(self) -> None:
        self.rows: list[SimpleNamespace] = []
        self.objects = self

    def __call__(self, **values: Any) -> SimpleNamespace:
        return SimpleNamespace(
            **{
                "type": "",
                "type_attributes": [],
                "any_prefix": False,
                "state_attributes": [],
                "enabled": True,
                **values,
            }
        )

    def bulk_create(self, rows: list[SimpleNamespace]) -> None:
        self.rows = rows

    def get_model(self, app: str, name: str) -> "_Collected":
        return self


@cache
def rules(everything: bool = False) -> tuple[Rule, ...]:
    """Enabled seeded rules, numbered as an empty database numbers them; all of them if asked."""
    collected = _Collected()
    import_module("tracing.migrations.0002_seed_rules").seed(collected, None)
    return tuple(
        as_rule(n, row.kind, row.type, row.keys, row.type_attributes, row.any_prefix, row.state_attributes)
        for n, row in enumerate(collected.rows, 1)
        if row.enabled or everything
    )


def rulebook(environment: str = "production") -> Rulebook:
    return Rulebook(rules(), environment)
