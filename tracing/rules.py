"""Rules as people change them: publish, switch, preview, apply to what is stored, undo, and what the page shows.

Publishing takes the advisory lock that every storing transaction shares, so a version is either before or after
a transaction, never in the middle. Applying and undoing are jobs that `tracing.reapply` works off in the watcher.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.conf import settings
from django.db import OperationalError, connection, transaction

from tracing import mentions, rulebook
from tracing.correlation import Rulebook
from tracing.database import conninfo
from tracing.keys import INFRASTRUCTURE
from tracing.models import Rule, RuleJob
from tracing.reading import newest_records
from tracing.records import Span
from tracing.unfit import Unfit

PREVIEW_RECORDS = 200_000
PREVIEW_SECONDS = 4.0
SHARED_PATIENCE_MS = 1_000

_OF_FLOWS = "SELECT rule_id, count(*), sum(spans + logs), max(spans + logs) FROM flow GROUP BY rule_id"
_OF_MEMBERS = """
SELECT rule_id, count(*), sum(records), max(records) FROM (
    SELECT rule_id, flow_id, sum(length(span_ids) / 8 + length(log_ids) / 16) AS records
    FROM member WHERE rule_id = ANY(%s) GROUP BY rule_id, flow_id
) AS made GROUP BY rule_id
"""


@dataclass(slots=True)
class Preview:
    """What a rule would have grouped. `complete` is False where only the newest records were looked at."""

    records: int = 0
    flows: int = 0
    known: int = 0  # of these flows, how many other rules have made already
    looked_at: int = 0
    complete: bool = True
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Statistics:
    """What a rule made, from the flows' rows. `warning` is a sentence, or empty."""

    flows: int = 0
    records: int = 0
    largest: int = 0
    warning: str = ""


def check(rule: Rule) -> None:
    """Raises Unfit for a rule that can never match, or matches what no business rule may."""
    if not rule.type and not rule.type_attributes:
        raise Unfit("type", "Say what the flows are called: a type, or an attribute that names it.")
    if not rule.keys or not all(rule.keys):
        raise Unfit("keys", "Name at least one attribute that holds the key, for example order.id.")
    for name in (name for names in rule.keys for name in names):
        if name.split(".", 1)[0] in INFRASTRUCTURE:
            raise Unfit("keys", f"{name} names a machine, not a matter: its namespace never makes a flow.")
        if not name.strip() or len(name) > 200:
            raise Unfit("keys", "An attribute's name has between 1 and 200 characters.")


def publish(rule: Rule) -> Rule:
    """Save a new or changed rule and make it the one for all records stored from now on. Raises Unfit."""
    check(rule)
    with transaction.atomic():
        rule.since_version = _next_version()
        rule.save()
        # What is left of it would be grouped by a rule that nobody looked at.
        _end_jobs(rule, ["apply"], "The rule was changed meanwhile: apply it again.")
    return rule


def switch(rule: Rule, enabled: bool) -> Rule:
    """Switch a rule on or off for what arrives from now on; what it grouped stays until it is undone."""
    rule.enabled = enabled
    return publish(rule)


def apply(rule: Rule) -> RuleJob:
    """Queue the rule for the records stored before it took effect."""
    with transaction.atomic():
        rule.since_version = _next_version()
        rule.enabled = True
        rule.save()
        _end_jobs(rule, ["apply", "undo"], "Replaced by a newer job.")
        return RuleJob.objects.create(
            rule=rule, action="apply", version=rule.since_version, total=_stored_records()
        )


def undo(rule: Rule) -> RuleJob:
    """Switch the rule off and queue the removal of everything it grouped."""
    with transaction.atomic():
        rule.since_version = _next_version()
        rule.enabled = False
        rule.save()
        _end_jobs(rule, ["apply", "undo"], "Replaced by a newer job.")
        total = _one("SELECT count(DISTINCT flow_id) FROM member WHERE rule_id = %s", [rule.pk])
        # What the rule groups from now on, should it be switched on again, is not this job's to take.
        before = {"before_xid": _one("SELECT pg_snapshot_xmax(pg_current_snapshot())::text", [])}
        return RuleJob.objects.create(
            rule=rule, action="undo", version=rule.since_version, total=total, cursor=before
        )


