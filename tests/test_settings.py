"""`settings.yaml` and variables: what they become, and how a mistake is reported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr, TypeAdapter, ValidationError

from chatkit_server import SettingsError
from chatkit_server.settings.load import collect_settings, load, validate
from chatkit_server.settings.problems import Problems, nearest
from chatkit_server.settings.schema import Settings
from chatkit_server.settings.source import Source
from chatkit_server.settings.types import CommaList, Duration, Size

Read = Callable[..., Settings]
DEFAULTS = Settings().model_dump()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.yaml"


@pytest.fixture
def read(file: Path) -> Read:
    """Load a text as settings; keywords are the environment."""

    def read(text: str, **environ: str) -> Settings:
        file.write_text(text, encoding="utf-8")
        return load(file, environ)

    return read


@pytest.fixture
def refused(read: Read) -> Callable[..., str]:
    """Return the error that a text is refused with."""

    def refused(text: str, **environ: str) -> str:
        with pytest.raises(SettingsError) as error:
            read(text, **environ)
        return str(error.value)

    return refused


Refused = Callable[..., str]


# What is read


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "---\n", "~", "server:\n"])
def test_an_empty_file_gives_the_defaults(read: Read, text: str) -> None:
    settings = read(text)
    assert settings.model_dump() == DEFAULTS
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8000)


@pytest.mark.parametrize("section", ["server", "agent", "turns", "log", "plugins"])
def test_a_section_with_only_its_heading_gives_the_defaults(read: Read, section: str) -> None:
    assert read(f"{section}:\n").model_dump() == DEFAULTS


def test_nested_sections_keep_the_other_defaults(read: Read) -> None:
    settings = read("turns:\n  disconnect: {policy: continue}\nagent: {history: }\n")
    assert settings.turns.disconnect.policy == "continue"
    assert settings.turns.disconnect.grace == 5.0
    assert settings.agent.history == Settings().agent.history


def test_plugins_keep_their_order_and_their_own_sections(read: Read) -> None:
    settings = read("plugins:\n  zebra:\n  acme.plugin: {deep: {a: [1, two]}}\n  ant: {}\n")
    assert list(settings.plugins.items()) == [
        ("zebra", None),
        ("acme.plugin", {"deep": {"a": [1, "two"]}}),
        ("ant", {}),
    ]


def test_plain_values_have_the_types_yaml_gives_them(read: Read) -> None:
    section = read('plugins: {x: {a: 1, b: 1.5, c: true, d: "1", e: ~, f: no-way}}').plugins["x"]
    assert section == {"a": 1, "b": 1.5, "c": True, "d": "1", "e": None, "f": "no-way"}


def test_anchors_and_merge_keys(read: Read) -> None:
    settings = read(
        """
        plugins:
          one: &base {model: small, limits: &limits {a: 1, b: 2}}
          two: {<<: *base, model: large}
          three: {limits: {<<: [{b: 9}, *limits]}}
          four: *base
        """
    )
    assert settings.plugins == {
        "one": {"model": "small", "limits": {"a": 1, "b": 2}},
        "two": {"model": "large", "limits": {"a": 1, "b": 2}},
        "three": {"limits": {"a": 1, "b": 9}},
        "four": {"model": "small", "limits": {"a": 1, "b": 2}},
    }


def test_a_value_that_a_merge_key_overrides_needs_no_variable(read: Read) -> None:
    settings = read("plugins: {a: {<<: {key: '${UNSET}'}, key: mine}}")
    assert settings.plugins["a"] == {"key": "mine"}


def test_plugin_dirs_are_the_folders_beside_the_file_if_there(read: Read, tmp_path: Path) -> None:
    assert read("").plugin_dirs == []
    (tmp_path / "plugins").mkdir()
    assert read("").plugin_dirs == [tmp_path / "plugins"]
    (tmp_path / "my_plugins").mkdir()
    # The later one wins
    assert read("").plugin_dirs == [tmp_path / "plugins", tmp_path / "my_plugins"]
    assert read("plugin_dirs: []").plugin_dirs == []


def test_plugin_dirs_are_relative_to_the_file(read: Read, tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    directories = read(f"plugin_dirs: [mine, {tmp_path / 'other'}]").plugin_dirs
    assert directories == [tmp_path / "mine", tmp_path / "other"]


# Durations, sizes, lists


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("10s", 10), ("1.5s", 1.5), ("5m", 300), ("2h", 7200), (" 1 d ", 86400)],
)
def test_durations(text: str, seconds: float) -> None:
    assert TypeAdapter(Duration).validate_python(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [("512B", 512), ("64kB", 64_000), ("16 MB", 16_000_000), ("1GB", 1_000_000_000)],
)
def test_sizes(text: str, size: int) -> None:
    assert TypeAdapter(Size).validate_python(text) == size


@pytest.mark.parametrize("value", [10, 1.5, "10", "10 sec", "-1s", "0s", "s", "", None, True])
def test_what_is_no_duration(value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Duration).validate_python(value)


@pytest.mark.parametrize("value", [10, "10", "1.5MB", "10KB", "-1B", "0B", "", None, True])
def test_what_is_no_size(value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Size).validate_python(value)


def test_a_number_without_a_unit_says_how_to_write_it(refused: Refused, file: Path) -> None:
    assert refused("server:\n  drain: 30\n") == (
        f"{file}:2: server.drain: expected a duration with its unit, such as 250ms, 10s or 5m, "
        "not 30"
    )
    assert "such as 64kB or 16MB, not 'many'" in refused("server: {max_body: many}")


@pytest.mark.parametrize(
    ("value", "origins"),
    [
        ("http://a, http://b,", ["http://a", "http://b"]),
        ("[http://a, http://b]", ["http://a", "http://b"]),
        ("${ORIGINS:-http://localhost:3000}", ["http://localhost:3000"]),
        ("${ORIGINS:-}", []),
        ("", []),
    ],
)
def test_lists_with_commas(read: Read, value: str, origins: list[str]) -> None:
    assert read(f"server:\n  cors_origins: {value}\n").server.cors_origins == origins


def test_lists_with_commas_from_variables(read: Read) -> None:
    settings = read("server: {cors_origins: '${ORIGINS}'}", ORIGINS="http://a,http://b")
    assert settings.server.cors_origins == ["http://a", "http://b"]
    assert read("", CHATKIT_AGENT__MODELS="x/1, x/2").agent.models == ["x/1", "x/2"]
    assert TypeAdapter(CommaList).validate_python(None) == []


# Variables


def test_variables(read: Read) -> None:
    text = "plugins: {x: {url: 'http://${HOST}:${PORT:-80}/', key: '${KEY:-}'}}"
    assert read(text, HOST="h").plugins["x"] == {"url": "http://h:80/", "key": ""}
    assert read(text, HOST="h", PORT="", KEY="k").plugins["x"] == {
        "url": "http://h:80/",
        "key": "k",
    }


def test_a_variable_may_be_a_number(read: Read) -> None:
    assert read("server: {port: '${PORT:-9000}'}").server.port == 9000
    assert read("server: {port: '${PORT:-9000}'}", PORT="9001").server.port == 9001


def test_a_value_of_a_variable_is_not_read_as_yaml_or_as_a_variable(read: Read) -> None:
    value = "a: {b}\n- ${OTHER} # ''"
    assert read("agent:\n  instructions: ${TEXT}\n", TEXT=value).agent.instructions == value


def test_two_dollars_keep_the_characters(read: Read) -> None:
    text = "agent: {instructions: 'Write $${NAME}, $5 and $${.'}"
    assert read(text).agent.instructions == "Write ${NAME}, $5 and ${."


@pytest.mark.parametrize("environ", [{}, {"JWT_SECRET": ""}])
def test_a_missing_variable_is_named_with_its_place(
    refused: Refused, file: Path, environ: dict[str, str]
) -> None:
    message = refused("plugins:\n  jwt_auth:\n    secret: ${JWT_SECRET}\n", **environ)
    assert message == (
        f"{file}:3: plugins.jwt_auth.secret: the environment variable JWT_SECRET is not set, or "
        "empty. Set it, or write a default: ${JWT_SECRET:-value}"
    )


def test_a_variable_in_a_comment_is_not_needed(read: Read) -> None:
    assert read("# ${NOT_SET}\nserver: {}  # ${NOT_SET}\n").model_dump() == DEFAULTS


@pytest.mark.parametrize("value", ["${A-b}", "${", "${}", "${1}", "${A:-b", "x${A B}"])
def test_a_badly_written_variable(refused: Refused, file: Path, value: str) -> None:
    message = refused(f"agent:\n  name: '{value}'\n", A="a")
    assert message.startswith(f"{file}:2: agent.name: write ${{NAME}} or ${{NAME:-default}}")


# Overrides


def test_overrides(read: Read) -> None:
    settings = read(
        "server: {port: 1}\nturns:\nplugins: {store: , demo: {}}\n",
        CHATKIT_SERVER__PORT="9000",
        CHATKIT_TURNS__DISCONNECT__GRACE="250ms",
        CHATKIT_PLUGINS__STORE__URL="sqlite://x.db",
        CHATKIT_PLUGINS__EXTRA="",
    )
    assert settings.server.port == 9000
    assert settings.turns.disconnect.grace == 0.25
    assert settings.plugins == {"store": {"url": "sqlite://x.db"}, "demo": {}, "extra": None}


def test_variables_without_a_section_are_for_others(read: Read) -> None:
    assert read("", CHATKIT_MODEL="x", CHATKIT="y", OTHER_SERVER__PORT="1").model_dump() == DEFAULTS


@pytest.mark.parametrize("text", ["", "server: {port: 8000}"])
def test_a_wrong_override_names_the_variable(refused: Refused, text: str) -> None:
    message = refused(text, CHATKIT_SERVER__PORT="many")
    assert message.startswith("CHATKIT_SERVER__PORT: server.port: Input should be a valid integer")


def test_an_override_of_an_unknown_key_names_the_variable(refused: Refused, file: Path) -> None:
    message = refused("server: {port: 8000}", CHATKIT_SERVER__PROT="9000")
    assert message.startswith("CHATKIT_SERVER__PROT: server.prot: unknown key. Did you mean `port`")
    assert refused("", CHATKIT_SEVER__PORT="1").startswith(
        "CHATKIT_SEVER__PORT: sever: unknown key. Did you mean `server`?"
    )
    # the file is still blamed for what it says
    assert refused("server: {port: x}", CHATKIT_SERVER__HOST="h").startswith(f"{file}:1:")


def test_an_override_below_a_value(refused: Refused) -> None:
    message = refused("server: {port: 8000}", CHATKIT_SERVER__PORT__HIGH="1")
    assert message == "CHATKIT_SERVER__PORT__HIGH: `server.port` is not a section"


# Mistakes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sever: {}", "1: sever: unknown key. Did you mean `server`?"),
        (
            "log:\n  levle: info",
            "2: log.levle: unknown key. Did you mean `level`? Known here: content, level",
        ),
        (
            "turns:\n  disconnect:\n    polcy: cancel",
            "3: turns.disconnect.polcy: unknown key. Did you mean `policy`?",
        ),
        ("agent: {history: {zzz: 1}}", "1: agent.history.zzz: unknown key. Known here: items"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest(
    refused: Refused, file: Path, text: str, expected: str
) -> None:
    assert refused(text).startswith(f"{file}:{expected}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("server: {port: many}", "1: server.port: Input should be a valid integer"),
        ("server: {port: 70000}", "1: server.port: Input should be less than or equal to 65535"),
        ("server:\n  host: [a]", "2: server.host: Input should be a valid string"),
        ("server:\n  host:", "2: server.host: Input should be a valid string, but it is empty"),
        ("server: 5", "1: server: expected a section"),
        ("plugins: [a, b]", "1: plugins: expected a section"),
        ("plugins:\n  a: text", "2: plugins.a: expected a section"),
        ("turns: {disconnect: {policy: stop}}", "1: turns.disconnect.policy: Input should be"),
        ("server: {path: api}", "1: server.path: expected a path such as /api/chat"),
    ],
)
def test_a_wrong_type_is_named_with_its_place(
    refused: Refused, file: Path, text: str, expected: str
) -> None:
    assert refused(text).startswith(f"{file}:{expected}")


def test_everything_wrong_is_told_at_once(refused: Refused) -> None:
    lines = refused("server:\n  port: x\n  hots: y\nlog: {level: loud}\n").splitlines()
    assert [line.split(": ")[1] for line in lines] == ["server.port", "server.hots", "log.level"]


def test_what_cannot_be_read_and_what_does_not_fit_is_told_at_once(read: Read, file: Path) -> None:
    """A value that cannot be read is not reported again for what it is not."""
    text = """
        server: {port: '${NO_PORT}', host: '${NO_HOST}', prot: 1, cors_origins: ['${NO_ORIGIN}']}
        agent: {name: '${A-b}', model: '${NO_MODEL}'}
        log: {level: loud, level: info}
        plugins: {one: {key: '${NO_KEY}', day: 2024-99-99}, two: text}
    """
    with pytest.raises(SettingsError) as error:
        read(text, CHATKIT_LOG__LEVEL__HIGH="1")
    lines = [line.removeprefix(f"{file}:") for line in str(error.value).splitlines()]
    places = [":".join(line.split(":")[:2]) for line in lines]
    assert places == [
        "2: server.port",
        "2: server.host",
        "2: server.cors_origins.0",
        "3: agent.name",
        "3: agent.model",
        "4: log.level",
        "5: plugins.one.key",
        "5: plugins.one.day",
        "CHATKIT_LOG__LEVEL__HIGH: `log.level` is not a section",
        "2: server.prot",
        "5: plugins.two",
    ]


def test_settings_with_mistakes_have_their_other_values(file: Path) -> None:
    file.write_text("server: {port: many, host: h, hots: x}\nplugins: {a: {b: '${NO}'}, c: }\n")
    problems = Problems()
    settings = collect_settings(file, problems, {})
    assert len(problems.lines) == 3
    assert (settings.server.port, settings.server.host) == (8000, "h")
    assert settings.plugins == {"a": {}, "c": None}
    assert settings.source.is_broken(("plugins", "a"))
    assert settings.source.is_broken(("plugins",))
    assert not settings.source.is_broken(("plugins", "c"))


@pytest.mark.parametrize(
    "text",
    ["server:\n  port: 1\n  port: 2\n", "log:\nserver:\nlog:\n", "log: \n<<: {log: }\nlog: \n"],
)
def test_a_key_written_twice(refused: Refused, file: Path, text: str) -> None:
    message = refused(text)
    assert message.startswith(f"{file}:3: ")
    assert message.endswith(": this key is here twice. Keep one")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("server: {port: 1\nplugins:\n", ":2: not valid YAML: "),
        ("server:\n\tport: 1\n", ":2: not valid YAML: "),
        ("a: *nowhere\n", ":1: not valid YAML: found undefined alias"),
        ("a: 1\n---\nb: 2\n", ":2: not valid YAML: expected a single document"),
        ("a: \x07\n", ": not valid YAML: unacceptable character"),
        ("just a text", ":1: expected sections such as"),
        ("- a\n- b\n", ":1: expected sections such as"),
        ("a: &a {b: *a}\n", ": nested too deeply, or an alias is inside its own anchor"),
        ("a: &a\n  <<: *a\n", ": nested too deeply, or an alias is inside its own anchor"),
        ("<<: 5\n", ":1: `<<` takes a section"),
        ("? [a]\n: 1\n", ":1: a key must be a plain word"),
        ("log:\n  level: !loud 5\n", ":2: log.level: cannot be read as !loud"),
        ("log:\n  level: 2024-99-99\n", ":2: log.level: cannot be read as timestamp"),
    ],
)
def test_what_is_not_yaml_or_not_settings(
    refused: Refused, file: Path, text: str, place: str
) -> None:
    assert refused(text).startswith(f"{file}{place}")


def test_a_missing_file_says_what_to_do(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"settings\.yaml: no such file.*--settings FILE"):
        load(file, {})


def test_a_file_that_is_no_text(file: Path, tmp_path: Path) -> None:
    file.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(SettingsError, match="not UTF-8, from byte 1 on"):
        load(file, {})
    with pytest.raises(SettingsError, match="this is a folder"):
        load(tmp_path, {})


# Secrets


@pytest.mark.parametrize(
    ("section", "environ"),
    [
        ("{secret: {deep: hunter2}}", {}),
        ("{api_key: 'hunter2'}", {}),
        ("{url: 'postgres://u:hunter2@h/d'}", {}),
        ("{tokens: [hunter2]}", {}),
        ("{plain: '${PW}'}", {"PW": "hunter2"}),
        ("{plain: 'x-${PW}-y'}", {"PW": "hunter2"}),
        ("{}", {"CHATKIT_PLUGINS__P__PLAIN": "hunter2"}),
    ],
)
def test_secrets_are_not_shown(read: Read, section: str, environ: dict[str, str]) -> None:
    class Config(BaseModel):
        secret: int = 0
        api_key: int = 0
        url: int = 0
        tokens: list[int] = []
        plain: int = 0

    settings = read(f"plugins:\n  p: {section}\n", **environ)
    with pytest.raises(SettingsError) as error:
        validate(Config, settings.plugins["p"] or {}, settings.source, ("plugins", "p"))
    assert "plugins.p." in str(error.value)
    assert "hunter2" not in str(error.value)


def test_a_value_from_a_variable_is_told_by_the_variable(refused: Refused, file: Path) -> None:
    message = refused("server: {port: '${MY_PORT}'}", MY_PORT="many")
    assert message.startswith(f"{file}:1: server.port: Input should be a valid integer")
    assert message.endswith(" (the value comes from the variable MY_PORT)")
    assert "many" not in message


def test_text_around_a_mistake_in_yaml_is_not_quoted(refused: Refused) -> None:
    assert "hunter2" not in refused("plugins:\n  jwt_auth: {secret: 'hunter2}\n")


# Plugins' sections, validated with their own models


class Stdio(BaseModel):
    command: str
    timeout: Duration = 10.0


class Http(BaseModel):
    url: str
    headers: dict[str, SecretStr] = {}


class Endpoint(BaseModel):
    base_url: str
    mode: Literal["chat", "responses"] = "chat"


class Config(BaseModel):
    endpoints: dict[str, Endpoint] = {}
    servers: list[Stdio | Http] = []
    audience: str | list[str] | None = None


@pytest.fixture
def section_refused(read: Read) -> Callable[[str], list[str]]:
    def refused(text: str, model: type[BaseModel] = Config) -> list[str]:
        settings = read(f"plugins:\n  p:\n{text}")
        section: Any = settings.plugins["p"]
        with pytest.raises(SettingsError) as error:
            validate(model, section, settings.source, ("plugins", "p"))
        return str(error.value).splitlines()

    return refused


SectionRefused = Callable[..., list[str]]


def test_an_unknown_key_of_a_plugin(section_refused: SectionRefused, file: Path) -> None:
    assert section_refused("    endpoint: {}\n") == [
        f"{file}:3: plugins.p.endpoint: unknown key. Did you mean `endpoints`? "
        "Known here: audience, endpoints, servers"
    ]


def test_an_unknown_key_deep_in_a_plugin(section_refused: SectionRefused, file: Path) -> None:
    assert section_refused(
        "    endpoints:\n      a: {base_url: x}\n      b:\n        moed: 1\n"
    ) == [
        f"{file}:5: plugins.p.endpoints.b.base_url: this key is required",
        f"{file}:6: plugins.p.endpoints.b.moed: unknown key. Did you mean `mode`? "
        "Known here: base_url, mode",
    ]


def test_unions_are_reported_without_the_names_of_types(section_refused: SectionRefused) -> None:
    message = "\n".join(section_refused("    servers:\n      - {ulr: x}\n"))
    assert "plugins.p.servers.0.ulr: unknown key. Did you mean `url`?" in message
    assert "plugins.p.servers.0.command: this key is required" in message
    assert "Stdio" not in message
    lines = section_refused("    audience: {a: 1}\n")
    assert [line.split(": ")[1] for line in lines] == ["plugins.p.audience"] * 2


def test_a_model_that_takes_more_keys_may() -> None:
    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")

    assert validate(Open, {"a": 1}, Source()).model_dump() == {"a": 1}


def test_the_place_without_a_file() -> None:
    with pytest.raises(SettingsError, match=r"^port: Input should be a valid integer"):
        validate(type(Settings().server), {"port": "x"}, Source())


def test_nearest() -> None:
    assert nearest("jwt_aut", ["jwt_auth", "anonymous_auth"]) == " Did you mean `jwt_auth`?"
    assert nearest("xyz", ["jwt_auth"]) == ""
