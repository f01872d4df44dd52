"""Which findings tell the same wrongness of another flow: one promise of an order and its mail, that was not kept (pure).

A detector gives what each finding rests on (moments, traces). One that rests on hardly anything but what others rest on
follows the one of them that it shares most with, and is shown under it.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from tracing.watch.finding import Finding

SHARED = 0.8


def fold(findings: Sequence[tuple[Finding, AbstractSet[object]]]) -> None:
    """Set `follows`. Who comes first leads; a finding follows one of another type in its environment, never a follower."""
    leads: list[tuple[Finding, AbstractSet[object]]] = []
    for finding, marks in findings:
        others = [(lead, marks & theirs) for lead, theirs in leads if _may_lead(lead, finding)]
        shared = set().union(*(common for _, common in others))
        if shared and len(shared) >= SHARED * len(marks):
            finding.follows = max(others, key=lambda other: len(other[1]))[0].identity
        else:
            leads.append((finding, marks))


def _may_lead(lead: Finding, finding: Finding) -> bool:
    return lead.type != finding.type and lead.environment == finding.environment
