"""What a message says: subject and body of each phase, and the id by which a receiver knows a repeat (pure).

`telling` stores them; `sending` adds the id, and whether this may be a repetition.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from urllib.parse import quote, urlencode

from tracing.lengths import spoken
from tracing.watch.titles import counted, moment

LONGEST_SUBJECT = 200
LONGEST_LINE = 1_000
# What makes Slack, Discord and their like ring everybody's phone.
CALLS = re.compile(r"@(?=(?:everyone|here|channel|all)\b)", re.I)
KIND_WORDS = ("request", "entity", "workflow")


@dataclass(frozen=True, slots=True)
class Numbers:
    """Of a problem, now. `more`: flows that joined since the last message. Times are the senders'."""

    flows: int
    all_flows: int
    first_ns: int
    opened_ns: int
    environment: str
    more: int = 0
    flaps: int = 0


def message_id(channel_id: int, subject_id: bytes, phase: str, turn: str) -> str:
    """20 hex digits: the same channel, problem or flow, phase and turn are never two messages."""
    said = "\0".join((str(channel_id), subject_id.hex(), phase, turn))
    return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()


def problem_subject(phase: str, title: str, kind: str, numbers: Numbers, at_ns: int) -> str:
    """`at_ns` is now, or when it was resolved; lengths count from the true opening."""
    lasted = spoken(at_ns - numbers.opened_ns)
    before = {
        "opened": "",
        "more": f"{numbers.more:,} more: ",
        "worse": "Now stuck: " if kind == "stuck" else "Worse: ",
        "repeat": f"Still open after {lasted}: ",
        "resolved": f"Resolved after {lasted}: ",
    }[phase]
    return line(before + title, LONGEST_SUBJECT)


def problem_body(why: str, numbers: Numbers, url: str) -> str:
    """The sentence with the evidence, the numbers, the link."""
    counts = [] if not numbers.all_flows else [counted(numbers.flows, "flow") + " now"]
    if numbers.all_flows > numbers.flows:
        counts.append(f"{numbers.all_flows:,} since it opened")
    counts.append(f"since {moment(numbers.first_ns)}")
    if numbers.flaps:
        counts.append(f"came and went {numbers.flaps} ×")
    counts.append(line(numbers.environment, 100))
    return "\n".join((line(why, LONGEST_LINE), " · ".join(part for part in counts if part), url))


def flow_subject(type: str, key: str, verdict: str | None, step: str | None) -> str:
    """`order 4711: stuck at paid`; of a flow that moved only where it is."""
    said = verdict or "moving"
    if step:
        said = f"moved on to {step}" if said == "moving" else f"{said} at {step}"
    return line(f"{type} {key}: {said}", LONGEST_SUBJECT)


def flow_body(sentences: Sequence[str], url: str) -> str:
    told = [line(one, LONGEST_LINE) for one in sentences]
    return "\n".join((*(one for one in told if one), url))


def flow_path(kind: int, type: str, key: str, environment: str = "") -> str:
    """The path of a flow's page, percent-encoded; `environment` is empty where it is the default one.

    Keys that a browser would fold away in a path (`.`, `..`) go into the query, as the pages' own links do.
    """
    query = {"env": environment} if environment else {}
    word = KIND_WORDS[kind]
    if not type or "/" in type or any(part in (".", "..") for part in (type, *key.split("/"))):
        return f"/flow/{word}?{urlencode({'type': type, 'key': key, **query}, quote_via=quote)}"
    path = f"/flow/{word}/{quote(type, safe='')}/{quote(key, safe='')}"
    return f"{path}?{urlencode(query, quote_via=quote)}" if query else path


def signed(body: str, message_id: str, doubtful: bool) -> str:
    """The text as it goes out: its id at the end, and whether a try of it may have arrived before."""
    return f"{body}\n({'possibly repeated, ' if doubtful else ''}message {message_id})"


def line(text: str, most: int) -> str:
    """One line of printable text: what a sender wrote into a name breaks no header, and calls nobody in a chat."""
    kept = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    kept = CALLS.sub("＠", kept).replace("<!", "‹!").replace("<@", "‹@")
    return kept if len(kept) <= most else f"{kept[: most - 1]}…"
