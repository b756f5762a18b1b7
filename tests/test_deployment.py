"""A deployment as its operator writes it: the settings as they stand, real parts around it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import TextContent

from chatkit_server.testing.model_server import ModelServer
from tests.client import Chat
from tests.databases import DATABASES, new_url
from tests.mcp_http_server import HttpServer, http_server
from tests.processes import Server, environment, running

AS_WRITTEN = Path(__file__).with_name("deployment.yaml").read_text()
ROOT = Path(__file__).parent.parent
SECRET = "a secret of the tests, long enough for HS256"
SECRETS = {"JWT_SECRET": SECRET, "GOOGLE_API_KEY": "google-key", "DOCS_TOKEN": "docs-token"}
ORIGIN = "https://app.example.com"


def token(tenant: str, user: str, **claims: Any) -> str:
    """Return what the sign-in of the customer gives out."""
    given = {"sub": user, "org": tenant, "aud": "example", "exp": time.time() + 600, **claims}
    return f"Bearer {jwt.encode(given, SECRET, 'HS256')}"


# As written, with nothing else to reach


async def test_as_written(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text(AS_WRITTEN)
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    env = environment(
        **SECRETS,
        DATABASE_URL=new_url("postgresql", tmp_path),
        PATH=str(nothing),  # no npx
        HTTPS_PROXY="http://127.0.0.1:1",  # no internet
    )
    async with running(tmp_path, env=env) as server:
        assert await server.get("/healthz") == (200, {"status": "ok"})
        await server.process.line("WARNING .*MCP server docs .*: .*; trying again")
        await server.process.line(
            "WARNING .*MCP server files .*: the command was not found; .*trying"
        )
        status, ready = await server.get("/readyz")
        assert (status, ready["ready"], ready["store"]) == (200, True, "ok")
        servers = ready["mcp_servers"]
        assert {name: servers[name]["connected"] for name in servers} == {
            "docs": False,
            "files": False,
            "todo": True,
        }
        assert servers["files"]["error"].startswith("the command was not found; install it")

        await refuses_strangers(server)
        chat = server.chat(Authorization=token("acme", "ann"))
        assert (await chat.ask("threads.list"))["data"] == []
        answer = await chat.say("hello")
        assert answer.error is not None
        assert "reach" in answer.error["message"]
        assert answer.error["allow_retry"] is True
        assert await server.stop() == 0
    assert_tells_no_secret(server)
    (line,) = log_lines(tmp_path)
    assert (line["status"], line["message"]) == ("failed", "hello")


async def refuses_strangers(server: Server) -> None:
    """Everybody without a token of the customer's is refused, and a page may read why."""
    body = {"type": "threads.list", "params": {}}
    forged = token("acme", "ann")[:-4] + "AAAA"
    others = token("acme", "ann", aud="other"), token("acme", "ann", exp=1)
    for given in ("", "Bearer nonsense", forged, *others):
        chat = server.chat(Origin=ORIGIN, Authorization=given)
        response = await chat.post(body)
        assert response.status == 401
        assert list(await response.json()) == ["message"]
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert (await chat.client.post("/api/mcp", json={}, headers=chat.headers)).status == 401


def assert_tells_no_secret(server: Server) -> None:
    said = server.process.said
    assert "a%3Ap%40ss" not in said
    assert not [name for name, secret in SECRETS.items() if secret in said]


