"""`manage.py forget`: erases a flow, or every flow with a key: its records wherever they count, and what was said of it.

`tracing.erasing` does it. What will go is told and asked about first; what went is told by table.
"""

from collections import Counter
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from tracing import auditing, erasing
from tracing.database import conninfo
from tracing.forgetting import count_flows
from tracing.management import waiting
from tracing.noting import KINDS
from tracing.sentence import Sentence
from tracing.striking import Target
from tracing.watch.wording import flow_path

_FLOWS = """
SELECT flow_id, kind, type, key, environment, spans, logs, chapters FROM flow
WHERE lower(key) = lower(%(key)s) AND key = %(key)s AND (%(type)s::text IS NULL OR type = %(type)s)
AND (%(environment)s::text IS NULL OR environment = %(environment)s) AND (%(kind)s::int IS NULL OR kind = %(kind)s)
ORDER BY type, environment, kind
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
    "counted anew": ("flow or request counted anew", "flows and requests counted anew"),
}
AGAIN = "What is sent again later counts again: whoever still has these records can bring them back."


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
            flows = connection.execute(_FLOWS, asked).fetchall()
            self._check(connection, flows, asked, every=options["key"] is not None)
            self._tell(connection, flows)
            if flows and not options["yes"]:
                _confirm()
            gone: Counter[str] = Counter()
            for flow in flows:
                gone += erasing.erase(connection, _target(flow), settings.ENVIRONMENT)
                # The key is what was to be forgotten: the audit says that, and of which type.
                auditing.note(auditing.TERMINAL, "flow forgotten", flow[2], flow[4])
        self._say(gone)

    def _check(
        self,
        connection: psycopg.Connection,
        flows: list[tuple[Any, ...]],
        asked: dict[str, Any],
        *,
        every: bool,
    ) -> None:
        if not flows:
            left = erasing.finish(connection, settings.ENVIRONMENT)
            if left:
                self.stdout.write(f"Counted anew after a run that was cut short: {left}.")
            name = f"{asked['type']} {asked['key']}" if asked["type"] else f"key {asked['key']}"
            raise Sentence(f"Nothing is known of {name}{_where(asked)}: nothing was erased.")
        if len(flows) > 1 and not every:
            places = ", ".join(f"{_kind(flow)} in {flow[4]}" for flow in flows)
            raise Sentence(
                f"{asked['type']} {asked['key']} is several flows ({places}): choose with --env or --kind."
            )

    def _tell(self, connection: psycopg.Connection, flows: list[tuple[Any, ...]]) -> None:
        for flow_id, _, type, key, environment, spans, logs, chapters in flows:
            self.stdout.write(
                f"{type} {key} ({environment}): {spans:,} spans and {logs:,} logs that carry its key, in"
                f" {chapters:,} chapters"
            )
            with connection.cursor() as cursor:
                said = count_flows(cursor, [flow_id])
            self.stdout.write(f"  with it: {_listed(said) or 'nothing else'}")
        self.stdout.write(
            "These records go from every request, flow and frozen copy that has them, and the flows that shared them are"
            " counted anew; its name goes out of links, pins, problems and the audit. A record that only mentions the"
            " key in its text, without carrying it, stays."
        )

    def _say(self, gone: Counter[str]) -> None:
        self.stdout.write(f"Erased: {_listed(gone) or 'nothing'}.")
        self.stdout.write(AGAIN)


def _target(flow: tuple[Any, ...]) -> Target:
    flow_id, kind, type, key, environment = flow[:5]
    elsewhere = "" if environment == settings.ENVIRONMENT else environment
    return Target(flow_id, type, key, flow_path(kind, type, key, elsewhere))


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


def _kind(flow: tuple[Any, ...]) -> str:
    return next(name for name, number in KINDS.items() if number == flow[1])


def _where(asked: dict[str, Any]) -> str:
    return f" in {asked['environment']}" if asked["environment"] else ""
