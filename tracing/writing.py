"""One transaction: a set of decoded records into the tables, each exactly once, and what follows from them.

Records that are new go straight in by COPY; on a conflict the same rows are staged and inserted where absent,
and only what came back is folded. `tracing.storing` decides what shares a transaction and what is tried again.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from operator import attrgetter
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg import sql

from tracing import copying, rulebook, summing
from tracing.correlation import Rulebook
from tracing.flows import Fold
from tracing.partitions import is_catch_all
from tracing.records import DAY_NS, Log, Resource, Scope, Span, day_of

Cursor = psycopg.Cursor[tuple[Any, ...]]
# Rows a part: small enough that the database works on one while the next is made.
PART = 128
HOUR_NS = 3_600_000_000_000

# Two statements: one that waits for the lock would read the version of a moment before it had it.
_LOCK = "SELECT pg_advisory_xact_lock_shared(%s)"
_BEGIN = "SELECT pg_current_xact_id()::text::bigint, rule_version FROM installation"
# Also where the day is the same the row is written: by that `unused` sees that somebody relies on it.
_RESOURCES = """
INSERT INTO resource (resource_id, attributes, dropped, schema_url, service, environment, last_day)
VALUES (%s, %s::jsonb, %s, %s, %s, %s, %s)
ON CONFLICT (resource_id) DO UPDATE SET last_day = greatest(resource.last_day, excluded.last_day)
"""
_SCOPES = """
INSERT INTO scope (scope_id, name, version, attributes, dropped, schema_url, last_day)
VALUES (%s, %s, %s, %s::jsonb, %s, %s, %s)
ON CONFLICT (scope_id) DO UPDATE SET last_day = greatest(scope.last_day, excluded.last_day)
"""
_SPAN_KEY: LiteralString = "trace_id, span_id, start_ns, digest"
_INSERT_ABSENT = """
INSERT INTO {table} ({columns}) SELECT {columns} FROM {stage} ORDER BY day, {key} ON CONFLICT DO NOTHING RETURNING {key}
"""
# `day.last_received_ns` keeps a late day from being dropped; an hour's precision is enough for that.
_DAYS = """
INSERT INTO day (day, last_received_ns) SELECT n, %s FROM unnest(%s::int[]) AS n ORDER BY n
ON CONFLICT (day) DO UPDATE SET last_received_ns = greatest(day.last_received_ns, excluded.last_received_ns)
WHERE day.dropped_ns IS NULL AND NOT day.exchanging RETURNING day
"""


class DayClosed(Exception):
    """Retention closed a day between our look and our write: what was written of it would go with it."""


class Stamp(NamedTuple):
    """What every record of a transaction is stored with."""

    rule_version: int
    received_ns: int
    xid: int


class Writer:
    """A connection that stores. Not shared between threads; `known` spares repeated look-ups."""

    def __init__(self, connection: psycopg.Connection, environment: str, *, live: bool = True) -> None:
        self.connection = connection
        self._live = live
        self._environment = environment
        self._rules: Rulebook | None = None
        self._known: dict[bytes, int] = {}  # the last day that committed resources and scopes are noted for
        self._day_hours: dict[int, int] = {}

    def write(self, spans: Sequence[Span], logs: Sequence[Log], received_ns: int) -> list[Span | Log]:
        """Store records whose days exist; returns those that were there already. Raises psycopg's errors and DayClosed."""
        try:
            return self._write(spans, logs, received_ns, staged=False)
        except psycopg.errors.UniqueViolation:
            # Rare, and a savepoint around every COPY costs two answers of the database: all of it again instead.
            return self._write(spans, logs, received_ns, staged=True)

    def _write(
        self, spans: Sequence[Span], logs: Sequence[Log], received_ns: int, *, staged: bool
    ) -> list[Span | Log]:
        with self._transaction() as cursor:
            xid, version = self._begin(cursor)
            rules = self._rules_at(version)
            noted = self._write_senders(cursor, spans, logs, received_ns)
            days = self._note_days(cursor, spans, logs, received_ns)
            stamp = Stamp(rules.version, received_ns, xid)
            fold, spans_again = self._write_spans(cursor, spans, rules, stamp, staged)
            logs_again = self._write_logs(cursor, logs, rules, fold, stamp, staged)
            summing.add(cursor, fold, xid, "COMMIT")
            if cursor.statusmessage != "COMMIT":
                raise psycopg.OperationalError("the transaction was not committed")
        self._known |= noted
        self._day_hours |= days
        again: list[Span | Log] = [*spans_again, *logs_again]
        # What an import repeats nobody sent again.
        if again and self._live:
            self._note_again(fold)
        return again

    @contextmanager
    def _transaction(self) -> Iterator[Cursor]:
        """Begins and commits with the statements inside: each answer waited for costs a turn on a busy processor."""
        with self.connection.cursor() as cursor:
            try:
                yield cursor
            except BaseException:
                if not self.connection.closed:
                    self.connection.rollback()
                raise

    def _begin(self, cursor: Cursor) -> tuple[int, int]:
        """The transaction's number, and the version of the rules it holds for."""
        with self.connection.pipeline():
            self.connection.execute("BEGIN")
            self.connection.execute(_LOCK, (rulebook.RULES_LOCK,))
            cursor.execute(_BEGIN)
        return cursor.fetchone() or (0, 0)

    def _note_again(self, fold: Fold) -> None:
        """Count the repeats. They are for people to see: what was stored stays stored if this cannot be."""
        with suppress(psycopg.Error), self.connection.transaction(), self.connection.cursor() as cursor:
            summing.add_again(cursor, fold)

    def _rules_at(self, version: int) -> Rulebook:
        if self._rules is None or self._rules.version != version:
            self._rules = rulebook.load(self.connection, self._environment)
            # A resource may have gone (`unused`): whoever does so makes another version.
            self._known.clear()
        return self._rules

    def _write_senders(
        self, cursor: Cursor, spans: Sequence[Span], logs: Sequence[Log], received_ns: int
    ) -> dict[bytes, int]:
        """Resources and scopes, once a day each: retention takes those whose last day is gone."""
        if len(self._known) > 50_000:
            self._known.clear()
        resources: dict[bytes, Resource] = {}
        scopes: dict[bytes, Scope] = {}
        resource: Resource | None = None
        scope: Scope | None = None
        for record in all_records(spans, logs):
            if (
                record.scope is not scope or record.resource is not resource
            ):  # records come in runs of one sender
                resource, scope = record.resource, record.scope
                resources[resource.resource_id] = resource
                scopes[scope.scope_id] = scope
        last_day = max(day for day in {day_of(received_ns), *days_of(spans, logs)} if not is_catch_all(day))
        new_resources, new_scopes = self._to_note(resources, last_day), self._to_note(scopes, last_day)
        for resource_id in new_resources:
            cursor.execute(_RESOURCES, (*_resource_row(resources[resource_id]), last_day))
        for scope_id in new_scopes:
            cursor.execute(_SCOPES, (*_scope_row(scopes[scope_id]), last_day))
        return dict.fromkeys((*new_resources, *new_scopes), last_day)

    def _to_note(self, ids: Iterable[bytes], last_day: int) -> list[bytes]:
        return sorted(one for one in ids if self._known.get(one, -1) < last_day)

    def _write_spans(
        self, cursor: Cursor, spans: Sequence[Span], rules: Rulebook, stamp: Stamp, staged: bool
    ) -> tuple[Fold, list[Span]]:
        """The fold of the new ones, and those that were there already."""
        # Of equal ones the first stays, as it would if they came one after the other.
        by_key = dict(zip(map(_span_key, reversed(spans)), reversed(spans), strict=True))
        # Of one day, as a rule: then the keys' own order is the order by day.
        one_day = len(days_of(spans, ())) < 2
        fresh = [by_key[key] for key in sorted(by_key, key=None if one_day else _span_order)]
        fold = Fold(self._environment, stamp.received_ns, live=self._live)
        if not staged:
            _copy(cursor, _into("span", copying.SPAN_COLUMNS), _folding(fresh, rules, stamp, fold))
        else:
            rows = [copying.span_row(span, *stamp) for span in fresh]
            new = self._insert_absent(cursor, "span", copying.SPAN_COLUMNS, _SPAN_KEY, rows)
            fresh = [by_key[key] for key in new]
            _take_spans(fold, fresh, rules)
        self._write_links(cursor, fresh)
        again = _others(spans, fresh)
        for span in again:
            fold.take_again(span.trace_id, "", span.day, rules.read_span(span))
        return fold, again

    def _write_logs(
        self,
        cursor: Cursor,
        logs: Sequence[Log],
        rules: Rulebook,
        fold: Fold,
        stamp: Stamp,
        staged: bool,
    ) -> list[Log]:
        by_key = {(log.log_id, log.day): log for log in reversed(logs)}
        fresh = [by_key[key] for key in sorted(by_key, key=_log_order)]
        rows = [copying.log_row(log, *stamp) for log in fresh]
        if not staged:
            _copy(cursor, _into("log", copying.LOG_COLUMNS), rows)
        else:
            new = self._insert_absent(cursor, "log", copying.LOG_COLUMNS, "log_id, day", rows)
            fresh = [by_key[key] for key in new]
        for log in fresh:
            fold.take_log(log, rules.read_log(log))
        again = _others(logs, fresh)
        for log in again:
            fold.take_again(log.trace_id, log.resource.service, log.day, rules.read_log(log))
        return again

    def _insert_absent(
        self,
        cursor: Cursor,
        table: LiteralString,
        columns: LiteralString,
        key: LiteralString,
        rows: list[bytes],
    ) -> list[tuple[Any, ...]]:
        """Insert packed rows that are not there yet; the keys of those that were not."""
        if not rows:
            return []
        stage = sql.Identifier(f"stage_{table}")
        names = {
            "stage": stage,
            "table": sql.Identifier(table),
            "columns": sql.SQL(columns),
            "key": sql.SQL(key),
        }
        cursor.execute(sql.SQL("CREATE TEMP TABLE {stage} (LIKE {table}) ON COMMIT DROP").format(**names))
        _copy(cursor, sql.SQL("COPY {stage} ({columns}) FROM STDIN (FORMAT binary)").format(**names), rows)
        cursor.execute(sql.SQL(_INSERT_ABSENT).format(**names))
        return cursor.fetchall()

    def _write_links(self, cursor: Cursor, spans: Sequence[Span]) -> None:
        rows = [row for span in spans if span.links for row in copying.link_rows(span)]
        if rows:
            _copy(cursor, sql.SQL(f"COPY link ({copying.LINK_COLUMNS}) FROM STDIN (FORMAT binary)"), rows)

    def _note_days(
        self, cursor: Cursor, spans: Sequence[Span], logs: Sequence[Log], received_ns: int
    ) -> dict[int, int]:
        hour = received_ns // HOUR_NS
        days = days_of(spans, logs)
        moved = sorted(day for day in days if not is_catch_all(day) and self._day_hours.get(day, -1) < hour)
        if moved:
            open_days = cursor.execute(_DAYS, (received_ns, moved)).fetchall()
            if len(open_days) < len(moved):
                raise DayClosed
        return dict.fromkeys(moved, hour)


