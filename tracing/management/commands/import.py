"""`manage.py import FILE…`: OTLP JSON and Jaeger JSON into the store, also packed by gzip; `-` is the standard input.

`tracing.files` reads and stores; here is what is printed. Files that cannot be read are said at the end, exit code 2.
"""

import contextlib
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.core.management.base import BaseCommand

from tracing import auditing, senders
from tracing.database import conninfo
from tracing.files.keeping import Importer, Kept
from tracing.files.reading import Unreadable
from tracing.mentions import Flow
from tracing.redaction import Redaction
from tracing.sentence import Sentence
from tracing.storing import Unavailable
from tracing.unavailable import AWAY
from tracing.watch.wording import KIND_WORDS, flow_path

MOST_NAMED = 10  # flows whose addresses are printed


class Command(BaseCommand):
    help = "Store files of OTLP JSON (a request, an array, or JSON Lines) or Jaeger JSON; gzip or not."
    requires_system_checks: list[str] = []  # noqa: RUF012  (Django's own declaration)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", metavar="FILE", nargs="+", help="a file, or - for the standard input")

    def handle(self, *args: Any, **options: Any) -> None:
        importer = Importer(
            conninfo(settings.DATABASES["default"]),
            settings.ENVIRONMENT,
            settings.MAX_DAYS,
            Redaction(settings.REDACT),
        )
        troubles: list[str] = []
        try:
            for name in options["files"]:
                troubles += self._keep(importer, name)
        finally:
            importer.close()
            senders.shared().flush()
        if troubles:
            raise Sentence(" ".join(troubles))

    def _keep(self, importer: Importer, name: str) -> list[str]:
        """Store one file and say what became of it; a sentence where it could not be read."""
        kept = Kept()
        try:
            with opened(name) as stream:
                importer.keep(stream, kept)
        except OSError as error:
            return [f"{name} cannot be read: {error.strerror or error}."]
        except Unreadable as error:
            return [f"{name} cannot be read. {error}"]
        except Unavailable as trouble:
            self._say(name, kept)
            return [f"{trouble} Run the import again: what is stored already is not stored twice."]
        finally:
            if kept.account.form:  # else it could not be read, and nothing of it is stored
                _note(name, kept)
        self._say(name, kept)
        return []

    def _say(self, name: str, kept: Kept) -> None:
        account = kept.account
        refused = account.refused.total()
        self.stdout.write(
            f"{name}: {account.form or 'nothing'}, {account.spans:,} spans and {account.logs:,} logs read,"
            f" {kept.stored:,} stored, {kept.again:,} already there, {refused:,} refused."
        )
        for sentence in account.notes:
            self.stdout.write(f"  {sentence}")
        for count, reason, where in account.refusals():
            self.stdout.write(f"  refused {count:,}: {reason}{f' ({where})' if where else ''}")
        for path in paths(kept)[:MOST_NAMED]:
            self.stdout.write(f"  {settings.URL if settings.HAS_URL else ''}{path}")


def _note(name: str, kept: Kept) -> None:
    with contextlib.suppress(*AWAY):  # what the database cannot take the audit cannot have
        auditing.note(auditing.TERMINAL, "file imported", Path(name).name, kept.told)


def opened(name: str) -> BinaryIO:
    return sys.stdin.buffer if name == "-" else Path(name).open("rb")


def paths(kept: Kept) -> list[str]:
    """Where to look: the flows that most records name, else the traces."""
    if kept.flows:
        return [_path(flow) for flow, _ in kept.flows.most_common(MOST_NAMED)]
    return [f"/trace/{trace.hex()}" for trace, _ in kept.traces.most_common(MOST_NAMED)]


def _path(flow: Flow) -> str:
    environment = "" if flow.environment == settings.ENVIRONMENT else flow.environment
    return flow_path(KIND_WORDS.index(flow.kind), flow.type, flow.key, environment)
