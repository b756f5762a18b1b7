"""The table of the first version."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.operations import Operation

_TABLES: list[Operation] = [
    ops.CreateModel(
        name="Task",
        fields=[
            (
                "seq",
                fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True),
            ),
            ("tenant", fields.CharField(max_length=255)),
            ("user_id", fields.CharField(max_length=255)),
            ("number", fields.IntField()),
            ("title", fields.CharField(max_length=500)),
            ("done", fields.BooleanField(default=False)),
        ],
        options={
            "table": "todo_tasks",
            "app": "todo",
            "unique_together": (("tenant", "user_id", "number"),),
            "pk_attr": "seq",
            "table_description": "Tasks of users",
        },
        bases=["Model"],
    ),
]


class Migration(migrations.Migration):
    initial = True
    operations = _TABLES
