"""A file that is only looked at: laid out as the store would have it and kept aside for a while, none of it stored.

`snapshots.trying` lays it out, in tables that nobody else sees; what comes of it is a frozen copy, of every flow and
request that the file's records make. Retention and the judge have nothing to do with it.
"""

from collections.abc import Iterator
from dataclasses import replace

import psycopg

from tracing import rulebook, senders
from tracing.clock import now_ns
from tracing.correlation import Rulebook
from tracing.files.keeping import Kept
from tracing.files.reading import batches
from tracing.files.unpacking import Stream
from tracing.lengths import DAY_NS
from tracing.otlp.decode import Decoding
from tracing.records import Batch
from tracing.redaction import Redaction
from tracing.snapshots import keeping, trying
from tracing.snapshots.belonging import MOST_RECORDS, TooLarge

ASIDE_NS = DAY_NS  # how long it can be looked at
SUBJECT = "file"


class NothingInIt(Exception):
    """The file could be read, and no record of it can be shown."""


def look(
    conninfo: str,
    stream: Stream,
    kept: Kept,
    about: keeping.About,
    environment: str,
    redaction: Redaction,
    quota_bytes: int,
    most_bytes: int = 0,
) -> int:
    """The id of the copy; `kept` says what was read and refused, and names the flows.

    Raises `reading.Unreadable`, `NothingInIt`, `belonging.TooLarge` and `keeping.QuotaFull`, and then nothing is kept.
    """
    with (
        psycopg.connect(conninfo, autocommit=True) as connection,
        # What is forgotten meanwhile is found in it afterwards.
        keeping.undisturbed(connection),
    ):
        rules = rulebook.load(connection, environment)
        ((key,),) = connection.execute("SELECT digest_key FROM installation").fetchall()
        how = Decoding("json", bytes(key), now_ns(), redaction, senders.IMPORT)
        copy = trying.lay_out(conninfo, _read(stream, how, kept, rules, most_bytes), environment)
        if not copy.records:
            raise NothingInIt("None of its records can be shown.")
        taken_ns = now_ns()
        return keeping.keep(
            connection, copy, replace(about, expires_ns=taken_ns + ASIDE_NS), taken_ns, quota_bytes
        )


def _read(stream: Stream, how: Decoding, kept: Kept, rules: Rulebook, most_bytes: int) -> Iterator[Batch]:
    for batch in batches(stream, how, kept.account, most_bytes):
        if kept.account.records > MOST_RECORDS:
            raise TooLarge(kept.account.records)
        kept.name(batch, rules)
        yield batch
