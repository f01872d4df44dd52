"""`manage.py forget`: erases a flow, or every flow with a key: its records wherever they count, and what was said of it.

`tracing.erasing` does it. What will go is told and asked about first; what went is told by table. A flow that the store knows
no more is looked for in frozen copies; what names it in texts is struck out where no other flow has its name.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from tracing import auditing, erasing, rulebook
from tracing.database import conninfo
from tracing.forgetting import count_flows
from tracing.management import waiting
from tracing.mentions import flow_id
from tracing.noting import KINDS
from tracing.sentence import Sentence
from tracing.snapshots import cleaning
from tracing.striking import Target
from tracing.watch.wording import flow_path

_FLOWS = """
SELECT flow_id, kind, type, key, environment, spans, logs, chapters FROM flow
WHERE lower(key) = lower(%(key)s) AND key = %(key)s AND (%(type)s::text IS NULL OR type = %(type)s)
"""
# What is counted, in words; the order is the one it is told in.
WORDS = {
    "flows": ("flow", "flows"),
    "spans": ("span", "spans"),
    "logs": ("log", "logs"),
    "links": ("span link", "span links"),
    "chapter": ("chapter", "chapters"),
    "assertion": ("state that was told", "states that were told"),
    "current_state": ("current state", "current states"),
    "stated": ("deadline or promise", "deadlines and promises"),
    "expectation": ("expectation", "expectations"),
    "told_exception": ("exception", "exceptions"),
    "failure": ("failure", "failures"),
    "flip": ("turn of its verdict", "turns of its verdict"),
    "problem_flow": ("place in a problem", "places in problems"),
    "message": ("notification", "notifications"),
    "closure": ("closing by hand", "closings by hand"),
    "follow": ("follower", "followers"),
    "note": ("note", "notes"),
    "frozen copies": ("frozen copy", "frozen copies"),
    "records in other frozen copies": ("record in another frozen copy", "records in other frozen copies"),
    "texts in frozen copies": ("text in a frozen copy", "texts in frozen copies"),
    "texts": ("text that named it", "texts that named it"),
    "unused": (
        "resource or scope that no record uses any more",
        "resources and scopes that no record uses any more",
    ),
    "counted anew": ("flow or request counted anew", "flows and requests counted anew"),
}
# What goes on with every run, whoever is forgotten.
LEFT_OVER = ("counted anew",)
AGAIN = "What is sent again later counts again: whoever still has these records can bring them back."


class Found(NamedTuple):
    """A flow to forget; `records` are its spans, logs and chapters, None where the store knows it no more."""

    flow_id: bytes
    kind: int
    type: str
    key: str
    environment: str
    records: Sequence[int] | None = None
    is_copied: bool = False  # found in a frozen copy


class Command(BaseCommand):
    help = "Erase one flow's or one key's records everywhere."
    requires_system_checks: list[str] = []  # noqa: RUF012  (Django's own declaration)

    def add_arguments(self, parser: CommandParser) -> None:
        waiting.add_argument(parser)
        parser.add_argument("flow", nargs="*", metavar="TYPE KEY", help="the flow: order 4711")
        parser.add_argument("--key", help="every flow with this key, of all types and environments")
        parser.add_argument("--env", help="the flow's environment, where several have it")
        parser.add_argument(
            "--kind", choices=sorted(KINDS), help="where an entity and a workflow share type and key"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *arguments: str, **options: Any) -> None:
        asked = _asked(options)
        waiting.demand(options)
        with psycopg.connect(conninfo(settings.DATABASES["default"]), autocommit=True) as connection:
            flows = self._flows(connection, asked, every=options["key"] is not None)
            if flows:
                self._tell(connection, flows)
                if not options["yes"]:
                    _confirm()
            gone = self._erase(connection, flows)
        self._say(gone, asked)

    def _flows(self, connection: psycopg.Connection, asked: dict[str, Any], *, every: bool) -> list[Found]:
        namesakes = _found(connection, asked)
        flows = [
            one
            for one in namesakes
            if asked["environment"] in (None, one.environment) and asked["kind"] in (None, one.kind)
        ]
        if len(flows) > 1 and not every:
            places = ", ".join(f"{_kind(one.kind)} in {one.environment}" for one in flows)
            raise Sentence(
                f"{asked['type']} {asked['key']} is several flows ({places}): choose with --env or --kind."
            )
        # Texts tell no environments apart: what others of that name are called in stays.
        return flows or ([] if namesakes else _named(asked))

    def _tell(self, connection: psycopg.Connection, flows: list[Found]) -> None:
        told: dict[str, None] = {}
        for one in flows:
            with connection.cursor() as cursor:
                said = count_flows(cursor, [one.flow_id])
            known = f"{one.type} {one.key} ({one.environment}): {_known(one)}"
            # Of a mere name entity and workflow say the same.
            told[f"{known}\n  with it: {_listed(said) or 'nothing else'}"] = None
        self.stdout.write("\n".join(told))
        self.stdout.write(
            "These records go from every request, flow and frozen copy that has them, and the flows that shared them are"
            " counted anew; its name goes out of links, pins, problems and the audit. A record that only mentions the"
            " key in its text, without carrying it, stays."
        )

    def _erase(self, connection: psycopg.Connection, flows: list[Found]) -> Counter[str]:
        gone: Counter[str] = Counter()
        for one in flows:
            told = erasing.erase(connection, _target(one), settings.ENVIRONMENT)
            gone += told
            if _is_something(told):
                # The key is what was to be forgotten: the audit says that, and of which type.
                auditing.note(auditing.TERMINAL, "flow forgotten", one.type, one.environment)
        if not flows:
            gone += erasing.finish(connection, settings.ENVIRONMENT)
        return gone

    def _say(self, gone: Counter[str], asked: dict[str, Any]) -> None:
        if not _is_something(gone):
            if gone.total():
                self.stdout.write(f"Left over from a run that was cut short: {_listed(gone)}.")
            name = f"{asked['type']} {asked['key']}" if asked["type"] else f"key {asked['key']}"
            raise Sentence(f"Nothing is known of {name}{_where(asked)}: nothing was erased.")
        self.stdout.write(f"Erased: {_listed(gone)}.")
        self.stdout.write(AGAIN)


def _found(connection: psycopg.Connection, asked: dict[str, Any]) -> list[Found]:
    """The flows of this key, and of this type where one was asked for, that the store or a frozen copy knows."""
    rules = rulebook.load(connection, settings.ENVIRONMENT)
    copied = {
        Found(one.flow_id, KINDS[one.kind], one.type, one.key, one.environment, is_copied=True)
        for one in cleaning.flows(connection, asked["key"], rules)
        if asked["type"] in (None, one.type)
    }
    stored = [
        Found(identity, kind, type, key, environment, records)
        for identity, kind, type, key, environment, *records in connection.execute(_FLOWS, asked)
    ]
    there = {one.flow_id for one in stored}
    return sorted((*stored, *(one for one in copied if one.flow_id not in there)), key=_order)


def _order(one: Found) -> tuple[str, str, int]:
    return one.type, one.environment, one.kind


def _named(asked: dict[str, Any]) -> list[Found]:
    """The flows that a type and a key would be, though nothing of them is there but a name."""
    if asked["type"] is None:
        return []
    environment = asked["environment"] or settings.ENVIRONMENT
    kinds = sorted(KINDS) if asked["kind"] is None else [_kind(asked["kind"])]
    name = asked["type"], asked["key"], environment
    return [Found(flow_id(kind, *name), KINDS[kind], *name) for kind in kinds]


def _known(one: Found) -> str:
    if one.records is not None:
        spans, logs, chapters = one.records
        return f"{spans:,} spans and {logs:,} logs that carry its key, in {chapters:,} chapters"
    if one.is_copied:
        return "no longer stored; what frozen copies have of it"
    return "neither stored nor in a frozen copy; what is written of it"


def _is_something(gone: Counter[str]) -> bool:
    return any(count for name, count in gone.items() if name not in LEFT_OVER)


def _target(one: Found) -> Target:
    elsewhere = "" if one.environment == settings.ENVIRONMENT else one.environment
    return Target(one.flow_id, one.type, one.key, flow_path(one.kind, one.type, one.key, elsewhere))


def _asked(options: dict[str, Any]) -> dict[str, Any]:
    named, key = options["flow"], options["key"]
    if (key is None) == (not named) or (named and len(named) != 2):
        raise Sentence(
            "Say which flow, as in `forget order 4711`, or `forget --key 4711` for all with that key."
        )
    kind = KINDS[options["kind"]] if options["kind"] else None
    type, key = (named[0], named[1]) if named else (None, key)
    return {"type": type, "key": key, "environment": options["env"], "kind": kind}


def _confirm() -> None:
    try:
        answer = input("Erase them for good? Type yes: ")
    except EOFError:
        answer = ""
    if answer.strip().lower() != "yes":
        raise Sentence("Nothing was erased. Say --yes where nobody can answer.")


def _listed(counts: Counter[str]) -> str:
    told = ((counts[name], one, many) for name, (one, many) in WORDS.items() if counts[name])
    return ", ".join(f"{count:,} {one if count == 1 else many}" for count, one, many in told)


def _kind(number: int) -> str:
    return next(name for name, one in KINDS.items() if one == number)


def _where(asked: dict[str, Any]) -> str:
    return f" in {asked['environment']}" if asked["environment"] else ""
