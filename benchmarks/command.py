"""The command line of a module that is a program: `--help`, and a mistake in a line."""

from __future__ import annotations

import argparse


def command(name: str, text: str | None) -> argparse.ArgumentParser:
    """Return the parser of `python -m benchmarks.NAME`; the text is the module's own."""
    return argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
