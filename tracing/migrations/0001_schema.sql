-- What was received, and what follows from it. Days are numbers since 1970-01-01 of the sender's time (UTC).
-- Every time is Unix nanoseconds in a bigint; `received_ns` is our clock, everything else the sender's.
-- `xid` is the transaction that wrote the row: readers page under a snapshot's xmin, because arrival times are not commit order.

-- One row of secrets and counters of this installation.
CREATE TABLE installation (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    digest_key bytea NOT NULL,                 -- keys the records' digests, so that a digest does not give a redacted value away
    rule_version integer NOT NULL DEFAULT 1    -- ingest reads it under a shared advisory lock, publishing a rule takes that lock alone
);

-- Days that have (or had) partitions; ingest writes a row only when its hour of last receipt moved on.
CREATE TABLE day (
    day integer PRIMARY KEY,
    last_received_ns bigint NOT NULL DEFAULT 0,
    dropped_ns bigint                          -- when retention took it; NULL while stored
);

CREATE TABLE resource (
    resource_id bytea PRIMARY KEY,
    attributes jsonb NOT NULL,
    dropped integer NOT NULL,
    schema_url text NOT NULL,
    service text NOT NULL,
    environment text
);

CREATE TABLE scope (
    scope_id bytea PRIMARY KEY,
    name text NOT NULL,
    version text NOT NULL,
    attributes jsonb NOT NULL,
    dropped integer NOT NULL,
    schema_url text NOT NULL
);

CREATE TABLE span (
    day integer NOT NULL,
    trace_id bytea NOT NULL,
    span_id bytea NOT NULL,
    start_ns bigint NOT NULL,
    digest bytea NOT NULL,
    parent_span_id bytea NOT NULL,             -- empty for a root
    end_ns bigint NOT NULL,
    kind integer NOT NULL,
    status integer NOT NULL,
    flags bigint NOT NULL,
    dropped_attributes bigint NOT NULL,
    dropped_events bigint NOT NULL,
    dropped_links bigint NOT NULL,
    redacted integer NOT NULL,
    rule_version integer NOT NULL,
    received_ns bigint NOT NULL,
    xid xid8 NOT NULL,
    resource_id bytea NOT NULL,
    scope_id bytea NOT NULL,
    name text NOT NULL,
    service text NOT NULL,
    status_message text NOT NULL,
    trace_state text NOT NULL,
    attributes jsonb NOT NULL,
    events jsonb,                              -- NULL where the span has none
    links jsonb,
    event_times bigint[],                      -- of `events`, in their order: what a layout needs without reading them
    exact jsonb,                               -- what the columns could not hold
    -- Identity, and the way to a trace: the first column serves "all spans of this trace" in each day.
    PRIMARY KEY (trace_id, span_id, start_ns, digest, day)
) PARTITION BY RANGE (day);

CREATE TABLE log (
    day integer NOT NULL,
    log_id bytea NOT NULL,
    time_ns bigint NOT NULL,
    digest bytea NOT NULL,
    trace_id bytea NOT NULL,                   -- empty where the log has none
    span_id bytea NOT NULL,
    time_source smallint NOT NULL,
    observed_ns bigint NOT NULL,
    severity integer NOT NULL,
    flags bigint NOT NULL,
    dropped_attributes bigint NOT NULL,
    redacted integer NOT NULL,
    rule_version integer NOT NULL,
    received_ns bigint NOT NULL,
    xid xid8 NOT NULL,
    resource_id bytea NOT NULL,
    scope_id bytea NOT NULL,
    service text NOT NULL,
    severity_text text NOT NULL,
    event_name text NOT NULL,
    body jsonb NOT NULL,
    attributes jsonb NOT NULL,
    exact jsonb,
    PRIMARY KEY (log_id, day)
) PARTITION BY RANGE (day);
-- The logs of a trace's page.
CREATE INDEX log_trace ON log (trace_id) WHERE trace_id <> ''::bytea;

-- Where a span's links lead, so that they can be followed backwards. Written for inserted spans only.
CREATE TABLE link (
    day integer NOT NULL,
    target_trace_id bytea NOT NULL,
    target_span_id bytea NOT NULL,
    trace_id bytea NOT NULL,
    span_id bytea NOT NULL
) PARTITION BY RANGE (day);
CREATE INDEX link_target ON link (target_trace_id, target_span_id);

-- One trace on one day: the request flow, and what a chapter is called.
CREATE TABLE request (
    day integer NOT NULL,
    trace_id bytea NOT NULL,
    spans bigint NOT NULL,
    events bigint NOT NULL,
    logs bigint NOT NULL,
    errors bigint NOT NULL,
    retries bigint NOT NULL,
    resent bigint NOT NULL,                    -- records that arrived again and changed nothing
    late bigint NOT NULL,                      -- records stored more than five minutes after they happened
    first_ns bigint,                           -- NULL while every time lies in a catch-all range
    last_ns bigint,
    root bytea,                                -- order of the root chosen: start, span id, digest; NULL without a root
    root_span_id bytea,
    root_name text,
    root_service text,
    root_status smallint,
    services text[] NOT NULL,
    environment text NOT NULL,
    activity integer NOT NULL,                 -- Unix minute of the latest activity; lists are ordered by it
    xid xid8 NOT NULL,
    PRIMARY KEY (trace_id, day)
) PARTITION BY RANGE (day);
-- /flows?kind=request, newest first.
CREATE INDEX request_recent ON request (activity DESC, trace_id DESC);

