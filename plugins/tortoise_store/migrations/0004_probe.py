"""What a server writes to find out whether it can."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.operations import Operation

_AFTER = [("tortoise_store", "0003_backends")]
_TABLES: list[Operation] = [
    ops.CreateModel(
        name="Probe",
        fields=[
            ("id", fields.IntField(primary_key=True, unique=True, db_index=True)),
            ("written", fields.FloatField()),
            ("filler", fields.TextField(unique=False)),
        ],
        options={
            "table": "chatkit_probe",
            "app": "tortoise_store",
            "pk_attr": "id",
            "table_description": "Whether a server can write",
        },
        bases=["Model"],
    ),
]


class Migration(migrations.Migration):
    dependencies = _AFTER
    operations = _TABLES
