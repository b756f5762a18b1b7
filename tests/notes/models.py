"""Notes in folders."""

from __future__ import annotations

from tortoise import fields, models


class Folder(models.Model):
    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length=20)

    class Meta:
        table = "folders"
        app = "notes"


class Note(models.Model):
    id = fields.IntField(primary_key=True)
    folder: fields.ForeignKeyRelation[Folder] = fields.ForeignKeyField("notes.Folder")
    text = fields.CharField(max_length=100)

    class Meta:
        table = "notes"
        app = "notes"
