"""llama.cpp's server in a process of its own: `python -m tests.llama.server MODEL.gguf`.

It prints its address, and stops when its standard input is closed.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path

from .model import write_model

HERE = Path(__file__).parent


@asynccontextmanager
async def llama_server(folder: Path, template: str) -> AsyncIterator[str]:
    """Serve the scripted model with a template of this folder; yields the base URL."""
    file = folder / f"{template}.gguf"
    write_model(file, (HERE / f"{template}.jinja").read_text("utf-8"))
    command = (sys.executable, "-m", "tests.llama.server", str(file))
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        address = (await process.stdout.readline()).decode().strip()
        assert address, "llama.cpp's server did not start"
        yield f"{address}/v1"
    finally:
        process.stdin.close()
        await process.wait()


def main(file: str) -> None:
    """Serve a model until the standard input is closed."""
    xllamacpp = import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = file
    params.port = 0
    params.n_ctx = 16_384
    params.n_parallel = 1
    params.cpuparams.n_threads = 1
    params.use_jinja = True
    params.warmup = False
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
