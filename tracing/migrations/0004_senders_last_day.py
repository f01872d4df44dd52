"""Resources and scopes know the last day they were needed, so that they can go when their records have gone."""

from django.db import migrations

# What is stored already counts as needed today.
ADD = """
ALTER TABLE {table} ADD COLUMN last_day integer NOT NULL DEFAULT (extract(epoch FROM now()) / 86400)::integer;
ALTER TABLE {table} ALTER COLUMN last_day DROP DEFAULT;
"""


class Migration(migrations.Migration):
    dependencies = [("tracing", "0003_member_marks")]
    operations = [
        migrations.RunSQL(ADD.format(table=table), f"ALTER TABLE {table} DROP COLUMN last_day")
        for table in ("resource", "scope")
    ]