def log_lines(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of the conversation log, in their order."""
    text = (folder / "logs" / "conversations.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


# With a model and MCP servers of the tests behind the same settings


def within_reach(text: str, docs: HttpServer) -> str:
    """Return the settings with MCP servers that are there."""
    text = text.replace("https://mcp.example.com/mcp", docs.url)
    there = f"command: {sys.executable}, args: [-m, tests.mcp_stdio_server], cwd: {ROOT}"
    text = text.replace("command: npx, args: [-y, some-server, /data]", there)
    return text.replace("allowed_tools: [read_file]", "allowed_tools: [process]")


@asynccontextmanager
async def around() -> AsyncIterator[tuple[ModelServer, HttpServer]]:
    """A model server and an MCP server, which want the keys of the settings."""
    key = SECRETS["GOOGLE_API_KEY"]
    docs_token = f"Bearer {SECRETS['DOCS_TOKEN']}"
    async with ModelServer(key=key) as model, http_server("docs", token=docs_token) as docs:
        yield model, docs


@asynccontextmanager
async def in_reach(folder: Path, env: dict[str, str]) -> AsyncIterator[Server]:
    """Run the server, and wait for its MCP servers: it does not, for long."""
    async with running(folder, env=env) as server:
        for name in ("docs", "files"):
            await server.process.line(f"MCP server {name}: connected")
        yield server


async def tasks_over_mcp(server: Server, authorization: str) -> str:
    """Return what a stock MCP client is told of a user's tasks."""
    headers = {"Authorization": authorization}
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        Client(streamable_http_client(f"{server.url}/api/mcp", http_client=http)) as client,
    ):
        (content,) = (await client.call_tool("list_tasks")).content
        assert isinstance(content, TextContent)
        return content.text


async def converse(chat: Chat, title: str) -> str:
    """Have a conversation with tools of each MCP server, and return its thread."""
    first = await chat.say(f'call add_task {{"title": "{title}"}}')
    assert first.text == f"The tools say: Added task 1: {title}"
    thread_id = first.thread_id
    second = await chat.say('call echo {"text": "hi"} and call files_process {}', thread_id)
    assert re.fullmatch(r"The tools say: .*hi.* \| .*\d+.*", second.text, re.DOTALL)
    third = await chat.say("call list_tasks {}", thread_id)
    assert f"1. [ ] {title}" in third.text
    assert "2." not in third.text
    return thread_id


async def child_of(chat: Chat) -> int:
    """Return the process of the MCP server that the server started."""
    answer = await chat.plain("call files_process {}")
    await chat.ask("threads.delete", thread_id=answer.data[0]["thread_id"])
    return int(re.findall(r"\d+", answer.text)[0])


async def sees_only_its_own(chat: Chat, own: str, others: str) -> None:
    """A thread of somebody else is not there, whatever is asked of it."""
    assert [thread["id"] for thread in (await chat.ask("threads.list"))["data"]] == [own]
    items = await chat.ask("items.list", thread_id=own, limit=100)
    assert [item["type"] for item in items["data"]].count("user_message") == 3
    message: dict[str, Any] = {"content": [], "attachments": [], "inference_options": {}}
    asked: dict[str, dict[str, Any]] = {
        "threads.get_by_id": {},
        "items.list": {},
        "threads.update": {"title": "mine"},
        "threads.delete": {},
        "threads.add_user_message": {"input": message},
    }
    for operation, params in asked.items():
        body = {"type": operation, "params": {"thread_id": others, **params}}
        assert (await chat.refused(body))[0] == 404, operation
    plain = {"messages": [{"role": "user", "content": "hi"}], "thread_id": others}
    assert (await chat.refused(plain))[0] == 404


async def test_two_customers(tmp_path: Path) -> None:
    """They have nothing in common but the name `ann`; only the database's URL tells the kinds."""
    async with asyncio.TaskGroup() as both:
        for kind in DATABASES:
            folder = tmp_path / kind
            folder.mkdir()
            both.create_task(two_customers(folder, new_url(kind, folder)), name=kind)


