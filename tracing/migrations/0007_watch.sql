-- What the watcher judges: what each flow waits for, where its verdict turned, which flows are wrong in the same way.
-- Written by ingest: `stated`, `failure`, `tally`, and a row of `expectation` for each new flow. All else by the watcher.

-- Who said the state and who made the last step.
ALTER TABLE flow ADD COLUMN state_system text, ADD COLUMN step_system text;

-- One row a flow: where it is, what it waits for, and when somebody looks next. Times are the sender's unless they say so.
CREATE TABLE expectation (
    flow_id bytea PRIMARY KEY,
    kind smallint NOT NULL,
    type text NOT NULL,
    environment text NOT NULL,
    looks_ns bigint,                           -- our clock: when a watcher looks next; NULL until a record comes
    wakes boolean NOT NULL DEFAULT false,      -- the next record brings the look forward: ingest asks nothing else
    verdict text,                              -- moving, due, late, stuck, unknown, paused, ended; NULL until judged
    verdict_since_ns bigint,                   -- the true moment of the last flip
    step text,                                 -- where it is: its last state or milestone
    system text,
    since_ns bigint,                           -- since when it is there
    heard_ns bigint,                           -- the last record that carries its key
    awaited_step text,
    awaited_system text,
    expected_ns bigint,                        -- usually there by then
    late_ns bigint,                            -- late from then on
    stuck_ns bigint,
    source text,                               -- stated, rule, heartbeat, learned, type; NULL where nothing is expected
    reason text,                               -- step, deadline, retry, heartbeat
    quiet boolean NOT NULL DEFAULT false,      -- grey: shown, never told
    evidence jsonb,                            -- the numbers its sentence is made of (`tracing.watch.evidence`)
    judged_ns bigint,                          -- our clock
    faults smallint NOT NULL DEFAULT 0         -- looks in a row that failed: one bad row is put off, the others go on
) WITH (fillfactor = 70);
-- The watcher's question: who is due. Ended flows are not in it, and flows that nobody has looked at yet stand apart: a
-- deadline never waits behind what is new.
CREATE INDEX expectation_due ON expectation (looks_ns) WHERE looks_ns IS NOT NULL AND verdict IS NOT NULL;
CREATE INDEX expectation_new ON expectation (looks_ns) WHERE verdict IS NULL;
-- Problems and Now: who is wrong.
CREATE INDEX expectation_wrong ON expectation (verdict, type, environment) WHERE verdict IN ('due', 'late', 'stuck', 'unknown', 'paused');

-- Of those that wait for the same, who has for the longest (`tracing.watch.detectors.waits`). Hashed: names may be long.
CREATE INDEX expectation_wait ON expectation (
    hashtextextended(type || E'\n' || environment || E'\n'
        || CASE WHEN reason = 'retry' THEN coalesce(evidence ->> 'operation', awaited_step, '') ELSE coalesce(step, '') END || E'\n'
        || coalesce(nullif(awaited_system, ''), CASE WHEN reason = 'retry' THEN system END, ''), 0),
    coalesce(late_ns, verdict_since_ns, judged_ns, 0), flow_id
) WHERE verdict IN ('late', 'stuck');

