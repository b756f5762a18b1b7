"""The tables of the first version."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.operations import Operation

_TABLES: list[Operation] = [
    ops.CreateModel(
        name="Thread",
        fields=[
            (
                "seq",
                fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True),
            ),
            ("id", fields.CharField(unique=True, max_length=255)),
            ("tenant", fields.CharField(max_length=255)),
            ("user_id", fields.CharField(max_length=255)),
            ("payload", fields.TextField(unique=False)),
        ],
        options={
            "table": "chatkit_thread",
            "app": "tortoise_store",
            "indexes": [Index(fields=["tenant", "user_id", "seq"], name="chatkit_thread_of_user")],
            "pk_attr": "seq",
            "table_description": "Conversations",
        },
        bases=["Model"],
    ),
    ops.CreateModel(
        name="Attachment",
        fields=[
            (
                "seq",
                fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True),
            ),
            ("id", fields.CharField(unique=True, max_length=255)),
            (
                "thread",
                fields.ForeignKeyField(
                    "tortoise_store.Thread",
                    source_field="thread_id",
                    null=True,
                    db_constraint=True,
                    to_field="id",
                    related_name="attachments",
                    on_delete=OnDelete.CASCADE,
                ),
            ),
            ("tenant", fields.CharField(max_length=255)),
            ("user_id", fields.CharField(max_length=255)),
            ("payload", fields.TextField(unique=False)),
        ],
        options={
            "table": "chatkit_attachment",
            "app": "tortoise_store",
            "indexes": [Index(fields=["thread_id"], name="chatkit_attachment_of_thread")],
            "pk_attr": "seq",
            "table_description": "What is known of files",
        },
        bases=["Model"],
    ),
    ops.CreateModel(
        name="Item",
        fields=[
            (
                "seq",
                fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True),
            ),
            ("id", fields.CharField(max_length=255)),
            (
                "thread",
                fields.ForeignKeyField(
                    "tortoise_store.Thread",
                    source_field="thread_id",
                    db_constraint=True,
                    to_field="id",
                    related_name="items",
                    on_delete=OnDelete.CASCADE,
                ),
            ),
            ("tenant", fields.CharField(max_length=255)),
            ("user_id", fields.CharField(max_length=255)),
            ("payload", fields.TextField(unique=False)),
        ],
        options={
            "table": "chatkit_item",
            "app": "tortoise_store",
            "unique_together": (("thread_id", "id"),),
            "indexes": [Index(fields=["thread_id", "seq"], name="chatkit_item_of_thread")],
            "pk_attr": "seq",
            "table_description": "Entries of conversations",
        },
        bases=["Model"],
    ),
    ops.CreateModel(
        name="Feedback",
        fields=[
            (
                "seq",
                fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True),
            ),
            (
                "item",
                fields.ForeignKeyField(
                    "tortoise_store.Item",
                    source_field="item_id",
                    db_constraint=True,
                    to_field="seq",
                    related_name="feedback",
                    on_delete=OnDelete.CASCADE,
                ),
            ),
            ("tenant", fields.CharField(max_length=255)),
            ("user_id", fields.CharField(max_length=255)),
            ("kind", fields.CharField(max_length=16)),
        ],
        options={
            "table": "chatkit_feedback",
            "app": "tortoise_store",
            "unique_together": (("item_id", "tenant", "user_id"),),
            "pk_attr": "seq",
            "table_description": "Thumbs up and down",
        },
        bases=["Model"],
    ),
]


class Migration(migrations.Migration):
    initial = True
    operations = _TABLES
