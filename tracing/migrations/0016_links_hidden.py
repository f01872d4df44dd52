"""Without values a span's links lose their trace state too; live links that are laid out are laid out anew."""

from django.db import migrations

from tracing.migrations import _stage

LAID_OUT_ANEW = """
UPDATE stage.staged SET used_ns = 0, name = name || ' gone ' || stage_id WHERE starts_with(name, 'live ') AND used_ns > 0
"""


class Migration(migrations.Migration):
    dependencies = [("tracing", "0015_audit_typed")]
    operations = [
        migrations.RunSQL(_stage.HIDDEN_EACH, migrations.RunSQL.noop),
        migrations.RunSQL(LAID_OUT_ANEW, migrations.RunSQL.noop),
    ]
