from django.db import migrations

SCHEMA = """
-- What a message told, from which the next one counts: a problem's kind, severity, flows; the step of a followed flow.
ALTER TABLE message ADD COLUMN facts jsonb NOT NULL DEFAULT '{}';
-- /settings/notifications: the latest messages.
CREATE INDEX message_recent ON message (at_ns DESC);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('tracing', '0007_watch'),
    ]

    operations = [migrations.RunSQL(SCHEMA, migrations.RunSQL.noop)]
