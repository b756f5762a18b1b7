"""Breaks the code on purpose, a little at a time, and counts what the tests notice.

`python -m tests.mutation [folder ...]` prints a line for each folder of `FOLDERS`; `--again` tries
only what the tests have not noticed before. docs/testing.md says more.

mutmut makes the mutants and runs them. It works in a copy of the project in `build/mutation`,
for two reasons: `plugins/` must have the name there under which it is imported, and each folder has
its own selection of tests.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import pytest

from tests.databases import postgres

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build" / "mutation"

UNTOUCHED = [
    # Texts of the log
    r"^\s*log\.(debug|info|warning|error|exception|log)\(",
    # For the type checker alone
    r"\bcast\(",
    r"^\s*assert ",
]


@dataclass(frozen=True)
class Folder:
    """What is mutated, and the test files that should notice, without `tests/` and `test_`.

    Tests whose names match `slow` are not run: quick ones reach the same code.
    """

    mutate: Sequence[str]
    tests: str
    slow: str = "postgresql or kill_9"

    @property
    def files(self) -> list[str]:
        """The test files, from the project's folder."""
        places = (name.rpartition("/") for name in self.tests.split())
        return [str(Path("tests", place, f"test_{name}.py")) for place, _, name in places]


FOLDERS = {
    "events": Folder(["chatkit_server/events/*"], "events wire recorder partial closing stream"),
    "turns": Folder(
        ["chatkit_server/turns/*"],
        "registry recovery claims job turn_store failures failure_words heartbeat turns resume"
        " refusals preparing outcomes operations plain hook_limits security/user_limits"
        " security/deleted_threads",
    ),
    "agent": Folder(
        ["chatkit_server/agent/*"],
        "history stream timeouts tool_text runner models tools turns first_answer mcp operations"
        " hook_limits plugins/compatible_models plugins/fast_path",
    ),
    "web": Folder(
        ["chatkit_server/web/*"],
        "body sse chat operations plain routes refusals refusal_log resume pages boot_hooks"
        " settings security/request_limits security/user_limits security/deleted_threads",
    ),
    "tortoise_store": Folder(
        ["chatkit_plugins/tortoise_store/*"],
        "turn_store plugins/tortoise_store plugins/tortoise_store_parts plugins/tortoise_store_url"
        " plugins/tortoise_store_sqlite plugins/tortoise_store_start plugins/tortoise_turns",
        slow="killed_process",
    ),
}

PYTEST = ["-p", "tests.mutation", "-p", "no:cacheprovider", "-p", "no:xdist", "--timeout=15"]

MOST_SECONDS = "MUTATION_SECONDS"
MOST_MEMORY = 8 << 30

VERDICTS = "verdicts.json"

NOTICED = {"killed", "timeout", "segfault"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the quickest tests that reach a mutant; mutmut sorts them so."""
    mutant = os.environ.get("MUTANT_UNDER_TEST", "stats")
    if "__mutmut_" in mutant:
        # Some mutants append to a list for ever
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        durations = sys.modules["mutmut.state"].state().duration_by_test
        ends = accumulate(durations.get(item.nodeid, 0) for item in items)
        most = float(os.environ[MOST_SECONDS])
        items[:] = [item for item, end in zip(items, ends, strict=True) if end <= most]
    elif not mutant:
        # All of them have just passed. Those who try the mutants share one database server
        if any("postgresql" in item.name for item in items):
            postgres()
        del items[20:]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("folders", nargs="*", choices=[*FOLDERS, []], metavar="folder")
    parser.add_argument("--again", action="store_true", help="only what was not noticed before")
    parser.add_argument("--jobs", type=int, default=4, help="mutants at a time; some only wait")
    parser.add_argument("--seconds", default="5", help="how long a mutant's tests take at most")
    parser.add_argument("--only", nargs="+", help="files or mutants, as mutmut names them")
    options = parser.parse_args()
    os.environ[MOST_SECONDS] = options.seconds
    for name in options.folders or FOLDERS:
        started = time.monotonic()
        run(name, again=options.again, jobs=options.jobs, only=options.only)
        report(name, time.monotonic() - started)


def run(name: str, *, again: bool, jobs: int, only: Sequence[str] | None) -> None:
    """Try mutants, and keep what became of each in `verdicts.json`.

    With `again`, mutants of code that has changed keep their old verdicts, unless nobody had
    noticed them.
    """
    place = BUILD / name
    known = load_verdicts(place)
    stage(FOLDERS[name], place)
    mutants = only or (
        [mutant for mutant, verdict in known.items() if verdict not in NOTICED] if again else []
    )
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", str(jobs)]
    with (place / "output.txt").open("w") as output:
        done = subprocess.run(
            [*command, *mutants], cwd=place, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        sys.exit(f"mutmut failed: see {output.name}")
    # mutmut forgets all verdicts when the selection of tests changes
    verdicts = {
        mutant: known.get(mutant, verdict) if verdict == "not checked" else verdict
        for mutant, verdict in mutmut_results(place)
    }
    (place / VERDICTS).write_text(json.dumps(verdicts, indent=0))


def load_verdicts(place: Path) -> dict[str, str]:
    """Return what became of each mutant, by its name."""
    file = place / VERDICTS
    return json.loads(file.read_text()) if file.exists() else {}


def stage(folder: Folder, place: Path) -> None:
    """Copy the project, so that mutmut sees what has changed and what has not."""
    ignore = shutil.ignore_patterns("__pycache__")
    place.mkdir(parents=True, exist_ok=True)
    for source, target in (
        ("chatkit_server", "chatkit_server"),
        ("plugins", "chatkit_plugins"),
        ("tests", "tests"),
    ):
        shutil.rmtree(place / target, ignore_errors=True)
        shutil.copytree(ROOT / source, place / target, ignore=ignore)
    shutil.rmtree(place / "mutants" / "tests", ignore_errors=True)
    settings = {
        "source_paths": ["chatkit_server", "chatkit_plugins"],
        "only_mutate": list(folder.mutate),
        "do_not_mutate_patterns": UNTOUCHED,
        "also_copy": ["settings.yaml"],
        "pytest_add_cli_args": [*PYTEST, "-k", f"not ({folder.slow})"],
        "pytest_add_cli_args_test_selection": [t for t in folder.files if (ROOT / t).exists()],
        "timeout_multiplier": 4.0,
        "timeout_constant": 10.0,
        "use_git_change_detection": False,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    project = (ROOT / "pyproject.toml").read_text()
    (place / "pyproject.toml").write_text("\n".join([project, "[tool.mutmut]", *lines, ""]))
    shutil.copy(ROOT / "settings.yaml", place)


def mutmut_results(place: Path) -> Iterator[tuple[str, str]]:
    """Yield each mutant's name with what became of it, as far as mutmut knows."""
    told = subprocess.run(
        [Path(sys.executable).with_name("mutmut"), "results", "--all", "true"],
        cwd=place,
        capture_output=True,
        text=True,
        check=True,
    )
    for line in told.stdout.splitlines():
        name, _, status = line.strip().rpartition(": ")
        yield name, status


def report(name: str, seconds: float) -> None:
    counts = Counter(load_verdicts(BUILD / name).values())
    total = counts.total()
    noticed = sum(counts[status] for status in NOTICED)
    print(
        f"| {name} | {total} | {counts['killed']} | {counts['timeout']} | "
        f"{total - noticed} | {noticed / total:.1%} | {seconds / 60:.0f} min |"
    )


if __name__ == "__main__":
    main()
