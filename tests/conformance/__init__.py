"""The contracts: bundled parts keep them, and parts that were broken on purpose do not."""

from __future__ import annotations

from typing import Any

import pytest


async def told(contract: object, test: str, given: object) -> str:
    """Run one test of a contract, and return what it says of something broken; "" if it passes."""
    run: Any = getattr(contract, test)
    try:
        await run(given)
    except pytest.fail.Exception as failed:
        return str(failed.msg)
    return ""
