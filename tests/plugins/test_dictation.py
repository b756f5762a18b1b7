"""Recordings go to a server for transcription, and come back as text."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import BodyPartReader, web
from aiohttp.test_utils import TestServer
from chatkit.types import AudioInput
from chatkit_plugins.dictation import AWAY, BUSY, LATE, LONG, UNREADABLE, Config, file_name
from pydantic import ValidationError

from chatkit_server.cli.main import main
from tests.client import Chat
from tests.conftest import MakeChat
from tests.ports import free_port

KEY = "sk-speech-0123456789abcdef"
SOUND = os.urandom(2000)


@dataclass
class Recording:
    """A request as the server got it."""

    headers: dict[str, str]
    fields: dict[str, str] = field(default_factory=dict)
    name: str | None = None
    kind: str = ""
    data: bytes = b""


@dataclass
class SpeechServer:
    """A server with OpenAI's API for transcription. It gives the answers that it is told, in turn.

    An answer is a text, a response, or an event that it waits for.
    """

    answers: list[Any] = field(default_factory=list)
    heard: list[Recording] = field(default_factory=list)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/v1/audio/transcriptions", self._transcribe)
        app.router.add_get("/v1/models", self._models)
        return app

    async def _models(self, request: web.Request) -> web.Response:
        allowed = request.headers.get("Authorization") == f"Bearer {KEY}"
        return web.json_response({"data": []}, status=200 if allowed else 401)

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        recording = Recording(dict(request.headers))
        async for part in await request.multipart():
            assert isinstance(part, BodyPartReader)
            if part.name == "file":
                recording.name, recording.kind = part.filename, part.headers["Content-Type"]
                recording.data = bytes(await part.read())
            else:
                recording.fields[str(part.name)] = await part.text()
        self.heard.append(recording)
        answer = self.answers.pop(0)
        if isinstance(answer, asyncio.Event):
            await answer.wait()
        if isinstance(answer, web.StreamResponse):
            return answer
        return web.json_response({"text": answer})


@pytest.fixture
async def speech() -> SpeechServer:
    return SpeechServer()


@pytest.fixture
async def base_url(speech: SpeechServer) -> AsyncIterator[str]:
    async with TestServer(speech.app()) as server:
        yield str(server.make_url("/v1"))


@pytest.fixture
def make(make_chat: MakeChat, base_url: str) -> Callable[..., Any]:
    async def make(**config: Any) -> Chat:
        given = {"base_url": base_url, "max_retries": 0, **config}
        return await make_chat(
            plugins={"demo_model": None, "dictation": given}, hooks={"timeout": "1s"}
        )

    return make


def spoken(mime_type: str = "audio/webm;codecs=opus", data: bytes = SOUND) -> dict[str, Any]:
    audio = base64.b64encode(data).decode()
    params = {"audio_base64": audio, "mime_type": mime_type}
    return {"type": "input.transcribe", "params": params}


def failure(status: int, message: str = "no") -> web.Response:
    return web.json_response({"error": {"message": message, "type": "invalid"}}, status=status)


async def test_a_recording_becomes_text(make: Any, speech: SpeechServer) -> None:
    chat = await make(api_key=KEY, model="whisper", language="de", prompt="ChatKit")
    speech.answers = [" Guten Tag. \n", ""]
    assert await (await chat.post(spoken())).json() == {"text": "Guten Tag."}
    [heard] = speech.heard
    assert (heard.name, heard.kind, heard.data) == ("recording.webm", "audio/webm", SOUND)
    assert heard.fields == {
        "model": "whisper",
        "language": "de",
        "prompt": "ChatKit",
        "response_format": "json",
    }
    assert heard.headers["Authorization"] == f"Bearer {KEY}"
    assert await (await chat.post(spoken())).json() == {"text": ""}, "nothing was said"


async def test_servers_of_ones_own_need_no_key_and_get_none(
    make: Any, speech: SpeechServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    chat = await make(headers={"X-Team": "chat"})
    speech.answers = [web.Response(text="Good morning.\n")]
    assert await (await chat.post(spoken())).json() == {"text": "Good morning."}
    [heard] = speech.heard
    assert "Authorization" not in heard.headers
    assert heard.headers["X-Team"] == "chat"
    assert heard.fields == {"model": "gpt-4o-mini-transcribe", "response_format": "json"}


NAMES = {
    "audio/webm;codecs=opus": "recording.webm",
    "audio/mp4": "recording.mp4",
    "audio/ogg; codecs=opus": "recording.ogg",
    "AUDIO/WAV": "recording.wav",
    "audio/x-m4a": "recording.m4a",
    "audio/mpeg": "recording.mp3",
    "application/ogg": "recording.ogg",
    "video/webm": "recording.webm",
    "audio/3gpp": "recording.3gpp",
    "application/pdf": None,
    "audio/../../etc": None,
    "audio": None,
    "": None,
}


@pytest.mark.parametrize("mime_type", NAMES)
def test_names_of_files_tell_the_format(mime_type: str) -> None:
    assert file_name(AudioInput(data=b"", mime_type=mime_type)) == NAMES[mime_type]


@pytest.mark.parametrize(
    ("answer", "status", "message", "logged"),
    [
        (failure(401, f"Incorrect key: {KEY}"), 422, AWAY, "it refuses `api_key` (HTTP 401)"),
        (failure(404), 422, AWAY, "it has no such `model`, or no transcription at this"),
        (failure(400, "Invalid\nformat"), 422, UNREADABLE, r"HTTP 400: 'Invalid\nformat'"),
        (failure(413), 413, LONG, ""),
        (failure(429), 429, BUSY, "too many requests, or no credit left"),
        (failure(500), 422, AWAY, "HTTP 500"),
        (web.Response(status=307, headers={"Location": "/v2"}), 422, AWAY, "it redirects"),
        (web.Response(text="[1]"), 422, AWAY, "its answer has no `text`"),
        (web.Response(text="<!DOCTYPE html><p>Sign in"), 422, AWAY, "its answer has no `text`"),
        (web.json_response({"text": "x" * 2_000_000}), 422, AWAY, "more than 1000000 bytes"),
        (web.Response(headers={"Content-Encoding": "br"}), 422, AWAY, "packed its answer"),
    ],
)
async def test_failures_are_final_for_the_page_and_logged_for_the_operator(
    make: Any,
    speech: SpeechServer,
    caplog: pytest.LogCaptureFixture,
    answer: web.Response,
    status: int,
    message: str,
    logged: str,
) -> None:
    chat = await make(api_key=KEY)
    speech.answers = [answer]
    assert await chat.refused(spoken()) == (status, message)
    told = [record.getMessage() for record in caplog.records]
    assert [logged in line for line in told] == [True] * bool(logged)
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (spoken(data=b""), "The recording is empty. Try again."),
        (spoken("text/html"), "params.mime_type: 'text/html' is no type of audio."),
    ],
)
async def test_what_is_no_recording_is_refused(
    make: Any, speech: SpeechServer, body: dict[str, Any], message: str
) -> None:
    assert await (await make()).refused(body) == (400, message)
    assert not speech.heard


async def test_failures_are_told_in_the_users_language(make: Any, speech: SpeechServer) -> None:
    chat = await make()
    chat.headers["Accept-Language"] = "de-AT"
    speech.answers = [failure(413)]
    told = "Die Aufnahme ist zu lang. Versuchen Sie es mit einer kürzeren."
    assert await chat.refused(spoken()) == (413, told)


async def test_a_failed_request_is_sent_again(
    make: Any, speech: SpeechServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatkit_plugins.dictation._PAUSE", 0.001)
    chat = await make(max_retries=2)
    speech.answers = [failure(500), failure(429), "Hello."]
    assert await (await chat.post(spoken())).json() == {"text": "Hello."}
    assert [heard.data for heard in speech.heard] == [SOUND] * 3


async def test_a_slow_server_has_more_time_than_a_hook_and_not_for_ever(
    make_chat: MakeChat, base_url: str, speech: SpeechServer
) -> None:
    config = {"base_url": base_url, "timeout": "300ms"}
    chat = await make_chat(
        plugins={"demo_model": None, "dictation": config}, hooks={"timeout": "1ms"}
    )
    speech.answers = ["Hello.", asyncio.Event()]
    assert await (await chat.post(spoken())).json() == {"text": "Hello."}
    assert await chat.refused(spoken()) == (422, LATE)


async def test_a_server_that_is_away_is_told_of_once(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    server = f"http://127.0.0.1:{free_port()}"
    config = {"base_url": f"{server}/v1", "max_retries": 0}
    chat = await make_chat(plugins={"demo_model": None, "dictation": config})
    for _ in range(2):
        assert await chat.refused(spoken()) == (422, AWAY)
    [record] = caplog.records
    assert record.getMessage().startswith(f"dictation: {server} does not answer: ")


async def test_check_says_what_is_wrong_with_the_server(
    tmp_path: Path, base_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "settings.yaml"

    async def checked(config: dict[str, str]) -> str:
        plugins = f"  anonymous_auth:\n  demo_model:\n  dictation: {json.dumps(config)}\n"
        store = "  tortoise_store: {url: 'sqlite://:memory:'}\n"
        file.write_text(f"plugins:\n{plugins}{store}")
        await asyncio.to_thread(main, ["check", "--online", "--settings", str(file)])
        return capsys.readouterr().err

    server = base_url.removesuffix("/v1")
    refused = (
        f"warning: dictation: {server}: it refuses `api_key` (HTTP 401). Set a valid `api_key` in "
        "plugins.dictation\n"
    )
    assert await checked({"base_url": base_url}) == refused
    assert await checked({"base_url": base_url, "api_key": KEY}) == ""
    away = f"http://127.0.0.1:{free_port()}"
    told = await checked({"base_url": f"{away}/v1"})
    assert told.startswith(f"warning: dictation: {away}: ")


def test_openai_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ValidationError, match="set the variable OPENAI_API_KEY"):
        Config()
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    key = Config().api_key
    assert key is not None
    assert key.get_secret_value() == KEY