-- An entity or a workflow. A hot row: no index on a column that every batch changes.
CREATE TABLE flow (
    flow_id bytea PRIMARY KEY,                 -- 16 bytes: hash of kind, type, key, environment
    kind smallint NOT NULL,                    -- 1 entity, 2 workflow
    type text NOT NULL,
    key text NOT NULL,
    environment text NOT NULL,
    rule_id integer NOT NULL,                  -- the lowest rule that made it
    spans bigint NOT NULL,
    events bigint NOT NULL,
    logs bigint NOT NULL,
    errors bigint NOT NULL,
    retries bigint NOT NULL,
    chapters integer NOT NULL,                 -- distinct traces, and one per service and day of logs without a trace
    first_ns bigint,
    last_ns bigint,
    services text[] NOT NULL,
    state text,                                -- latest assertion over all systems
    state_order bytea,                         -- what made it the latest: valid time, digest
    state_since_ns bigint,
    step text,                                 -- last milestone, for flows that assert no state
    step_order bytea,
    step_ns bigint,
    activity integer NOT NULL,
    xid xid8 NOT NULL
) WITH (fillfactor = 80);
-- /flows, newest first; and of one type.
CREATE INDEX flow_recent ON flow (activity DESC, flow_id DESC);
CREATE INDEX flow_type_recent ON flow (type, activity DESC, flow_id DESC);
-- /find and free text: exact and by prefix.
CREATE INDEX flow_key ON flow (lower(key) text_pattern_ops);

-- The part of a flow that happened in one trace on one day, or in the traceless logs of one service on one day.
CREATE TABLE chapter (
    flow_id bytea NOT NULL,
    trace_id bytea NOT NULL,                   -- empty for logs without a trace
    service text NOT NULL,                     -- empty for a trace
    day integer NOT NULL,
    spans bigint NOT NULL,
    events bigint NOT NULL,
    logs bigint NOT NULL,
    errors bigint NOT NULL,
    retries bigint NOT NULL,
    resent bigint NOT NULL,
    late bigint NOT NULL,
    first_ns bigint,
    last_ns bigint,
    xid xid8 NOT NULL,
    PRIMARY KEY (flow_id, trace_id, service, day)
) WITH (fillfactor = 80);
-- Flows that share a trace: "the order names its customer".
CREATE INDEX chapter_trace ON chapter (trace_id) WHERE trace_id <> ''::bytea;

-- Which records mention a flow, append-only: one row per flow, trace (or service of traceless logs), rule and transaction.
CREATE TABLE member (
    day integer NOT NULL,
    flow_id bytea NOT NULL,
    trace_id bytea NOT NULL,
    service text NOT NULL,
    rule_id integer NOT NULL,
    span_ids bytea NOT NULL,                   -- 8 bytes each, one after the other
    log_ids bytea NOT NULL,                    -- 16 bytes each
    xid xid8 NOT NULL
) PARTITION BY RANGE (day);
-- The records of a flow.
CREATE INDEX member_flow ON member (flow_id, trace_id);

-- Every statement of a system about a flow's state.
CREATE TABLE assertion (
    flow_id bytea NOT NULL,
    valid_ns bigint NOT NULL,
    system text NOT NULL,
    digest bytea NOT NULL,                     -- of the record that said so
    state text NOT NULL,
    received_ns bigint NOT NULL,
    trace_id bytea NOT NULL,
    record_id bytea NOT NULL,                  -- span id or log id
    day integer NOT NULL,
    rule_id integer NOT NULL,
    xid xid8 NOT NULL,
    -- The state history of one flow, in order.
    PRIMARY KEY (flow_id, valid_ns, system, digest, state)
);

CREATE TABLE current_state (
    flow_id bytea NOT NULL,
    system text NOT NULL,
    state text NOT NULL,
    since_ns bigint NOT NULL,
    state_order bytea NOT NULL,                -- valid time, digest, state
    PRIMARY KEY (flow_id, system)
) WITH (fillfactor = 80);

-- An exception told by a span event and again by a log counts once per flow: whoever inserts the row counts it.
CREATE TABLE told_exception (
    scope_id bytea NOT NULL,                   -- flow id, or trace id for the request
    exception_id bytea NOT NULL,               -- hash of trace, span, type, message and ordinal in its record
    day integer NOT NULL,
    PRIMARY KEY (scope_id, exception_id)
);
CREATE INDEX told_exception_day ON told_exception (day);

-- The two catch-all ranges, instead of a DEFAULT partition, which would forbid concurrent detach.
CREATE TABLE span_ancient PARTITION OF span FOR VALUES FROM (MINVALUE) TO (16436);
CREATE TABLE span_future PARTITION OF span FOR VALUES FROM (47482) TO (MAXVALUE);
CREATE TABLE log_ancient PARTITION OF log FOR VALUES FROM (MINVALUE) TO (16436);
CREATE TABLE log_future PARTITION OF log FOR VALUES FROM (47482) TO (MAXVALUE);
CREATE TABLE link_ancient PARTITION OF link FOR VALUES FROM (MINVALUE) TO (16436);
CREATE TABLE link_future PARTITION OF link FOR VALUES FROM (47482) TO (MAXVALUE);
CREATE TABLE request_ancient PARTITION OF request FOR VALUES FROM (MINVALUE) TO (16436);
CREATE TABLE request_future PARTITION OF request FOR VALUES FROM (47482) TO (MAXVALUE);
CREATE TABLE member_ancient PARTITION OF member FOR VALUES FROM (MINVALUE) TO (16436);
CREATE TABLE member_future PARTITION OF member FOR VALUES FROM (47482) TO (MAXVALUE);

INSERT INTO installation (digest_key)
VALUES (decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));
