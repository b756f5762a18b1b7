"""The tables: threads, items, attachments, feedback, turns.

Every table has its owner (`tenant`, `user_id`) and a sequence `seq` that grows with every new row:
the order in which pages are read. A payload is the JSON text of the ChatKit object, as text
because PostgreSQL's `jsonb` refuses `\\u0000` and forgets the order of keys;
`payload::json` in a query reads it.
"""

from __future__ import annotations

from typing import Any

from tortoise import fields, models
from tortoise.indexes import Index

ID_LENGTH = 255
"""The longest id of a thread, item, attachment, user or tenant, in characters."""


class Thread(models.Model):
    """A conversation; the payload is a `ThreadMetadata`."""

    seq = fields.BigIntField(primary_key=True)
    id = fields.CharField(max_length=ID_LENGTH, unique=True)
    tenant = fields.CharField(max_length=ID_LENGTH)
    user_id = fields.CharField(max_length=ID_LENGTH)
    payload = fields.TextField()

    class Meta:
        table = "chatkit_thread"
        table_description = "Conversations"
        app = "tortoise_store"
        indexes = (Index(fields=("tenant", "user_id", "seq"), name="chatkit_thread_of_user"),)


class Item(models.Model):
    """An entry of a thread; the payload is a `ThreadItem`. Ids are unique within a thread."""

    seq = fields.BigIntField(primary_key=True)
    id = fields.CharField(max_length=ID_LENGTH)
    thread: fields.ForeignKeyRelation[Thread] = fields.ForeignKeyField(
        "tortoise_store.Thread", to_field="id", related_name="items"
    )
    tenant = fields.CharField(max_length=ID_LENGTH)
    user_id = fields.CharField(max_length=ID_LENGTH)
    payload = fields.TextField()

    class Meta:
        table = "chatkit_item"
        table_description = "Entries of conversations"
        app = "tortoise_store"
        unique_together = (("thread_id", "id"),)
        indexes = (Index(fields=("thread_id", "seq"), name="chatkit_item_of_thread"),)


class Attachment(models.Model):
    """What is known of a file; the payload is an `Attachment`. The bytes are kept elsewhere."""

    seq = fields.BigIntField(primary_key=True)
    id = fields.CharField(max_length=ID_LENGTH, unique=True)
    thread: Any = fields.ForeignKeyField(
        "tortoise_store.Thread", to_field="id", related_name="attachments", null=True
    )
    tenant = fields.CharField(max_length=ID_LENGTH)
    user_id = fields.CharField(max_length=ID_LENGTH)
    payload = fields.TextField()

    class Meta:
        table = "chatkit_attachment"
        table_description = "What is known of files"
        app = "tortoise_store"
        indexes = (Index(fields=("thread_id",), name="chatkit_attachment_of_thread"),)


class Feedback(models.Model):
    """A thumb up or down: one for each user and item. It goes when the item goes.

    `given` is in seconds since 1970, by the database's clock; null if an older version wrote it.
    """

    seq = fields.BigIntField(primary_key=True)
    item: fields.ForeignKeyRelation[Item] = fields.ForeignKeyField(
        "tortoise_store.Item", related_name="feedback"
    )
    tenant = fields.CharField(max_length=ID_LENGTH)
    user_id = fields.CharField(max_length=ID_LENGTH)
    kind = fields.CharField(max_length=16)
    given = fields.FloatField(null=True)

    class Meta:
        table = "chatkit_feedback"
        table_description = "Thumbs up and down"
        app = "tortoise_store"
        unique_together = (("item_id", "tenant", "user_id"),)


class Turn(models.Model):
    """A turn as it is written down; `partial` is JSON of what it has said and not saved.

    `accepted` is JSON of what it is to answer, if it has to begin whatever happens.
    `state` is a `TurnState`, or `beside` for a turn that runs beside others in its thread.
    `thread_id` is no foreign key: the turn that makes a thread is written down before it. `beaten`
    and `ended` are seconds since 1970 by the database's clock. `backend` is PostgreSQL's process
    that took the last heartbeat; it ends with its connection. `cancel` asks whoever works at it
    to end it, and its user is at another process until `visited`. `content` is a digest of the
    request's body. The migrations add unique indexes of the owner and the thread, for running
    turns, and of the owner and the request, for those that have not ended.
    """

    seq = fields.BigIntField(primary_key=True)
    id = fields.CharField(max_length=ID_LENGTH, unique=True)
    tenant = fields.CharField(max_length=ID_LENGTH)
    user_id = fields.CharField(max_length=ID_LENGTH)
    thread_id = fields.CharField(max_length=ID_LENGTH)
    operation = fields.TextField()
    model = fields.TextField()
    request = fields.CharField(max_length=ID_LENGTH, null=True)
    content = fields.CharField(max_length=ID_LENGTH, null=True)
    attempt = fields.IntField()
    state = fields.CharField(max_length=16)
    cancel = fields.BooleanField(default=False)
    visited = fields.FloatField(null=True)
    thread_deleted = fields.BooleanField(default=False)
    partial = fields.TextField(null=True)
    error = fields.TextField(null=True)
    accepted = fields.TextField(null=True)
    beaten = fields.FloatField()
    backend = fields.IntField(null=True)
    ended = fields.FloatField(null=True)

    class Meta:
        table = "chatkit_turn"
        table_description = "Turns under way, and those that ended a short time ago"
        app = "tortoise_store"
        indexes = (
            Index(fields=("tenant", "user_id", "thread_id"), name="chatkit_turn_of_thread"),
            Index(fields=("tenant", "user_id", "request"), name="chatkit_turn_of_request"),
            Index(fields=("ended",), name="chatkit_turn_ended"),
        )


class Probe(models.Model):
    """One row, which a server writes to find out whether it can.

    `written` is in seconds since 1970, by the database's clock.
    """

    id = fields.IntField(primary_key=True)
    written = fields.FloatField()
    filler = fields.TextField()

    class Meta:
        table = "chatkit_probe"
        table_description = "Whether a server can write"
        app = "tortoise_store"
