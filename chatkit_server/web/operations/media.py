"""Attachments and audio."""

from __future__ import annotations

import base64
import binascii
from typing import cast

from chatkit.store import AttachmentStore
from chatkit.types import (
    AttachmentsCreateReq,
    AttachmentsDeleteReq,
    AudioInput,
    InputTranscribeReq,
    TranscriptionResult,
)
from pydantic import BaseModel

from ...errors import BadRequest, Unprocessable
from ...store_ids import checked_new_id
from ...turn import StoreContext
from ...words import words
from .caller import (
    Answer,
    Caller,
    asking_attachments,
    call_first,
    checked_id,
    require_hook,
)

_NO_STORE = words("No enabled plugin implements the hook `{hook}`.", hook="attachment_store")


async def create_attachment(caller: Caller, request: AttachmentsCreateReq) -> Answer:
    attachment_store = _require_attachment_store(caller)
    with asking_attachments():
        attachment = await attachment_store.create_attachment(request.params, caller.context)
        checked_new_id(attachment.id, attachment_store, "create_attachment")
    await caller.store.save_attachment(attachment, caller.context)
    return cast(BaseModel, attachment)


async def delete_attachment(caller: Caller, request: AttachmentsDeleteReq) -> Answer:
    attachment_store = _require_attachment_store(caller)
    attachment_id = checked_id(request.params.attachment_id)
    await caller.store.load_attachment(attachment_id, caller.context)
    with asking_attachments():
        await attachment_store.delete_attachment(attachment_id, caller.context)
    await caller.store.delete_attachment(attachment_id, caller.context)
    return None


async def transcribe(caller: Caller, request: InputTranscribeReq) -> Answer:
    require_hook(caller, "transcribe")
    try:
        data = base64.b64decode(request.params.audio_base64, validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest("params.audio_base64: not Base64.") from None
    audio = AudioInput(data=data, mime_type=request.params.mime_type)
    text = await call_first(
        caller, "transcribe", user=caller.user, audio=audio, context=caller.request_context
    )
    if text is None:
        raise Unprocessable(words("No plugin's `transcribe` hook could transcribe this audio."))
    return TranscriptionResult(text=text)


def _require_attachment_store(caller: Caller) -> AttachmentStore[StoreContext]:
    if caller.attachment_store is None:
        raise Unprocessable(_NO_STORE)
    return caller.attachment_store
