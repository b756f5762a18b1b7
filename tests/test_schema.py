"""`chatkit-server schema`: editors take what the server takes, and underline what it refuses."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import chatkit_server
from chatkit_server.cli.main import main
from chatkit_server.cli.schema import schema_text
from chatkit_server.settings.schema import Settings
from chatkit_server.settings.types import DURATION, SIZE, as_written
from tests import descriptions
from tests.documents import fences

ROOT = Path(chatkit_server.__file__).parent.parent


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(schema_text(Settings()))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def wrong(validator: jsonschema.Draft202012Validator, text: str) -> list[str]:
    return [".".join(map(str, error.path)) for error in validator.iter_errors(yaml.safe_load(text))]


FILES = (
    ROOT / "settings.yaml",
    ROOT / "tests" / "deployment.yaml",
    ROOT / "chatkit_server" / "cli" / "template" / "project" / "settings.yaml",
)


def own_left_out(text: str, validator: jsonschema.Draft202012Validator) -> str:
    """Leave out the plugins that a reader has, and the project has not."""
    data: dict[str, Any] = yaml.safe_load(text)
    assert isinstance(validator.schema, dict)
    known = validator.schema["properties"]["plugins"]["properties"]
    plugins = data.get("plugins") or {}
    data["plugins"] = {name: plugins[name] for name in plugins if name in known}
    return yaml.safe_dump(data)


def is_settings(text: str) -> bool:
    data = yaml.safe_load(text)
    return isinstance(data, dict) and set(data) <= set(Settings.model_fields)


@pytest.mark.parametrize("file", FILES, ids=str)
def test_settings_of_the_project_are_right(
    file: Path, validator: jsonschema.Draft202012Validator
) -> None:
    assert wrong(validator, own_left_out(file.read_text(), validator)) == []


@pytest.mark.parametrize("fence", [f for f in fences("yaml") if is_settings(f.text)], ids=str)
def test_settings_that_the_documents_show_are_right(
    fence: Any, validator: jsonschema.Draft202012Validator
) -> None:
    assert wrong(validator, own_left_out(fence.text, validator)) == []


@pytest.mark.parametrize(
    "text",
    [
        "server: {port: 9000, drain: 30s, max_body: 16MB, cors_origins: 'http://a, http://b'}",
        "server: {port: '${PORT:-8000}', drain: '${DRAIN}', cors_credentials: '${C:-true}'}",
        "server: {port: '8000', cors_credentials: 'yes'}",
        "server:\nagent:\nplugins:",
        "agent: {resume: '${RESUME:-last}', show_tools: off}",
        "agent: {from: 'my_app.agents:triage', tools: ['a*']}",
        "plugins: {tortoise_store: {url: 'sqlite://a.db'}, acme.audit: {anything: 1}}",
        "plugins: {demo_model: {pace: 1ms}}",
        "hooks: {timeouts: {titles: 20s}}",
    ],
)
def test_what_the_server_takes(text: str, validator: jsonschema.Draft202012Validator) -> None:
    assert wrong(validator, text) == []


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("srever: {}", ""),
        ("server: {prot: 1}", "server"),
        ("server: {port: many}", "server.port"),
        ("server: {port: 70000}", "server.port"),
        ("server: {drain: 30}", "server.drain"),
        ("server: {drain: 30 seconds}", "server.drain"),
        ("server: {max_body: 16}", "server.max_body"),
        ("server: []", "server"),
        ("server: {cors_credentials: maybe}", "server.cors_credentials"),
        ("agent: {resume: never}", "agent.resume"),
        ("agent: {model: 5}", "agent.model"),
        ("turns: {limits: {user: 0}}", "turns.limits.user"),
        ("plugins: {demo_modle: }", "plugins"),
        ("plugins: {demo_model: {pase: 1ms}}", "plugins.demo_model"),
        ("plugins: {demo_model: {pace: 1}}", "plugins.demo_model"),
        ("plugins: [demo_model]", "plugins"),
    ],
)
def test_what_the_server_refuses(
    text: str, path: str, validator: jsonschema.Draft202012Validator
) -> None:
    assert path in wrong(validator, text)


def test_every_key_says_what_it_is_by_default(validator: jsonschema.Draft202012Validator) -> None:
    assert isinstance(validator.schema, dict)
    definitions = validator.schema["$defs"]
    server = definitions["ServerSettings"]["properties"]
    assert server["drain"]["default"] == "30s"
    assert server["max_body"]["default"] == "16MB"
    assert server["socket_mode"]["default"] == "0660"
    assert "Where the server listens" in definitions["ServerSettings"]["description"]


def test_every_key_is_described_as_in_the_documents(
    validator: jsonschema.Draft202012Validator,
) -> None:
    """If this fails, run `python -m tests.descriptions`, and `chatkit-server schema`."""
    assert descriptions.FILE.read_text() == descriptions.text()
    assert isinstance(validator.schema, dict)
    definitions = validator.schema["$defs"]
    bare = [
        f"{name}.{key}"
        for name, definition in definitions.items()
        for key, schema in definition.get("properties", {}).items()
        # What refers to a section has the description of that
        if "description" not in schema and "$ref" not in json.dumps(schema)
    ]
    assert bare == []
    idle = definitions["ConnectionLimits"]["properties"]["idle"]["description"]
    assert idle.startswith("A connection without a request is closed after this time")
    assert "](" not in json.dumps(definitions), "links lead nowhere in an editor"


@pytest.mark.parametrize(
    ("format", "value", "written"),
    [
        (DURATION, 0.25, "250ms"),
        (DURATION, 90.0, "90s"),
        (DURATION, 120.0, "2m"),
        (DURATION, 86400.0, "1d"),
        (SIZE, 16_000_000, "16MB"),
        (SIZE, 1500, "1500B"),
    ],
)
def test_values_as_they_are_written(format: str, value: float, written: str) -> None:
    assert as_written(format, value) == written


BILLING = """
from pydantic import BaseModel, Field
from chatkit_server import hookimpl

