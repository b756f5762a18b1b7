from tortoise import fields, migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.operations import Operation

_AFTER = [("notes", "0001_initial")]
_CHANGES: list[Operation] = [
    ops.AddField(model_name="Note", name="colour", field=fields.CharField(max_length=9, null=True)),
    ops.RunSQL("UPDATE no_such_table SET x = 1"),
]


class Migration(migrations.Migration):
    dependencies = _AFTER
    operations = _CHANGES
