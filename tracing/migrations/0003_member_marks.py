"""Members tell versions of a span apart: four bytes of each record's digest beside its span id."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("tracing", "0002_seed_rules")]
    operations = [
        migrations.RunSQL(
            "ALTER TABLE member ADD COLUMN span_marks bytea NOT NULL DEFAULT ''",
            "ALTER TABLE member DROP COLUMN span_marks",
        )
    ]
