from django.db import migrations

SCHEMA = """
-- A day past the retention of healthy flows holds the exceptions only (`tracing.thinning`).
ALTER TABLE day
    ADD COLUMN thinned_ns bigint,                          -- when the rest went; NULL while the day is whole
    ADD COLUMN exchanging boolean NOT NULL DEFAULT false,  -- what is kept takes the place of all: no record comes in meanwhile
    ADD COLUMN early boolean NOT NULL DEFAULT false,       -- the size limit took it before its time
    ADD COLUMN whole_records bigint,                       -- what it held before, and what was kept of it
    ADD COLUMN kept_records bigint;

-- Requests (kind 0) and flows (1) that lost records to `manage.py forget` and are counted anew before it ends, or when it is
-- run again after a crash; resources (2) and scopes (3) that may be left without a record.
CREATE TABLE recount (
    kind smallint NOT NULL,
    id bytea NOT NULL,
    PRIMARY KEY (kind, id)
);
"""
BEFORE = """
DROP TABLE recount;
ALTER TABLE day DROP COLUMN thinned_ns, DROP COLUMN exchanging, DROP COLUMN early, DROP COLUMN whole_records,
    DROP COLUMN kept_records;
"""


class Migration(migrations.Migration):
    dependencies = [("tracing", "0010_people")]
    operations = [migrations.RunSQL(SCHEMA, BEFORE)]
