"""A small MCP server on standard input and output, which starts at once.

`python tests/mcp_small_server.py [FILE]`: each call of `write` adds a line to the file. `die` ends
the process in the middle of a call.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

TOOLS = ("write", "process", "die")


def call(name: str) -> str:
    """Run a tool."""
    if name == "die":
        os._exit(1)
    if name == "write":
        with Path(sys.argv[1]).open("a") as file:
            file.write("once\n")
    return str(os.getpid())


for line in sys.stdin:
    request = json.loads(line)
    answer: dict[str, object] = {"jsonrpc": "2.0", "id": request.get("id")}
    match request["method"]:
        case "initialize":
            answer["result"] = {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "small", "version": "1"},
            }
        case "tools/list":
            schema = {"type": "object"}
            answer["result"] = {"tools": [{"name": name, "inputSchema": schema} for name in TOOLS]}
        case "tools/call":
            text = call(request["params"]["name"])
            answer["result"] = {"content": [{"type": "text", "text": text}]}
        case _:
            answer["error"] = {"code": -32601, "message": "Method not found"}
    if "id" in request:
        print(json.dumps(answer), flush=True)
