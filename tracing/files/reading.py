"""A file of spans and logs as batches of decoded records, without storing any (no database).

Its form is seen from its content: OTLP JSON or Jaeger JSON, one document, an array, or JSON Lines, gzip or not. What
cannot be read is accounted for by line and reason and costs nothing beside it. `keeping` stores the batches; whoever
wants to look at a file only takes them from here.
"""

import re
from collections.abc import Iterator
from typing import Any

from tracing.files import downloads, jaegerfile, kinds
from tracing.files.account import Account
from tracing.files.unpacking import LINE, Stream, TooLong, lines
from tracing.otlp.attributes import Malformed
from tracing.otlp.decode import Decoding, Reader, TooMany
from tracing.otlp.json import parse
from tracing.otlp.limits import MAX_BYTES
from tracing.records import Batch

# Records a batch: what the store likes to take at once, however small the lines are.
TOGETHER = 4_000
# In a file that may not be of any size: so many more short lines without a record than records, after which it is taken for
# another kind; and the lines of one document. A small packed file may hold millions.
MOST_FOREIGN = 100_000
MOST_WHOLE = 4_000_000
SHORT_LINE = 200
_MIB = MAX_BYTES // 2**20
_LONG_LINE = f"a line is longer than {_MIB} MiB"
_LONG_DOCUMENT = f"the file is one JSON document of more than {_MIB} MiB; as JSON Lines, a request a line, it may have any size"
_WHERE = re.compile(r": line \d+ column \d+ \(char \d+\)$")
_BEGINNINGS, _ENDS = (downloads.SPANS_BEGIN, jaegerfile.BEGIN), (downloads.END, jaegerfile.END)


class Unreadable(Exception):
    """Nothing of the file can be read; the sentence says why."""


def batches(stream: Stream, how: Decoding, account: Account, most_bytes: int = 0) -> Iterator[Batch]:
    """The records of a file in batches, each made when it is asked for. Raises `Unreadable` before the first."""
    together = Batch(transport=how.transport, received_ns=how.received_ns)
    documents = _documents(lines(stream, account, most_bytes), account, is_bounded=most_bytes > 0)
    for batch in _counted(documents, how, account):
        together.spans += batch.spans
        together.logs += batch.logs
        together.refusals += batch.refusals
        if len(together.spans) + len(together.logs) >= TOGETHER:
            yield together
            together = Batch(transport=how.transport, received_ns=how.received_ns)
    if not account.form and not account.documents and not account.refused:
        raise Unreadable(_nothing(account))
    if not account.records and not account.form:
        raise Unreadable(" ".join((_foreign(account), *account.notes)))
    if together.spans or together.logs or together.refusals:
        yield together


def _while_any(found: Iterator[LINE], account: Account) -> Iterator[LINE]:
    """The lines, as long as there are records in them. What asks for the next one has read the one before."""
    foreign = 0
    for number, line in found:
        before = account.records
        yield number, line
        # A long line costs as its bytes do, which are bounded: a collector's file may hold more metrics than spans.
        is_short = isinstance(line, TooLong) or len(line) < SHORT_LINE
        foreign += is_short and account.records == before
        if foreign > MOST_FOREIGN + account.records:
            account.note(
                f"Of the first {number:,} lines {foreign:,} short ones hold neither spans nor logs; the rest was not read."
                " `manage.py import` reads all of it."
            )
            return


def _nothing(account: Account) -> str:
    return " ".join(("It is empty.", *account.notes)) if account.notes else "It is empty."


def _foreign(account: Account) -> str:
    if not account.refused:
        return "It holds no spans and no logs."
    _, reason, where = account.refusals()[0]
    return f"It holds neither OTLP JSON nor Jaeger JSON: {f'{where}: ' if where else ''}{reason}."


