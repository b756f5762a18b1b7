"""Print how the sides differ, beside the named differences."""

from __future__ import annotations

import argparse
import asyncio
import traceback

from .cases import CASES
from .models import Models
from .running import compared, run_official, run_ours
from .table import whole_section
from .transcript import lines


async def _main(names: list[str], show: bool) -> None:
    async with Models() as models:
        for case in [case for case in CASES if case.name in names or not names]:
            official = await run_official(case, models)
            if show:
                print(f"=== {case.name}", *lines(official), sep="\n")
                continue
            for store in case.stores:
                print(f"=== {case.name}, store: {store}")
                try:
                    print(compared(case, official, await run_ours(case, store, models)))
                except Exception:
                    print(traceback.format_exc(limit=-2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.sdk_servers", description=__doc__)
    parser.add_argument("names", nargs="*", help="the backends; all without a name")
    parser.add_argument("--show", action="store_true", help="print what the official side says")
    parser.add_argument("--table", action="store_true", help="print the section of the docs")
    options = parser.parse_args()
    if options.table:
        print(whole_section())
    else:
        asyncio.run(_main(options.names, options.show))