def preview(rule: Rule) -> Preview:
    """What the rule would have grouped of what is stored, newest first, within a few seconds."""
    check(rule)
    book = Rulebook([as_value(rule, 1)], settings.ENVIRONMENT)
    found = Preview()
    flows: set[mentions.Flow] = set()
    until = time.monotonic() + PREVIEW_SECONDS
    with _reader() as reader:
        for record in newest_records(reader):
            found.looked_at += 1
            said = book.read_span(record) if isinstance(record, Span) else book.read_log(record)
            if said.mentions:
                found.records += 1
                flows |= {mention.flow for mention in said.mentions}
            if found.looked_at >= PREVIEW_RECORDS or (
                found.looked_at % 512 == 0 and time.monotonic() > until
            ):
                found.complete = False
                break
    found.flows = len(flows)
    found.known = _one(
        "SELECT count(*) FROM flow WHERE flow_id = ANY(%s)", [[flow.flow_id for flow in flows]]
    )
    found.examples = sorted(f"{flow.type} {flow.key}" for flow in list(flows)[:200])[:5]
    return found


def statistics() -> dict[int, Statistics]:
    """By rule id; a rule that made nothing is absent. One pass over the flows' rows.

    A flow's row names the first rule only, so rules that share a type are counted by their members, if that is done soon.
    """
    made = _statistics(_OF_FLOWS, [])
    shared = _sharing(Rule.objects.all())
    if not shared:
        return made
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {SHARED_PATIENCE_MS}")
            return made | _statistics(_OF_MEMBERS, [shared])
    except OperationalError:
        return made


def _statistics(question: str, values: list[Any]) -> dict[int, Statistics]:
    return {row[0]: _judged(Statistics(row[1], int(row[2]), row[3])) for row in _all(question, values)}


def _sharing(rules: Iterable[Rule]) -> list[int]:
    """The rules whose flows another rule may make too: they have its kind and type."""
    by_type: dict[tuple[str, str], list[int]] = {}
    for rule in rules:
        if rule.type:
            by_type.setdefault((rule.kind, rule.type), []).append(rule.pk)
    return [one for same in by_type.values() if len(same) > 1 for one in same]


def as_value(rule: Rule, rule_id: int | None = None) -> mentions.Rule:
    """The model as the pure value; `rule_id` stands in for a rule that is not saved yet."""
    return rulebook.as_rule(
        rule.pk or rule_id or 0,
        rule.kind,
        rule.type,
        rule.keys,
        rule.type_attributes,
        rule.any_prefix,
        rule.state_attributes,
    )


def _judged(made: Statistics) -> Statistics:
    if made.flows >= 50 and made.records < made.flows * 1.2:
        made.warning = "Makes flows of one record each: this key names single events, not a matter."
    elif made.records >= 1_000 and made.largest > made.records * 0.9:
        made.warning = "Nearly everything it groups is one flow: this key names a constant."
    return made


def _end_jobs(rule: Rule, actions: list[str], message: str) -> None:
    """End the rule's open jobs. Waits for the chunk that one may be in the middle of."""
    open_jobs = rule.rulejob_set.filter(action__in=actions, state__in=["waiting", "running"])
    open_jobs.update(state="failed", message=message)


def _next_version() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [rulebook.RULES_LOCK])
        cursor.execute("UPDATE installation SET rule_version = rule_version + 1 RETURNING rule_version")
        return int(cursor.fetchone()[0])


def _stored_records() -> int:
    """Spans and logs stored, as the planner last counted them: good enough for a progress bar."""
    return int(
        _one(
            "SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint FROM pg_inherits i"
            " JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent IN ('span'::regclass, 'log'::regclass)",
            [],
        )
    )


def _one(question: str, values: list[Any]) -> Any:
    return _all(question, values)[0][0]


def _all(question: str, values: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(question, values)
        return list(cursor.fetchall())


def _reader() -> psycopg.Connection:
    """A connection of one's own: Django's gives jsonb as text, and must not be held by a long read."""
    return psycopg.connect(conninfo(), autocommit=True)
