"""The contracts as an author uses them: what docs/plugins/conformance.md shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.documents import ROOT, fences
from tests.test_testing import STRICT_MODE, run_pytest

DOCUMENT = ROOT / "docs" / "plugins" / "conformance.md"
SHOWN = {fence.file: fence.text for fence in fences("python") if fence.document == DOCUMENT}
SIGNED = "tests/test_contract.py"


def test_the_contracts_that_are_shown_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("chatkit_server.testing.conformance.turn_times.WAITING", 0.02)
    (tmp_path / "pytest.ini").write_text(STRICT_MODE)
    (tmp_path / "shown_tests").mkdir()
    for name, text in SHOWN.items():
        assert name is not None
        (tmp_path / name.replace("tests/", "shown_tests/")).write_text(text, "utf-8")
    told = run_pytest(tmp_path, monkeypatch, capsys, "-p", "no:aiohttp")
    assert " passed" in told, told
    assert " failed" not in told, told
    assert " error" not in told, told
    assert told.count(" skipped") == 1, told


def test_the_failure_that_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = SHOWN[SIGNED].replace('turn.state["asker"] =', "self.asker =")
    broken = broken.replace("turn.state['asker']", "self.asker")
    (tmp_path / "pytest.ini").write_text(STRICT_MODE)
    (tmp_path / "test_broken.py").write_text(broken, "utf-8")
    told = run_pytest(tmp_path, monkeypatch, capsys, "-p", "no:aiohttp")
    [sentence] = [fence.text for fence in fences("text") if fence.document == DOCUMENT]
    # Which of two users at the same time is the later one is not said
    swapped = {"annabel": "bobadilla", "Annabel": "Bobadilla"}
    names = swapped | {after: before for before, after in swapped.items()}
    other = re.sub("|".join(names), lambda found: names[found[0]], sentence)
    assert sentence.strip() in told or other.strip() in told, told
    assert "1 failed, " in told, told
