"""The stage: tables like those of records and flows, each row of one copy, and views through which pages read one copy.

A page that shows a frozen copy, a share or a file that was not stored runs the same statements as any other; only the
schema they meet first is another (`tracing.snapshots.staging`). Unlogged: what is staged can be staged again.
"""

from typing import Any

TABLES = (
    "span", "log", "link", "request", "resource", "scope", "day",
    "flow", "chapter", "member", "assertion", "current_state", "expectation", "stated", "flip",
    "problem", "problem_flow", "message", "awake", "blind",
    "tracing_note", "tracing_closure", "tracing_follow", "tracing_channel", "tracing_typesettings",
)  # fmt: skip
# How a copy's rows are found; the rest is small.
INDEXES = {
    "span": ("trace_id, span_id",),
    "log": ("log_id", "trace_id"),
    "link": ("target_trace_id, target_span_id", "trace_id"),
    "request": ("trace_id", "activity"),
    "resource": ("resource_id",),
    "scope": ("scope_id",),
    "flow": ("flow_id", "lower(key)", "activity"),
    "chapter": ("flow_id", "trace_id"),
    "member": ("flow_id, trace_id",),
    "assertion": ("flow_id, valid_ns",),
}
SETTING = "nullif(current_setting('threadline.stage', true), '')::bigint"

FUNCTIONS = """
CREATE SCHEMA stage;
CREATE UNLOGGED TABLE stage.staged (
    stage_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,                 -- of a snapshot, of a share as of a moment, of a file
    used_ns bigint NOT NULL,                   -- our clock, to the minute
    rows bigint NOT NULL
);
-- A record without its values: their names stay, and what says only which try it was or what kind of error.
CREATE FUNCTION stage.hidden(told jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(jsonb_object_agg(key, CASE
        WHEN key = ANY('{exception.type,error.type,http.request.resend_count,celery.retries,airflow.task_instance.try_number,bullmq.job.attempts_made,messaging.gcp_pubsub.message.delivery_attempt,messaging.servicebus.message.delivery_count,flow.attempt,service.name,service.namespace,service.version,deployment.environment.name,deployment.environment,telemetry.sdk.language,telemetry.sdk.name,telemetry.sdk.version}'::text[])
        THEN value ELSE '"(hidden)"'::jsonb END), '{}') FROM jsonb_each(CASE jsonb_typeof(told) WHEN 'object' THEN told ELSE '{}' END)
$$;
"""
# Events and links without their values. A link's trace state is what a vendor wrote, as is the span's own.
HIDDEN_EACH = """
CREATE OR REPLACE FUNCTION stage.hidden_each(told jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_agg(jsonb_set(one - 'exact_trace_state', '{trace_state}', '""', false)
        || jsonb_build_object('attributes', stage.hidden(one -> 'attributes')) ORDER BY place)
    FROM jsonb_array_elements(told) WITH ORDINALITY AS each(one, place)
$$;
"""


def columns_of(cursor: Any, table: str) -> list[str]:
    cursor.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
        " ORDER BY attnum",
        [table],
    )
    return [row[0] for row in cursor.fetchall()]


def build(cursor: Any, table: str) -> None:
    """The rows of one table and its view; a later migration that changes the table drops both and calls this again."""
    cursor.execute(
        f"CREATE UNLOGGED TABLE stage.{table}_rows"
        f" (stage_id bigint NOT NULL DEFAULT {SETTING}, LIKE public.{table} INCLUDING DEFAULTS)"
    )
    for number, columns in enumerate(INDEXES.get(table, ("",))):
        cursor.execute(
            f"CREATE INDEX {table}_rows_{number} ON stage.{table}_rows (stage_id{f', {columns}' if columns else ''})"
        )
    names = ", ".join(f'"{name}"' for name in columns_of(cursor, f"public.{table}"))
    cursor.execute(
        f"CREATE VIEW stage.{table} AS SELECT {names} FROM stage.{table}_rows WHERE stage_id = {SETTING}"
    )


def rebuild(cursor: Any, table: str) -> None:
    cursor.execute(f"DROP VIEW stage.{table}")
    cursor.execute(f"DROP TABLE stage.{table}_rows")
    # Every stage lacks this table's rows now: all are staged again.
    for other in TABLES:
        if other != table:
            cursor.execute(f"TRUNCATE stage.{other}_rows")
    cursor.execute("TRUNCATE stage.staged")
    build(cursor, table)


def build_all(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(FUNCTIONS + HIDDEN_EACH)
        for table in TABLES:
            build(cursor, table)


def drop_all(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA stage CASCADE")