def _counted(documents: Iterator[tuple[str, Any]], how: Decoding, account: Account) -> Iterator[Batch]:
    """Decoded documents, with everything counted that was in them."""
    for place, document in documents:
        account.documents += 1
        for batch in _decoded(place, document, how, account):
            account.spans += len(batch.spans)
            account.logs += len(batch.logs)
            for refusal in batch.refusals:
                account.refuse(refusal.reason, place, refusal.count)
            yield batch


def _decoded(place: str, document: Any, how: Decoding, account: Account) -> Iterator[Batch]:
    """The batches of one document; its equal logs are told apart by their ordinals in it."""
    reader = Reader(how)
    for request in kinds.requests(document, place, account):
        try:
            yield from reader.read(request)
        except (Malformed, TooMany) as error:
            account.refuse(str(error), place)
    yield reader.rest()


def _documents(found: Iterator[LINE], account: Account, *, is_bounded: bool) -> Iterator[tuple[str, Any]]:
    """Place and content of each JSON document."""
    first = next(found, None)
    watched = _while_any(found, account) if is_bounded else found
    if first is None:
        return
    _, line = first
    if line in _BEGINNINGS:
        account.form = kinds.OTLP if line == downloads.SPANS_BEGIN else kinds.JAEGER
        yield from _laid_out(watched, account)
    elif isinstance(line, bytes) and _is_open(line):
        yield from _whole(line, found, account, MOST_WHOLE if is_bounded else 0)
    else:
        yield from _each(first, watched, account)


def _is_open(line: bytes) -> bool:
    """Whether a document begins here that goes on in the next lines."""
    return line[:1] in (b"{", b"[") and line[-1:] in b"{[,:"


def _each(first: LINE, rest: Iterator[LINE], account: Account) -> Iterator[tuple[str, Any]]:
    """JSON Lines; a single one is a document of one line."""
    number, line = first
    following = next(rest, None)
    if following is None and isinstance(line, TooLong):
        account.refuse(_LONG_DOCUMENT)
        return
    if following is None and isinstance(line, bytes):
        yield from _parsed("", line, account)
        return
    yield from _line(number, line, account)
    if following:
        yield from _line(*following, account)
    for number, line in rest:
        yield from _line(number, line, account)


def _line(number: int, line: bytes | TooLong, account: Account) -> Iterator[tuple[str, Any]]:
    if isinstance(line, TooLong):
        account.refuse(_LONG_LINE, f"line {number}")
    else:
        yield from _parsed(f"line {number}", line, account)


def _whole(
    first: bytes, rest: Iterator[LINE], account: Account, most_lines: int
) -> Iterator[tuple[str, Any]]:
    """One document over several lines; of at most so many, unless that is 0."""
    held, size = [first], len(first)
    for _, line in rest:
        if most_lines and len(held) >= most_lines:
            account.refuse(f"the file is one JSON document of more than {most_lines:,} lines")
            return
        size += MAX_BYTES if isinstance(line, TooLong) else len(line) + 1
        if size > MAX_BYTES or isinstance(line, TooLong):
            account.refuse(_LONG_DOCUMENT)
            return
        held.append(line)
    yield from _parsed("", b"\n".join(held), account)


def _laid_out(rest: Iterator[LINE], account: Account) -> Iterator[tuple[str, Any]]:
    """A file that we wrote ourselves: a resource's records a line, or a trace, and any number of lines."""
    ended = False
    for number, line in rest:
        if line in _ENDS:
            ended = True
            continue
        if line == downloads.LOGS_BEGIN:
            continue
        content = line if isinstance(line, TooLong) else line.removesuffix(b",")
        yield from _line(number, content, account)
    if not ended:
        account.note("The file ends before its end; what came before was read.")


def _parsed(place: str, text: bytes, account: Account) -> Iterator[tuple[str, Any]]:
    try:
        yield place, parse(text)
    except (Malformed, TooMany) as error:
        sentence = str(error).replace("the body is not JSON", "this is not JSON")
        # Where in its line it is matters less than which line, and would make a reason of each.
        account.refuse(_WHERE.sub("", sentence) if place else sentence, place)