async def two_customers(folder: Path, url: str) -> None:
    """Have conversations of two customers; what they said outlives a restart, and is theirs."""
    anns = {"acme": token("acme", "ann"), "umbrella": token("umbrella", "ann")}
    async with around() as (model, docs):
        (folder / "settings.yaml").write_text(within_reach(AS_WRITTEN, docs))
        env = environment(
            **SECRETS,
            DATABASE_URL=url,
            CHATKIT_PLUGINS__COMPATIBLE_MODELS__ENDPOINTS__GEMINI__BASE_URL=model.url,
        )
        async with in_reach(folder, env) as server:
            chats = {tenant: server.chat(Authorization=given) for tenant, given in anns.items()}
            threads = {tenant: await converse(chats[tenant], f"{tenant} milk") for tenant in anns}
            child = await child_of(chats["acme"])
            assert await server.stop() == 0
            assert "Traceback" not in server.process.said
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)

        asked = len(model.requests)
        async with in_reach(folder, env) as server:
            chats = {tenant: server.chat(Authorization=given) for tenant, given in anns.items()}
            await sees_only_its_own(chats["acme"], threads["acme"], threads["umbrella"])
            await sees_only_its_own(chats["umbrella"], threads["umbrella"], threads["acme"])
            for tenant, given in anns.items():
                listed = await tasks_over_mcp(server, given)
                assert f"1. [ ] {tenant} milk" in listed
                assert "2." not in listed
            answer = await chats["acme"].say("and now?", threads["acme"])
            assert answer.text == "You said: and now?"
            assert await server.stop() == 0
        assert_tells_no_secret(server)

        remembered = json.dumps(model.requests[asked].body["messages"])
        assert "acme milk" in remembered
        assert "umbrella" not in remembered
        assert {request.body["model"] for request in model.requests} == {"gemini-2.5-flash"}
    assert_logged(log_lines(folder))


def assert_logged(lines: list[dict[str, Any]]) -> None:
    """A line for each turn: three of each customer, one more, and one after the restart."""
    assert [line["tenant"] for line in lines] == ["acme"] * 3 + ["umbrella"] * 3 + ["acme"] * 2
    for line in lines:
        assert (line["user"], line["status"]) == ("ann", "completed")
        assert line["model"] == "gemini/gemini-2.5-flash"
        assert line["input_tokens"] > 0
        assert line["first_token"] > 0
    tools = [sorted((tool["server"], tool["name"]) for tool in line["tools"]) for line in lines]
    own = [
        [("todo", "add_task")],
        [("docs", "echo"), ("files", "files_process")],
        [("todo", "list_tasks")],
    ]
    assert tools == [*own, *own, [("files", "files_process")], []]
    assert lines[0]["answer"] == "The tools say: Added task 1: acme milk"


# Each way to a model


async def test_every_way_to_a_model(tmp_path: Path) -> None:
    """The composer chooses; each model calls tools, and knows what the ones before it did."""
    ways = {
        "gemini/gemini-2.5-flash": "/v1/chat/completions",
        "openai/gpt-5": "/v1/responses",
        "litellm/openai/gpt-5": "/v1/chat/completions",
    }
    key = SECRETS["GOOGLE_API_KEY"]
    async with around() as (model, docs):
        provider = f"{{api_key: {key}, base_url: '{model.url}'}}"
        text = within_reach(AS_WRITTEN, docs)
        text = text.replace("ollama/qwen3]", ", ".join([*ways][1:]) + "]")
        text = text.replace(
            "litellm_models:",
            f"openai_models: {provider}\n  litellm_models: {{providers: {{openai: {provider}}}}}",
        )
        (tmp_path / "settings.yaml").write_text(text.replace("host: 127.0.0.1", "host: 0.0.0.0"))
        env = environment(
            **SECRETS,
            DATABASE_URL=new_url("sqlite", tmp_path),
            CHATKIT_PLUGINS__COMPATIBLE_MODELS__ENDPOINTS__GEMINI__BASE_URL=model.url,
        )
        async with in_reach(tmp_path, env) as server:
            chat = server.chat(Authorization=token("acme", "ann"))
            thread_id = None
            for number, (name, path) in enumerate(ways.items(), 1):
                options = {"model": name}
                said = f'call add_task {{"title": "with {name}"}}'
                answer = await chat.say(said, thread_id, inference_options=options)
                assert answer.text == f"The tools say: Added task {number}: with {name}"
                assert model.requests[-1].path == path
                thread_id = answer.thread_id
            told = json.dumps(model.requests[-1].body)
            assert all(f"Added task {n}: with {name}" in told for n, name in enumerate(ways, 1))
            other = {"model": "openai/gpt-6"}
            body = {"content": [], "attachments": [], "inference_options": other}
            create = {"type": "threads.create", "params": {"input": body}}
            assert (await chat.refused(create))[0] == 400
            assert await server.stop() == 0
            assert "Traceback" not in server.process.said
