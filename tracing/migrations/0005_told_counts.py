"""Exceptions are counted by how often events and logs tell them: versions of a span may each tell the same one."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("tracing", "0004_senders_last_day")]
    operations = [
        migrations.RunSQL(
            "ALTER TABLE told_exception ADD COLUMN events integer NOT NULL DEFAULT 1,"
            " ADD COLUMN logs integer NOT NULL DEFAULT 0;"
            "ALTER TABLE told_exception ALTER COLUMN events DROP DEFAULT, ALTER COLUMN logs DROP DEFAULT",
            "ALTER TABLE told_exception DROP COLUMN events, DROP COLUMN logs",
        )
    ]
