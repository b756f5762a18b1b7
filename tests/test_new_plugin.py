"""`chatkit-server new-plugin`: what it writes works at once, and nothing else is touched."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml

from chatkit_server.cli.main import main
from chatkit_server.errors import SettingsError
from chatkit_server.settings.editing import enable_plugin
from chatkit_server.settings.load import load

SETTINGS = """\
# Mine
plugins:  # in this order
  anonymous_auth:
  demo_model: {pace: 1ms}  # quick

# The end
"""


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with settings."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "settings.yaml").write_text(SETTINGS)
    return tmp_path


def run_tests(folder: Path, path: str = "") -> str:
    """Run the tests of a folder in a process of their own; return what it says."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore"]
    ran = subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": path}, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_a_file_that_works(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new-plugin", "Opening Hours"]) == 0
    told = capsys.readouterr().out
    assert "Wrote my_plugins/opening_hours.py and tests/test_opening_hours.py." in told
    assert "Enabled it in settings.yaml, line 5." in told
    written = (project / "settings.yaml").read_text()
    assert written == SETTINGS.replace("# quick\n", "# quick\n  opening_hours:\n")
    assert "opening_hours" in load(project / "settings.yaml", {}).plugins
    assert "2 passed" in run_tests(project)


def test_the_schema_of_a_project_knows_its_new_plugin(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "settings.schema.json").write_text("{}")
    assert main(["new-plugin", "greeter"]) == 0
    schema = json.loads((project / "settings.schema.json").read_text())
    assert "greeter" in schema["properties"]["plugins"]["properties"]


def test_in_the_folder_of_the_settings(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "ours").mkdir()
    (project / "settings.yaml").write_text(f"plugin_dirs: [ours]\n{SETTINGS}")
    assert main(["new-plugin", "greeter"]) == 0
    assert (project / "ours" / "greeter.py").is_file()
    assert '/ "ours"' in (project / "tests" / "test_greeter.py").read_text()


def test_a_package_that_works_and_its_wheel(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new-plugin", "acme-greeter", "--package"]) == 0
    assert "pip install -e 'acme-greeter[test]'" in capsys.readouterr().out
    assert (project / "settings.yaml").read_text() == SETTINGS
    package = project / "acme-greeter"
    # As if it were installed, for the entry point too
    info = package / "src" / "acme_greeter-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-greeter\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[chatkit_server]\nacme_greeter = acme_greeter\n")
    assert "17 passed" in run_tests(package, str(package / "src"))
    shutil.rmtree(info)
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "-w", "dist", "."], cwd=package, check=True, timeout=60)
    [wheel] = (package / "dist").glob("acme_greeter-0.1.0-*.whl")
    with ZipFile(wheel) as inside:
        names = set(inside.namelist())
        assert {"acme_greeter/__init__.py", "acme_greeter/py.typed"} <= names
        [entry_points] = [name for name in names if name.endswith("entry_points.txt")]
        assert b"acme_greeter = acme_greeter" in inside.read(entry_points)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("json", "`json` is the name of an installed module"),
        ("demo-model", "there is a plugin `demo_model` already"),
        ("Ä", "'Ä' is no name for a plugin"),
        ("class", "'class' is no name for a plugin"),
        ("2fast", "'2fast' is no name for a plugin"),
        ("_hidden", "'_hidden' is no name for a plugin"),
        ("a/b", "'a/b' is a path: give a name"),
        ("greeter.py", "'greeter.py' is a path: give a name"),
    ],
)
def test_names_that_cannot_be(
    project: Path, capsys: pytest.CaptureFixture[str], name: str, told: str
) -> None:
    for more in ([], ["--package"]):
        assert main(["new-plugin", name, *more]) == 2
        assert told in capsys.readouterr().err
    assert [file.name for file in project.iterdir()] == ["settings.yaml"]


def test_it_never_overwrites(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "tests").mkdir()
    (project / "tests" / "test_greeter.py").write_text("mine")
    assert main(["new-plugin", "greeter"]) == 2
    told = capsys.readouterr().err
    assert "already has tests/test_greeter.py; nothing was written" in told
    assert not (project / "my_plugins").exists()
    assert (project / "settings.yaml").read_text() == SETTINGS


def test_without_settings(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "settings.yaml").unlink()
    assert main(["new-plugin", "greeter"]) == 2
    assert "Run `chatkit-server init` first" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plugins:\n  a:\n  b:\n    c: 1\n    d:\n      - 1\n      - 2\nserver: {port: 1}\n", 8),
        ("plugins:\n    a: |\n      text\n\n      more\nserver:\n", 6),
        ("plugins:\r\n  a:\r\nserver:\r\n  port: 1\r\n", 3),
        ("plugins:\n  a: {b: 1,\n    c: 2}\n# end", 4),
        ("plugins:", 2),
        ("plugins:  # none\nserver: {}\n", 2),
        ("server:\n  port: 1\n", 5),
        ("plugins:\n  a:", 3),
        ("server: &s {port: 1}\nplugins:\n  a: *s\n", 4),
    ],
)
def test_a_plugin_is_added_and_the_rest_stays(tmp_path: Path, text: str, line: int) -> None:
    file = tmp_path / "s.yaml"
    file.write_bytes(text.encode())
    file.chmod(0o640)
    before = yaml.safe_load(text)
    assert enable_plugin(file, "new") == line
    written = file.read_bytes().decode()
    after = yaml.safe_load(written)
    assert after["plugins"].popitem() == ("new", None)
    assert after == {**before, "plugins": before.get("plugins") or {}}
    assert written.splitlines()[line - 1].strip() == "new:"
    assert ("\r\n" in text) == ("new:\r\n" in written)
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("text", ["plugins: {a: }\n", "{plugins: {a: {}}}\n", "plugins: [a]\n"])
def test_what_cannot_be_added_safely_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match="below `plugins:`:\n  new:"):
        enable_plugin(file, "new")
    assert file.read_text() == text
