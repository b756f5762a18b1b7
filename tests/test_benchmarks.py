"""The programs of the benchmarks: each says how it is called."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import benchmarks

FOLDER = Path(benchmarks.__file__).parent

PROGRAMS = sorted(
    ".".join(file.relative_to(FOLDER.parent).with_suffix("").parts)
    for file in FOLDER.rglob("*.py")
    if "if __name__ ==" in file.read_text()
)


async def said(module: str, *arguments: str) -> tuple[int | None, str, str]:
    """Run a module; return its exit status and what it wrote."""
    command = (sys.executable, "-m", module, *arguments)
    process = await asyncio.create_subprocess_exec(
        *command, cwd=FOLDER.parent, stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_each_program_has_help() -> None:
    assert "benchmarks.elsewhere" in PROGRAMS
    for module in PROGRAMS:
        status, out, err = await said(module, "--help")
        assert (status, err) == (0, ""), module
        assert out.startswith(f"usage: python -m {module.removesuffix('.__main__')}"), out


async def test_a_wrong_number_is_told_in_a_line() -> None:
    status, _, err = await said("benchmarks.elsewhere", "many")
    assert status == 2
    assert err.splitlines()[-1].endswith("argument chats: invalid int value: 'many'")