def _into(table: LiteralString, columns: LiteralString) -> sql.Composed:
    return sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(sql.Identifier(table), sql.SQL(columns))


def _copy(cursor: Cursor, statement: sql.SQL | sql.Composed, parts: Iterable[bytes]) -> None:
    remaining = iter(parts)
    first = next(remaining, None)
    if first is None:
        return
    with cursor.copy(statement) as copy:
        copy.write(copying.HEADER + first)
        for part in remaining:
            copy.write(part)
        copy.write(copying.TRAILER)


def _folding(spans: Sequence[Span], rules: Rulebook, stamp: Stamp, fold: Fold) -> Iterator[bytes]:
    """Packed rows, a part at a time: while the database takes one in, its spans are read and folded."""
    for start in range(0, len(spans), PART):
        part = spans[start : start + PART]
        yield b"".join([copying.span_row(span, *stamp) for span in part])
        _take_spans(fold, part, rules)


def _take_spans(fold: Fold, spans: Sequence[Span], rules: Rulebook) -> None:
    fold.take_spans(spans, list(map(rules.read_span, spans)))


def days_of(spans: Sequence[Span], logs: Sequence[Log]) -> set[int]:
    """The days these records belong to."""
    days = {span.start_ns // DAY_NS for span in spans}
    return days | {log.time_ns // DAY_NS for log in logs}


def all_records(spans: Sequence[Span], logs: Sequence[Log]) -> Iterator[Span | Log]:
    yield from spans
    yield from logs


_span_key = attrgetter("trace_id", "span_id", "start_ns", "digest")


# By day first: COPY fills one partition after the other, and two transactions must meet every key in one order.
def _span_order(key: tuple[bytes, bytes, int, bytes]) -> tuple[int, tuple[bytes, bytes, int, bytes]]:
    return day_of(key[2]), key


def _log_order(key: tuple[bytes, int]) -> tuple[int, bytes]:
    return key[1], key[0]


def _others(records: Sequence[Any], taken: Sequence[Any]) -> list[Any]:
    if len(records) == len(taken):
        return []
    ids = {id(record) for record in taken}
    return [record for record in records if id(record) not in ids]


def _resource_row(resource: Resource) -> tuple[Any, ...]:
    text = resource.attributes_json.decode()
    return (
        resource.resource_id,
        text,
        min(resource.dropped, 2**31 - 1),
        resource.schema_url,
        resource.service,
        resource.environment,
    )


def _scope_row(scope: Scope) -> tuple[Any, ...]:
    text = scope.attributes_json.decode()
    return (scope.scope_id, scope.name, scope.version, text, min(scope.dropped, 2**31 - 1), scope.schema_url)
