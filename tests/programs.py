"""Programs that tests need, and that a machine may lack."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def program(*names: str) -> str:
    """Return where a program is; without it tests are skipped, or fail on a build machine."""
    found = next(filter(None, map(shutil.which, names)), None)
    return found or missing(f"{' or '.join(names)} is not installed")


def missing(what: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}, and CI=true says that nothing may be skipped")
    pytest.skip(what)