class Config(BaseModel):
    plan: str = Field("free", description="What is paid for.")

class Plugin:
    def __init__(self, config: Config) -> None: ...

    @hookimpl
    async def pre_turn(self) -> None: ...
"""


def test_plugins_of_ones_own_are_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_plugins").mkdir()
    (tmp_path / "my_plugins" / "billing.py").write_text(f'"""Bills users."""\n{BILLING}')
    (tmp_path / "my_plugins" / "broken.py").write_text("import nothing_of_this_name")
    (tmp_path / "settings.yaml").write_text("server: {port: many}\nplugins: {billing: }\n")
    assert main(["schema", "--output", "settings.schema.json"]) == 0
    out, err = capsys.readouterr()
    assert "# yaml-language-server: $schema=settings.schema.json" in out
    assert "server.port" in err
    schema = json.loads((tmp_path / "settings.schema.json").read_text())
    assert schema["properties"]["plugins"]["properties"]["billing"]["description"] == "Bills users."
    validator = jsonschema.Draft202012Validator(schema)
    assert wrong(validator, "plugins: {billing: {plan: paid}, broken: {any: 1}}") == []
    assert wrong(validator, "plugins: {billing: {plna: paid}}") == ["plugins.billing"]


def test_a_plugin_that_is_shown_explains_its_keys(tmp_path: Path) -> None:
    (shown,) = [fence for fence in fences("python") if fence.file == "my_plugins/invoices.py"]
    (tmp_path / "invoices.py").write_text(shown.text)
    schema = json.loads(schema_text(Settings(plugin_dirs=[tmp_path])))
    section = schema["properties"]["plugins"]["properties"]["invoices"]
    assert section["description"].startswith("Sends an invoice")
    ref = section["anyOf"][1]["$ref"].rpartition("/")[2]
    keys = schema["$defs"][ref]["properties"]
    assert all("description" in key for key in keys.values())
    assert "writeOnly" in json.dumps(keys["key"])
    assert keys["retry"]["examples"] == ["30s", "5m"]
    assert keys["interval"]["deprecated"] is True
    assert '"enum": ["free", "paid"]' in json.dumps(keys["plan"])


def test_the_file_of_the_documents_is_current() -> None:
    file = ROOT / "docs" / "settings.schema.json"
    told = "run `chatkit-server schema --output docs/settings.schema.json`"
    assert file.read_text() == schema_text(Settings()), told
    assert "$schema=docs/settings.schema.json" in (ROOT / "settings.yaml").read_text()
    assert os.path.getsize(file) < 200_000
