"""Print the transcripts of the official side."""

from __future__ import annotations

import asyncio
import sys

from .cases import CASES
from .models import Models
from .running import run_official
from .transcript import lines


async def _main(names: list[str]) -> None:
    async with Models() as models:
        for case in CASES:
            if not names or case.name in names:
                print(f"=== {case.name}")
                try:
                    print("\n".join(lines(await run_official(case, models))))
                except Exception as error:
                    import traceback; traceback.print_exc()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1:]))
