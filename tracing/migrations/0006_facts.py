"""Bits beside each span that spare a page its attributes (`tracing.facts`), and the flows that failed in an index."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("tracing", "0005_told_counts")]
    operations = [
        # -1 is `facts.UNKNOWN`: what is stored already is looked up as before.
        migrations.RunSQL(
            "ALTER TABLE span ADD COLUMN facts integer NOT NULL DEFAULT -1",
            "ALTER TABLE span DROP COLUMN facts",
        ),
        # How many flows carry errors, and which did last: Now and /flows?status=error. Only such flows are in it.
        migrations.RunSQL(
            "CREATE INDEX flow_failing ON flow (activity DESC, flow_id DESC) WHERE errors > 0",
            "DROP INDEX flow_failing",
        ),
    ]
