"""What Now says in words, for pages and terminals alike: the headline, how much else there is, and who judges.

Parts are text with the address of what they count. Nothing is called quiet that nobody looked at.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from timeline import moments
from timeline.addresses import with_query
from timeline.queries.backlog import Totals
from tracing.lengths import SECOND_NS
from tracing.models import Sender
from tracing.watch.titles import counted

# A round of judging ends every few seconds; after so long without one, nobody judges.
SILENT_NS = 60 * SECOND_NS


class Part(NamedTuple):
    text: str
    href: str = ""


def headline(count: int, is_judged: bool) -> str:
    if count:
        return f"{counted(count, 'problem')} {'needs' if count == 1 else 'need'} a person"
    return "Nothing needs a person" if is_judged else "Nobody judges"


def is_judged(judged_ns: int | None, at_ns: int) -> bool:
    return judged_ns is not None and at_ns - judged_ns <= SILENT_NS


def judged(judged_ns: int | None, at_ns: int) -> str:
    """`judged 4 s ago`."""
    if judged_ns is None:
        return "never judged"
    age_ns = (at_ns - judged_ns) // SECOND_NS * SECOND_NS
    return f"judged {moments.took(age_ns)} ago" if age_ns > 0 else "judged just now"


def warning(judged_ns: int | None, at_ns: int) -> str:
    """What is wrong with the watcher and what to do; empty while it judges."""
    if is_judged(judged_ns, at_ns):
        return ""
    since = "No flow was judged yet" if judged_ns is None else f"Flows were last {judged(judged_ns, at_ns)}"
    return (
        f"{since}: no watcher runs, so nothing here turns late or stuck and nobody is told."
        " Start one with `manage.py watch` (`manage.py up` runs it too)."
    )


def parts(
    standing: Mapping[str, int], totals: Totals, quiet: Sequence[Sender], is_judged: bool
) -> list[Part]:
    """What else there is: why it is quiet, or what beside the problems is not."""
    told = [_moving(totals)]
    told += _known(standing)
    if is_judged:
        told += _late(standing, totals)
    told += _set_aside(totals)
    if quiet:
        told.append(Part(f"{counted(len(quiet), 'sender')} went quiet", "#quiet"))
    else:
        told.append(Part("every sender heard within 10 min", "/settings/senders"))
    return told


def _moving(totals: Totals) -> Part:
    if not totals.open:
        return Part("no flow in motion")
    return Part(f"{counted(totals.open, 'flow')} in motion", _flows("open"))


def _known(standing: Mapping[str, int]) -> list[Part]:
    return [
        Part(counted(standing[state], f"{state} problem"), _problems(state))
        for state in ("acknowledged", "muted", "grey")
        if standing.get(state)
    ]


def _late(standing: Mapping[str, int], totals: Totals) -> list[Part]:
    told = [
        Part(f"{count:,} {word}", _flows(word, grey="no"))
        for word, count in (("late", totals.late), ("stuck", totals.stuck))
        if count
    ]
    # Beside a problem that is set aside or grey, "none is late" would read as its contrary.
    return told or ([] if _known(standing) else [Part("none is late")])


def _set_aside(totals: Totals) -> list[Part]:
    told = []
    if totals.unknown:
        told.append(Part(f"{totals.unknown:,} unknown: we were blind", _flows("unknown")))
    if totals.paused:
        told.append(Part(f"{totals.paused:,} paused for maintenance", _flows("paused")))
    if totals.learning:
        verb = "is" if totals.learning == 1 else "are"
        told.append(Part(f"{counted(totals.learning, 'type')} {verb} still being learned", "/types"))
    return told


def _flows(verdict: str, grey: str = "") -> str:
    return with_query("/flows", {"verdict": verdict, "grey": grey})


def _problems(state: str) -> str:
    return with_query("/problems", {"grey": "only"} if state == "grey" else {"state": state})
