from tortoise import fields, migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.operations import Operation

_AFTER = [("notes", "0001_initial")]
_CHANGES: list[Operation] = [
    ops.AlterField(model_name="Folder", name="name", field=fields.CharField(max_length=200)),
]


class Migration(migrations.Migration):
    dependencies = _AFTER
    operations = _CHANGES
