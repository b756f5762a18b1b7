from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops
from tortoise.migrations.operations import Operation

_TABLES: list[Operation] = [
    ops.CreateModel(
        name="Folder",
        fields=[
            ("id", fields.IntField(generated=True, primary_key=True)),
            ("name", fields.CharField(max_length=20)),
        ],
        options={"table": "folders", "app": "notes", "pk_attr": "id"},
        bases=["Model"],
    ),
    ops.CreateModel(
        name="Note",
        fields=[
            ("id", fields.IntField(generated=True, primary_key=True)),
            (
                "folder",
                fields.ForeignKeyField(
                    "notes.Folder",
                    source_field="folder_id",
                    db_constraint=True,
                    to_field="id",
                    on_delete=OnDelete.CASCADE,
                ),
            ),
            ("text", fields.CharField(max_length=100)),
        ],
        options={"table": "notes", "app": "notes", "pk_attr": "id"},
        bases=["Model"],
    ),
]


class Migration(migrations.Migration):
    initial = True
    operations = _TABLES