-- A change of verdict, or of a problem's state. History, statistics and outbox in one.
CREATE TABLE flip (
    flip_id bytea PRIMARY KEY,                 -- hash of whom, what became of it and when: one flip is never two
    flow_id bytea,                             -- one of the two
    problem_id bytea,
    at_ns bigint NOT NULL,                     -- the true moment
    judged_ns bigint NOT NULL,                 -- our clock, when it was noticed
    before text,
    after text NOT NULL,
    step text,
    system text,
    sentence text NOT NULL,
    evidence jsonb,
    told boolean NOT NULL DEFAULT false,       -- its messages are made
    xid xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX flip_flow ON flip (flow_id, at_ns) WHERE flow_id IS NOT NULL;
CREATE INDEX flip_problem ON flip (problem_id, at_ns) WHERE problem_id IS NOT NULL;
-- The outbox.
CREATE INDEX flip_untold ON flip (judged_ns) WHERE NOT told;
CREATE INDEX flip_judged ON flip (judged_ns);

-- Flows that are wrong in the same way.
CREATE TABLE problem (
    problem_id bytea PRIMARY KEY,              -- 12 bytes
    identity bytea NOT NULL,                   -- hash of what makes it the same wrongness
    kind text NOT NULL,
    type text NOT NULL,
    environment text NOT NULL,
    step text NOT NULL,
    system text NOT NULL,
    fingerprint bytea,                         -- of the error, for failed
    title text NOT NULL,
    why text NOT NULL,
    severity smallint NOT NULL,                -- 1 grey, never told; 2 warning; 3 needs a person
    state text NOT NULL,                       -- forming, open, acknowledged, muted, resolved
    flows integer NOT NULL,                    -- now wrong in this way
    all_flows integer NOT NULL,                -- ever, since it opened
    first_ns bigint NOT NULL,                  -- of the oldest that is wrong now
    last_ns bigint NOT NULL,
    opened_ns bigint NOT NULL,                 -- dated back to the true moment
    resolved_ns bigint,
    bad smallint NOT NULL DEFAULT 0,           -- looks in a row that saw it
    good smallint NOT NULL DEFAULT 0,          -- looks in a row that did not
    good_ns bigint,                            -- when it was first not seen
    flaps smallint NOT NULL DEFAULT 0,
    cause_id bytea,                            -- the problem it follows from
    quieted jsonb,                             -- acknowledged or muted: by whom, when, why, until what
    evidence jsonb NOT NULL,
    checked_ns bigint NOT NULL,                -- our clock
    xid xid8 NOT NULL DEFAULT pg_current_xact_id()
);
-- At most one that is not resolved.
CREATE UNIQUE INDEX problem_standing ON problem (identity) WHERE state <> 'resolved';
CREATE INDEX problem_recent ON problem (last_ns DESC, problem_id);

CREATE TABLE problem_flow (
    problem_id bytea NOT NULL,
    flow_id bytea NOT NULL,                    -- or a trace id, where `kind` is 0
    kind smallint NOT NULL,                    -- 0 request, 1 entity, 2 workflow
    since_ns bigint NOT NULL,
    until_ns bigint,                           -- NULL while it is wrong
    PRIMARY KEY (problem_id, flow_id, since_ns)
);
CREATE INDEX problem_flow_flow ON problem_flow (flow_id);

-- What records say of the future: a deadline, a next step, a next try.
CREATE TABLE stated (
    flow_id bytea NOT NULL,
    said_ns bigint NOT NULL,
    digest bytea NOT NULL,
    what text NOT NULL,                        -- deadline, step, retry
    by_ns bigint NOT NULL,
    step text NOT NULL,                        -- awaited; empty where any will do
    system text NOT NULL,                      -- who said so
    operation text NOT NULL,                   -- what will be tried again
    attempt integer,
    most integer,                              -- tries at most
    trace_id bytea NOT NULL,
    record_id bytea NOT NULL,
    day integer NOT NULL,
    rule_id integer NOT NULL,
    received_ns bigint NOT NULL,
    xid xid8 NOT NULL,
    PRIMARY KEY (flow_id, said_ns, digest, what)
);

-- What failed: of each trace and service of a request's batch the first error, for the request and for its flows.
CREATE TABLE failure (
    scope_id bytea NOT NULL,                   -- flow id, or trace id of a request
    kind smallint NOT NULL,                    -- 0 request, 1 entity, 2 workflow
    fingerprint bytea NOT NULL,
    at_ns bigint NOT NULL,
    trace_id bytea NOT NULL,
    record_id bytea NOT NULL,
    environment text NOT NULL,
    service text NOT NULL,
    operation text NOT NULL,
    error_type text NOT NULL,
    message text NOT NULL,
    day integer NOT NULL,
    received_ns bigint NOT NULL,
    xid xid8 NOT NULL,
    PRIMARY KEY (scope_id, at_ns, record_id, fingerprint)
);
-- The failures of the last minutes, and what happened when this one was new.
CREATE INDEX failure_received ON failure (received_ns);
CREATE INDEX failure_kind ON failure (fingerprint, at_ns);

-- What a storing transaction brought, by service, operation and minute; the watcher sums it up into `volume`.
CREATE TABLE tally (
    minute integer NOT NULL,                   -- of the sender's time
    arrived integer NOT NULL,                  -- of ours
    service text NOT NULL,
    environment text NOT NULL,
    operation text NOT NULL,                   -- a milestone's name; empty for all else
    records integer NOT NULL,
    errors integer NOT NULL,
    retries integer NOT NULL,
    lengths bytea NOT NULL,                    -- how long milestones took: a byte each, its bucket (`tracing.buckets`)
    delays bytea NOT NULL                      -- how long after their end runs of records came, a byte each
);

CREATE TABLE volume (
    service text NOT NULL,
    environment text NOT NULL,
    operation text NOT NULL,
    minute integer NOT NULL,                   -- of the sender's time
    records bigint NOT NULL,
    errors bigint NOT NULL,
    retries bigint NOT NULL,
    lengths integer[] NOT NULL,
    PRIMARY KEY (service, environment, operation, minute)
);
CREATE INDEX volume_minute ON volume (minute);

CREATE TABLE arrival (
    service text NOT NULL,
    environment text NOT NULL,
    minute integer NOT NULL,                   -- of our clock
    records bigint NOT NULL,
    delays integer[] NOT NULL,
    PRIMARY KEY (service, environment, minute)
);
CREATE INDEX arrival_minute ON arrival (minute);

-- When we were there to receive: a row for each stretch of a receiving process. What no row covers, we were blind to.
CREATE TABLE awake (
    process bytea NOT NULL,
    since_ns bigint NOT NULL,
    until_ns bigint NOT NULL,
    PRIMARY KEY (process, since_ns)
);
CREATE INDEX awake_until ON awake (until_ns);

-- When all senders' records stopped at once although we were there: something between them and us.
CREATE TABLE blind (
    from_ns bigint PRIMARY KEY,                -- our clock
    until_ns bigint                            -- NULL while it lasts
);

-- How long flows of a type stay at a step, and what comes next (`tracing.watch.learning`).
CREATE TABLE learned (
    type text NOT NULL,
    environment text NOT NULL,
    step text NOT NULL,                        -- empty: of the type as a whole
    source text NOT NULL,                      -- state or milestone; series for the beginnings of a type's flows
    passed integer NOT NULL,                   -- flows that went on
    waiting integer NOT NULL,                  -- flows that had not, when they were last looked at
    threshold_ns bigint,                       -- from the step on: late then; NULL while learning
    level text,                                -- p99, p95, p90: which quantile the number of samples allows
    is_end boolean NOT NULL,                   -- most flows stay here
    facts jsonb NOT NULL,                      -- quantiles, next steps, plateau, period, back-test
    learned_ns bigint NOT NULL,
    PRIMARY KEY (type, environment, step, source)
);

-- How many flows stand where, counted by the watcher; Now and /types read it.
CREATE TABLE backlog (
    kind smallint NOT NULL,
    type text NOT NULL,
    environment text NOT NULL,
    step text NOT NULL,
    open integer NOT NULL,
    ended integer NOT NULL,                    -- flows that ended there
    late integer NOT NULL,
    stuck integer NOT NULL,
    unknown integer NOT NULL,
    paused integer NOT NULL,
    oldest_ns bigint,
    oldest_id bytea,
    counted_ns bigint NOT NULL,
    PRIMARY KEY (type, environment, kind, step)
);
-- The same over time, every quarter of an hour: the sparkline.
CREATE TABLE backlog_history (
    type text NOT NULL,
    environment text NOT NULL,
    step text NOT NULL,
    quarter integer NOT NULL,                  -- Unix time in quarters of an hour
    open integer NOT NULL,
    PRIMARY KEY (type, environment, step, quarter)
);

-- What the watchers did last, by duty: "judged 4 s ago".
CREATE TABLE watch_round (
    duty text PRIMARY KEY,
    began_ns bigint NOT NULL,                  -- our clock
    ended_ns bigint NOT NULL,
    took_ms integer NOT NULL,
    rows integer NOT NULL,
    facts jsonb
);

-- A message to somebody. The attempt is committed before it is made.
CREATE TABLE message (
    message_id text PRIMARY KEY,               -- hash of whom, about what and which turn of it
    channel_id bigint NOT NULL,
    problem_id bytea,
    flow_id bytea,
    phase text NOT NULL,                       -- opened, more, worse, repeat, resolved, follow, test
    subject text NOT NULL,
    body text NOT NULL,
    url text NOT NULL,
    at_ns bigint NOT NULL,                     -- our clock: made
    not_before_ns bigint NOT NULL,
    state text NOT NULL,                       -- waiting, trying, sent, failed, dropped
    attempts smallint NOT NULL DEFAULT 0,
    tried_ns bigint,
    sent_ns bigint,
    doubtful boolean NOT NULL DEFAULT false,   -- a try of it may have arrived without our knowing
    error text NOT NULL DEFAULT '',
    xid xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX message_waiting ON message (not_before_ns) WHERE state IN ('waiting', 'trying');
CREATE INDEX message_problem ON message (problem_id, at_ns) WHERE problem_id IS NOT NULL;
CREATE INDEX message_flow ON message (flow_id, at_ns) WHERE flow_id IS NOT NULL;

-- Flows that were here before the watcher judged: all are looked at once.
UPDATE flow f SET state_system = s.system FROM current_state s
WHERE s.flow_id = f.flow_id AND s.state = f.state AND s.since_ns = f.state_since_ns;
INSERT INTO expectation (flow_id, kind, type, environment, looks_ns)
SELECT flow_id, kind, type, environment, 0 FROM flow;
