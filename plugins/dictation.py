"""Spoken input: sends recordings to a server with OpenAI's API for transcription.

```yaml
plugins:
  dictation: {api_key: "${OPENAI_API_KEY}"}
```

Without a `base_url`, that is OpenAI. Others are Groq, LocalAI, vLLM or Speaches.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
from agents.exceptions import ModelBehaviorError
from chatkit.types import AudioInput
from pydantic import BaseModel, Field, SecretStr, model_validator
from yarl import URL

from chatkit_server import (
    BadRequest,
    Duration,
    Finding,
    TooLarge,
    TooManyRequests,
    Unprocessable,
    hookimpl,
    words,
)
from chatkit_server.models import (
    CHECK_SERVER,
    UNPACKED,
    BaseUrl,
    certificates,
    guard_session,
    http_problem,
    note_date,
    proxy_of,
    refused,
    valid_text,
)
from chatkit_server.storage import OutageLog

log = logging.getLogger(__name__)

OPENAI = "https://api.openai.com/v1"

EXTENSIONS = {
    "aac": "aac",
    "flac": "flac",
    "m4a": "m4a",
    "mp3": "mp3",
    "mp4": "mp4",
    "mpeg": "mp3",
    "ogg": "ogg",
    "opus": "ogg",
    "wav": "wav",
    "wave": "wav",
    "vnd.wave": "wav",
    "webm": "webm",
}
"""The ends of file names by the subtype, by which servers tell the format."""

MOST_TEXT = 1_000_000
"""Bytes of an answer that are read."""

_PAUSE = 0.5
"""Seconds before the first retry; twice as many before each later one."""

_CONNECTIONS = 100
_QUOTED = 200
_TYPE = re.compile(r"(?:audio|video|application)/(?:x-)?([a-z0-9][a-z0-9.+-]{0,30})")
_PAGE = re.compile(r"\s*<(?:!doctype|html|\?xml)\b", re.IGNORECASE)
_KEY_REFUSED = (401, 403)
_CHECK_TIMEOUT = 8.0
_CHECK_KEY = "Set a valid `api_key` in plugins.dictation"
_CHECK_URL = "Check `base_url` in plugins.dictation"
_RETRIABLE = (408, 409, 429)

AWAY = words("Dictation is not available right now. Try again in a moment.")
BUSY = words("Too many recordings are being transcribed. Try again in a moment.")
EMPTY = words("The recording is empty. Try again.")
LATE = words("The recording could not be transcribed in time. Try a shorter one.")
LONG = words("The recording is too long. Try a shorter one.")
UNREADABLE = words("The recording could not be transcribed. Try again.")


class Config(BaseModel):
    """A server with OpenAI's API for transcription.

    `api_key` is needed for OpenAI, where the variable OPENAI_API_KEY is the default. `language` is
    that of the speakers, such as `de`; without it, the model finds out. `prompt` may have names and
    words that the model should know. `timeout` is for a recording, with its retries.
    """

    base_url: BaseUrl = OPENAI
    api_key: SecretStr | None = None
    model: str = "gpt-4o-mini-transcribe"
    language: str | None = None
    prompt: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    timeout: Duration = 30.0
    connect_timeout: Duration = 10.0
    max_retries: int = Field(2, ge=0)

    @model_validator(mode="after")
    def _with_key(self) -> Config:
        if self.base_url.rstrip("/") == OPENAI and not self.api_key:
            key = os.environ.get("OPENAI_API_KEY", "")
            if not key:
                raise ValueError("set the variable OPENAI_API_KEY, or `api_key` here")
            self.api_key = SecretStr(key)
        return self


class Plugin:
    """Transcribes recordings, over one connection pool."""

    def __init__(self, config: Config) -> None:
        self.config = config
        # A recording takes longer than most hooks may
        self.hook_timeouts = {"transcribe": config.timeout + 1}
        self._url = URL(config.base_url.rstrip("/"))
        self._server = str(self._url.origin())
        self._outage = OutageLog(log, f"dictation: {self._server}")
        self._session: aiohttp.ClientSession | None = None

    @hookimpl
    async def setup(self) -> AsyncIterator[None]:
        async with self._new_session() as self._session:
            yield

    @hookimpl
    async def check(self, online: bool) -> list[Finding] | None:
        """Say why the server cannot be used, as far as that shows without a recording."""
        if not online:
            return None
        try:
            async with (
                asyncio.timeout(_CHECK_TIMEOUT),
                self._new_session() as session,
                session.get(self._url / "models") as answer,
            ):
                status = answer.status
                note_date(answer.host, answer.headers.get("Date"))
        except (aiohttp.ClientError, TimeoutError) as error:
            return [Finding(f"{self._server}: {_why(error)}", _CHECK_URL)]
        if status in _KEY_REFUSED:
            return [Finding(f"{self._server}: {_refusal(status)}", _CHECK_KEY)]
        return [Finding(f"{self._server} takes recordings", level="ok")]

    @hookimpl
    async def transcribe(self, audio: AudioInput) -> str:
        """Return what was said. All errors are final for ChatKit: the user may try again."""
        if not audio.data:
            raise BadRequest(EMPTY)
        name = file_name(audio)
        if name is None:
            raise BadRequest(f"params.mime_type: {audio.media_type[:100]!r} is no type of audio.")
        try:
            async with asyncio.timeout(self.config.timeout):
                status, body = await self._ask_with_retries(audio, name)
        except aiohttp.ConnectionTimeoutError:
            self._outage.failed(f"no connection within {self.config.connect_timeout:g} s")
            raise Unprocessable(AWAY) from None
        except TimeoutError:
            self._outage.failed(f"no answer within {self.config.timeout:g} s", "timeout")
            raise Unprocessable(LATE) from None
        except (aiohttp.ClientError, ModelBehaviorError) as error:
            self._outage.failed(_why(error), type(error).__name__)
            raise Unprocessable(AWAY) from error
        if status >= 300:
            raise self._refused(status, body)
        return self._text(body)

    async def _ask_with_retries(self, audio: AudioInput, name: str) -> tuple[int, bytes]:
        tries = 0
        while True:
            try:
                status, body = await self._ask(audio, name)
                if tries >= self.config.max_retries or not _may_pass(status):
                    return status, body
            except aiohttp.ClientConnectionError:
                if tries >= self.config.max_retries:
                    raise
            await asyncio.sleep(_PAUSE * 2**tries)
            tries += 1

    async def _ask(self, audio: AudioInput, name: str) -> tuple[int, bytes]:
        """Send the recording; return the status, and what was answered."""
        assert self._session is not None
        url = self._url / "audio" / "transcriptions"
        form = self._form(audio, name)
        async with self._session.post(url, data=form, allow_redirects=False) as answer:
            error = await refused(answer.status, answer.headers, answer.content.iter_any())
            if error is not None:
                return answer.status, error
            return answer.status, await _beginning(answer)

    def _form(self, audio: AudioInput, name: str) -> aiohttp.FormData:
        form = aiohttp.FormData(quote_fields=False)
        for key in ("model", "language", "prompt"):
            value = getattr(self.config, key)
            if value is not None:
                form.add_field(key, value)
        form.add_field("response_format", "json")
        form.add_field("file", audio.data, filename=name, content_type=audio.media_type)
        return form

    def _refused(self, status: int, body: bytes) -> Exception:
        """Return what the user reads, and log what the operator can change."""
        if status == 413:
            return TooLarge(LONG)
        if status == 429:
            self._outage.failed("too many requests, or no credit left (HTTP 429)", "429")
            return TooManyRequests(BUSY)
        if status in (400, 415, 422):
            log.warning("dictation: %s: HTTP %d: %s", self._server, status, _message(body))
            return Unprocessable(UNREADABLE)
        self._outage.failed(_refusal(status), str(status))
        return Unprocessable(AWAY)

    def _text(self, body: bytes) -> str:
        """Return the text of an answer: JSON, or what servers without it send."""
        try:
            answer = orjson.loads(body)
        except ValueError:
            # A page is that of a proxy or a sign-in, and nothing that was said
            plain = body.decode("utf-8", "replace")
            answer = None if _PAGE.match(plain) else {"text": plain}
        text = answer.get("text") if isinstance(answer, dict) else None
        if not isinstance(text, str):
            self._outage.failed("its answer has no `text`", "no text")
            raise Unprocessable(AWAY)
        self._outage.answered()
        return valid_text(text).strip()

    def _new_session(self) -> aiohttp.ClientSession:
        key = self.config.api_key
        authorization = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        session = aiohttp.ClientSession(
            headers={**authorization, **self.config.headers, **UNPACKED},
            connector=aiohttp.TCPConnector(
                limit=_CONNECTIONS, ssl=certificates() if self._url.scheme == "https" else True
            ),
            timeout=aiohttp.ClientTimeout(
                total=self.config.timeout, sock_connect=self.config.connect_timeout
            ),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=proxy_of(self._url),
        )
        return guard_session(session)


def file_name(audio: AudioInput) -> str | None:
    """Return a name for a recording, by whose end servers tell the format; None if it is none."""
    match = _TYPE.fullmatch(audio.media_type.strip().lower())
    if match is None:
        return None
    kind = match[1]
    if kind not in EXTENSIONS and audio.media_type.lower().startswith("application/"):
        return None
    return f"recording.{EXTENSIONS.get(kind, kind)}"


def _may_pass(status: int) -> bool:
    """Whether the same request may succeed a moment later."""
    return status >= 500 or status in _RETRIABLE


async def _beginning(answer: aiohttp.ClientResponse) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in answer.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > MOST_TEXT:
            raise ModelBehaviorError(f"its answer has more than {MOST_TEXT} bytes")
    return b"".join(pieces)


def _refusal(status: int) -> str:
    """Return what a status means for the settings."""
    if status in _KEY_REFUSED:
        return f"it refuses `api_key` (HTTP {status})"
    if status == 404:
        return "it has no such `model`, or no transcription at this `base_url` (HTTP 404)"
    if status < 400:
        return f"it redirects (HTTP {status}): set `base_url` to where it is"
    return f"HTTP {status}"


def _why(error: Exception) -> str:
    """Return why there was no answer, without anything that the server sent."""
    if isinstance(error, ModelBehaviorError):
        return error.message
    if isinstance(error, TimeoutError):
        return "no answer in time"
    problem = http_problem(error)
    if problem is not None:
        return f"it {problem}: {CHECK_SERVER}"
    reason = error.__cause__ or error
    return str(getattr(reason, "strerror", None) or type(error).__name__)


def _message(body: bytes) -> str:
    """Return a server's message in one line, as far as it is to be logged."""
    try:
        answer: Any = orjson.loads(body)
    except ValueError:
        answer = None
    error = answer.get("error", answer) if isinstance(answer, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return repr(message[:_QUOTED]) if isinstance(message, str) else "no message"
