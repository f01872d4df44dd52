from django.db import migrations

# Built before the old ones go: until then a watcher that still runs has its own.
DUE = """
-- The next look is as urgent as a deadline: a record stated one, a person said something, or a rule or what was learned now
-- holds for who stood there with nothing awaited.
ALTER TABLE expectation ADD COLUMN hurried boolean NOT NULL DEFAULT false;
-- `looks.DEADLINE`: who has a deadline.
CREATE INDEX expectation_deadline ON expectation (looks_ns) WHERE looks_ns IS NOT NULL
    AND (hurried OR verdict NOT IN ('moving', 'ended') OR verdict = 'moving' AND expected_ns IS NOT NULL);
-- `looks.NEW`: nobody has looked yet. `looks.IDLE`: in order with nothing awaited, or ended. Looked at while there is time.
CREATE INDEX expectation_unseen ON expectation (looks_ns) WHERE looks_ns IS NOT NULL AND NOT hurried AND verdict IS NULL;
CREATE INDEX expectation_idle ON expectation (looks_ns) WHERE looks_ns IS NOT NULL AND NOT hurried
    AND (verdict = 'ended' OR verdict = 'moving' AND expected_ns IS NULL);
DROP INDEX expectation_due;
DROP INDEX expectation_new;
"""
BEFORE = """
CREATE INDEX expectation_due ON expectation (looks_ns) WHERE looks_ns IS NOT NULL AND verdict IS NOT NULL;
CREATE INDEX expectation_new ON expectation (looks_ns) WHERE verdict IS NULL;
DROP INDEX expectation_deadline;
DROP INDEX expectation_unseen;
DROP INDEX expectation_idle;
ALTER TABLE expectation DROP COLUMN hurried;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('tracing', '0008_telling'),
    ]

    operations = [migrations.RunSQL(DUE, BEFORE)]
