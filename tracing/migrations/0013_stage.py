"""The stage on which copies, shares and files are shown (`_stage`)."""

from django.db import migrations

from tracing.migrations import _stage


class Migration(migrations.Migration):
    dependencies = [("tracing", "0012_shares")]
    operations = [migrations.RunPython(_stage.build_all, _stage.drop_all)]
