"""The table of tasks."""

from __future__ import annotations

from tortoise import fields, models

TITLE_LENGTH = 500


class Task(models.Model):
    """A task of one user; the user and the model refer to it by `number`."""

    seq = fields.BigIntField(primary_key=True)
    tenant = fields.CharField(max_length=255)
    user_id = fields.CharField(max_length=255)
    number = fields.IntField()
    title = fields.CharField(max_length=TITLE_LENGTH)
    done = fields.BooleanField(default=False)

    class Meta:
        table = "todo_tasks"
        table_description = "Tasks of users"
        app = "todo"
        unique_together = (("tenant", "user_id", "number"),)
