"""Which findings tell the same wrongness of another flow: the order, its payment and its customer fail in one trace (pure).

A detector gives what each finding rests on (traces, moments). One that rests on hardly anything but what another rests on
follows it, and is shown under it.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from tracing.watch.finding import Finding

SHARED = 0.8


def fold(findings: Sequence[tuple[Finding, AbstractSet[object]]]) -> None:
    """Set `follows`. Who comes first leads; a finding follows one of another type in its environment, never a follower."""
    leads: list[tuple[Finding, AbstractSet[object]]] = []
    for finding, marks in findings:
        found = next((lead for lead, theirs in leads if _tells(finding, marks, lead, theirs)), None)
        if found is None:
            leads.append((finding, marks))
        else:
            finding.follows = found.identity


def _tells(finding: Finding, marks: AbstractSet[object], lead: Finding, theirs: AbstractSet[object]) -> bool:
    other = finding.type != lead.type and finding.environment == lead.environment
    return other and bool(marks) and len(marks & theirs) >= SHARED * len(marks)
