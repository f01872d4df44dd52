"""What an address of ours shows, as something that can be shared or kept: a flow, a record, a problem, or two flows compared.

A record on its own page is shared alone; one that is open in a flow, with the flow. `timeline.sharing` makes links of
them, `tracing.snapshots` copies them.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from timeline.addresses import flow_in_address, record_url
from timeline.answers import BadFilter, NotFound
from timeline.clues import clues
from timeline.problem import Problem
from timeline.queries import problems
from timeline.queries.find import look_up
from timeline.queries.record import read_log, read_versions
from timeline.summaries import FlowSummary, find_flows
from tracing.snapshots.copying import Subject

LONGEST = 4_000
PROBLEM = re.compile(r"/problems/([0-9a-f]{24})")
SPAN = re.compile(r"/record/([0-9a-fA-F]{32})/([0-9a-fA-F]{16})")
LOG = re.compile(r"/record/log/([0-9a-fA-F]{32})")
# What addresses are read without, so that `/<tab>/evil` is another host.
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# What is no part of a view: where a page of rows began, the form of the answer, the moment of a look.
PASSING = ("cursor", "format", "pulse", "frozen", "env")
NOTHING = (
    "This address shows neither a flow, a record, a problem nor a comparison. Share from one of their pages."
)


@dataclass(frozen=True, slots=True)
class View:
    """One view. `flows` are those whose records it is made of; `query` is without what names the subject."""

    subject: str  # flow, record, problem or comparison
    title: str
    path: str
    query: str
    flows: tuple[FlowSummary, ...] = ()
    problem: Problem | None = None
    span: tuple[bytes, bytes] | None = None  # trace id, span id of a record
    log: bytes | None = None

    @property
    def flow(self) -> FlowSummary | None:
        return self.flows[0] if self.subject == "flow" else None

    @property
    def address(self) -> str:
        """Of the live page, with the view."""
        return f"{self.path}{'&' if '?' in self.path else '?'}{self.query}" if self.query else self.path

    @property
    def copied(self) -> Subject:
        return Subject(
            flows=tuple(flow.identity for flow in self.flows if flow.kind != "request"),
            requests=tuple(flow.identity for flow in self.flows if flow.kind == "request"),
            problems=(self.problem.identity,) if self.problem else (),
            spans=(self.span,) if self.span else (),
            logs=(self.log,) if self.log else (),
        )


def read_view(address: str) -> View:
    """What an address of ours shows. Raises `BadFilter` for one that shows nothing to share, `NotFound` for what is gone."""
    if (
        len(address) > LONGEST
        or not address.startswith("/")
        or address.startswith("//")
        or CONTROL.search(address)
    ):
        raise BadFilter("of", NOTHING)
    parts = urlsplit(address)
    pairs = parse_qsl(parts.query)
    if match := PROBLEM.fullmatch(parts.path):
        return _problem(match[1], _kept(pairs))
    if match := SPAN.fullmatch(parts.path):
        return _span(match[1].lower(), match[2].lower())
    if match := LOG.fullmatch(parts.path):
        return _log(match[1].lower())
    if parts.path == "/compare":
        return _comparison(dict(pairs), _kept(pairs, "a", "b"))
    if named := flow_in_address(address):
        return _flow(*named, _kept(pairs, "type", "key"))
    raise BadFilter("of", NOTHING)


def flow_view(flow: FlowSummary, query: str = "") -> View:
    return View("flow", flow.title, flow.path, query, (flow,))


def _flow(kind: str, type: str, key: str, environment: str | None, query: str) -> View:
    found = find_flows(kind, type, key, environment)
    if not found:
        raise NotFound("Nothing is known of this flow, so there is nothing to keep or share.", key)
    return flow_view(found[0], query)


def _span(trace_id: str, span_id: str) -> View:
    ids = (bytes.fromhex(trace_id), bytes.fromhex(span_id))
    versions = read_versions(*ids)
    if not versions:
        raise NotFound("No span of these ids is stored, so there is nothing to share.", trace_id)
    return View("record", versions[0].name or "a span", record_url(trace_id, span_id), "", span=ids)


def _log(log_id: str) -> View:
    found = read_log(bytes.fromhex(log_id))
    if found is None:
        raise NotFound("No log of this id is stored, so there is nothing to share.", log_id)
    title = f"{found.event_name or 'log'} of {found.service}"
    return View("record", title, f"/record/log/{log_id}", "", log=bytes.fromhex(log_id))


def _problem(hex_id: str, query: str) -> View:
    found = problems.one(bytes.fromhex(hex_id))
    if found is None:
        raise NotFound("There is no problem at this address. It may be older than what is kept.")
    return View("problem", found.title, found.path, query, problem=found)


def _comparison(asked: dict[str, str], query: str) -> View:
    sides = []
    for name in ("a", "b"):
        found = look_up(clues(asked.get(name, ""))).flows if asked.get(name) else []
        if not found:
            raise BadFilter("of", "A comparison is shared once both of its flows are known.")
        sides.append(found[0])
    first, second = sides
    path = "/compare?" + urlencode({"a": first.path, "b": second.path}, quote_via=quote)
    return View("comparison", f"{first.title} beside {second.title}", path, query, (first, second))


def _kept(pairs: list[tuple[str, str]], *besides: str) -> str:
    kept = [(name, value) for name, value in pairs if name not in (*PASSING, *besides)]
    return urlencode(kept, quote_via=quote)
