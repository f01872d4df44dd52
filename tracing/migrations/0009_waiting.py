from django.db import migrations

DUE = """
DROP INDEX expectation_due;
DROP INDEX expectation_new;
-- The judge: who has a deadline goes before; who is new, or in order with nothing awaited, is looked at while there is time.
CREATE INDEX expectation_due ON expectation (looks_ns)
    WHERE looks_ns IS NOT NULL AND (verdict <> 'moving' OR expected_ns IS NOT NULL);
CREATE INDEX expectation_waiting ON expectation (looks_ns)
    WHERE looks_ns IS NOT NULL AND (verdict IS NULL OR verdict = 'moving' AND expected_ns IS NULL);
"""
BEFORE = """
DROP INDEX expectation_due;
DROP INDEX expectation_waiting;
CREATE INDEX expectation_due ON expectation (looks_ns) WHERE looks_ns IS NOT NULL AND verdict IS NOT NULL;
CREATE INDEX expectation_new ON expectation (looks_ns) WHERE verdict IS NULL;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('tracing', '0008_telling'),
    ]

    operations = [migrations.RunSQL(DUE, BEFORE)]
