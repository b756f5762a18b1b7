"""Audio."""

from __future__ import annotations

import base64
import binascii

from chatkit.types import AudioInput, InputTranscribeReq, TranscriptionResult

from ...errors import BadRequest, Unprocessable
from ...words import words
from .caller import Answer, Caller, call_first, require_hook


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
