"""What tests of plugins import; as a pytest plugin, it brings fixtures.

- `make_app`, `open_client`: a whole server with the plugins and settings that a test gives.
- `ChatClient`, `Answer`, `RunningAnswer`: what a page says to it, and what it hears; `Refused` and
  `Unfinished`: when it does not.
- `script`, `call`, `ScriptedModel`: a model that answers as it is told, without a network.
- `ModelServer`: an OpenAI-compatible model server on loopback, for plugins with models.
- `mcp_server`: an MCP server of plain functions.
- `run_command`: the command line, with the commands of plugins.

`chatkit_server.testing.pytest_plugin` has the fixtures. Nothing else is imported before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .answer import Answer
    from .app import make_app, open_client
    from .client import ChatClient, Refused
    from .command import run_command
    from .mcp import McpServer, mcp_server
    from .memory_store import MemoryStore
    from .model_script import Call, Failure, Gate, Reasoning, Reply, Text
    from .model_server import ModelServer
    from .pytest_plugin import MakeClient
    from .running import RunningAnswer, Unfinished
    from .scripts import ModelRequest, ScriptedModel, ScriptEnded, call, script
    from .tool_calls import CalledTool

_LAZY = {
    "Answer": "answer",
    "Call": "model_script",
    "CalledTool": "tool_calls",
    "ChatClient": "client",
    "Failure": "model_script",
    "Gate": "model_script",
    "MakeClient": "pytest_plugin",
    "McpServer": "mcp",
    "MemoryStore": "memory_store",
    "ModelRequest": "scripts",
    "ModelServer": "model_server",
    "Reasoning": "model_script",
    "Refused": "client",
    "Reply": "model_script",
    "RunningAnswer": "running",
    "ScriptEnded": "scripts",
    "ScriptedModel": "scripts",
    "Text": "model_script",
    "Unfinished": "running",
    "call": "scripts",
    "make_app": "app",
    "mcp_server": "mcp",
    "open_client": "app",
    "run_command": "command",
    "script": "scripts",
}

__all__ = [
    "Answer",
    "Call",
    "CalledTool",
    "ChatClient",
    "Failure",
    "Gate",
    "MakeClient",
    "McpServer",
    "MemoryStore",
    "ModelRequest",
    "ModelServer",
    "Reasoning",
    "Refused",
    "Reply",
    "RunningAnswer",
    "ScriptEnded",
    "ScriptedModel",
    "Text",
    "Unfinished",
    "call",
    "make_app",
    "mcp_server",
    "open_client",
    "run_command",
    "script",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
