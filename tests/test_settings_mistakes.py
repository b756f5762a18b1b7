"""Settings that cannot work, or that have no effect, and what is said about them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from aiohttp import web
from chatkit_plugins.compatible_models import Config as CompatibleModels
from chatkit_plugins.litellm_models import Config as LitellmModels
from pydantic import TypeAdapter, ValidationError

from chatkit_server import SettingsError, hookimpl
from chatkit_server.agent.models import model_settings
from chatkit_server.cli.main import main
from chatkit_server.plugin.calls import Hooks
from chatkit_server.plugin.startup import set_up
from chatkit_server.settings.load import collect_settings
from chatkit_server.settings.problems import Problems
from chatkit_server.settings.schema import AgentSettings
from chatkit_server.settings.types import Duration, Host, Size
from chatkit_server.settings.urls import BaseUrl, Url, UrlPath
from chatkit_server.settings.variables import is_override
from chatkit_server.web.origins import meant_origin, problem_of

Read = Callable[..., list[str]]
WHOLE = "plugins: {tortoise_store: {url: 'sqlite://:memory:'}, anonymous_auth: , demo_model: }\n"


def problem(kind: Any, value: object) -> str | None:
    """Return why a value does not fit a type, None if it does."""
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        return error.errors()[0]["msg"].removeprefix("Value error, ")
    return None


@pytest.fixture
def problems_of(tmp_path: Path) -> Callable[..., Problems]:
    def read(text: str, **environ: str) -> Problems:
        file = tmp_path / "settings.yaml"
        file.write_text(dedent(text))
        problems = Problems()
        collect_settings(file, problems, environ)
        replaced = f"{tmp_path}/"
        problems.lines = [line.replace(replaced, "") for line in problems.lines]
        problems.warnings = [line.replace(replaced, "") for line in problems.warnings]
        return problems

    return read


ProblemsOf = Callable[..., Problems]


# Origins


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example.com",
        "http://localhost:3000",
        "http://127.0.0.1",
        "https://[::1]:3000",
        "https://xn--bcher-kva.example",
        "https://a_b.example.com:8443",
        "capacitor://localhost",
        "chrome-extension://abcdefghijklmnop",
    ],
)
def test_origins_that_browsers_send(origin: str) -> None:
    assert problem_of(origin) is None


@pytest.mark.parametrize(
    ("origin", "meant"),
    [
        ("https://Acme.com", "https://acme.com"),
        ("HTTPS://acme.com", "https://acme.com"),
        ("https://acme.com:443", "https://acme.com"),
        ("https://acme.com:0443", "https://acme.com"),
        ("http://acme.com:80/", "http://acme.com"),
        ("https://acme.com/", "https://acme.com"),
        ("https://acme.com/app?a=b#c", "https://acme.com"),
        ("acme.com", "https://acme.com"),
        ("//acme.com", "https://acme.com"),
        ("https:/acme.com", "https://acme.com"),
        ("localhost:3000", "http://localhost:3000"),
        ("localhost", "http://localhost"),
        ("127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("[::1]:3000", "http://[::1]:3000"),
        ("https://user:word@acme.com", "https://acme.com"),
        ("https://acme .com", "https://acme.com"),
        (" https://acme.com", "https://acme.com"),
        ('"https://acme.com"', "https://acme.com"),
        ('["https://acme.com"', "https://acme.com"),
        ("[https://acme.com]", "https://acme.com"),
        ("https://a.com https://b.com", "https://a.com,https://b.com"),
        ("https://a.com; https://B.com/", "https://a.com,https://b.com"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("wss://acme.com", "https://acme.com"),
        ("http://127.1:3000", "http://127.0.0.1:3000"),
        ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
    ],
)
def test_the_origin_that_is_meant(origin: str, meant: str) -> None:
    told = problem_of(origin)
    assert told == f"`{origin}` is not an origin as browsers write it. Write {meant}"


@pytest.mark.parametrize(
    ("origin", "told"),
    [
        ("https://*.acme.com", "`*` has no meaning in it. Name each origin"),
        ("*.acme.com", "`*` has no meaning in it. Name each origin"),
        ("https://acme.com:*", "`*` has no meaning in it. Name each origin"),
        ("null", "any file and any sandboxed frame sends"),
        ("file://", "any file and any sandboxed frame sends"),
        ("https://", "scheme, host and port, such as https://app.example.com"),
        ("https://acme.com:99999", "scheme, host and port"),
        ("https://[::1", "scheme, host and port"),
        ("https://-", "Write https://-"),
        ("true", "scheme, host and port"),
        ("ftp//x", "scheme, host and port"),
    ],
)
def test_origins_that_mean_nothing(origin: str, told: str) -> None:
    assert origin == "https://-" or told in (problem_of(origin) or "")


def test_any_text_is_an_origin_or_is_told() -> None:
    for text in (
        "",
        "://",
        "[",
        "]",
        "http://[",
        "http://a:b:c",
        "http://\x00",
        "é",
        "@",
        "::",
        "a@b",
    ):
        meant = meant_origin(text)
        assert meant is None or problem_of(meant) is None


# Addresses and paths


@pytest.mark.parametrize(
    "url",
    [
        *("https://x.com/v1", "http://localhost:11434/v1", "HTTPS://X.com/v1/", "https://[::1]/v1"),
        *("https://x.com", "https://x.com/api", "https://x.com/api/chat", "https://x.com/chat"),
        *("https://acme.services.ai.azure.com/models", "https://x.com/llm/models"),
        *("https://x.com/openai/deployments/gpt-4o", "https://x.com/v1beta/openai/"),
        *("https://models.github.ai/inference", "https://x.com/models/chat/v1"),
    ],
)
def test_base_urls(url: str) -> None:
    assert problem(BaseUrl, url) is None


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://x.com/v1/chat/completions", "remove `/chat/completions` from the end"),
        ("https://x.com/v1/chat/completions/", "remove `/chat/completions/` from the end"),
        ("https://x.com/v1/chat/completions?a=b", "remove `/chat/completions` from the end"),
        ("https://x.com/v1/completions", "remove `/completions` from the end"),
        ("https://x.com/v1/responses", "remove `/responses` from the end"),
        ("https://x.com/v1/models", "remove `/models` from the end"),
        ("https://x.com/v1beta/models", "remove `/models` from the end"),
        ("https://x.com/V1/Chat/Completions", "remove `/Chat/Completions` from the end"),
        ("https://x.com/v1/chat/", "remove `/chat/` from the end"),
        ("https://x.com/v1/v1", "it ends in /v1 twice"),
        ("https://x.com/v1beta/v1beta/", "it ends in /v1beta twice"),
        ("https://x.com//v1", "one slash"),
        ("https://x.com/v1?key=hunter2", "remove the `?`"),
        ("https://x.com/v1#hunter2", "remove the `#`"),
        ("x.com/v1", "begins with https:// or http://"),
        ("localhost:11434/v1", "begins with https:// or http://"),
        ("sk-hunter2", "begins with https:// or http://"),
        ("ftp://x.com/v1", "not with another scheme"),
        ("https://x.com/v1 ", "remove the spaces and quotes"),
        ("https://x .com/v1", "remove the spaces and quotes"),
        ('"https://x.com/v1"', "remove the spaces and quotes"),
        ("https:///v1", "no host"),
        ("https://x.com:99999/v1", "the port of the address is not valid"),
        ("https://[::1/v1", "the port of the address is not valid"),
    ],
)
def test_base_urls_that_cannot_work(url: str, told: str) -> None:
    message = problem(BaseUrl, url) or ""
    assert told in message
    assert "hunter2" not in message


def test_other_addresses_may_have_more_at_the_end() -> None:
    for url in ("https://x.com/mcp?key=a", "https://x.com/chat/completions", "https://x.com//a"):
        assert problem(Url, url) is None


def test_which_plugins_check_their_base_urls() -> None:
    wrong = {"base_url": "https://x.com/v1/chat/completions"}
    with pytest.raises(ValidationError, match="remove `/chat/completions` from the end"):
        CompatibleModels.model_validate({"endpoints": {"mine": wrong}})
    with pytest.raises(ValidationError, match="remove `/chat/completions` from the end"):
        LitellmModels.model_validate({"providers": {"openai": wrong}})
    # LiteLLM itself adds nothing for some others
    assert LitellmModels.model_validate({"providers": {"azure_ai": wrong, "anthropic": None}})


@pytest.mark.parametrize("path", ["/api/chat", "/chat", "/a-b_c.d~e/1", "/v1/chat:run"])
def test_paths(path: str) -> None:
    assert problem(UrlPath, path) is None


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/", "expected a path such as /api/chat"),
        ("", "expected a path such as /api/chat"),
        ("api", "Write /api"),
        ("/api/chat/", "Write /api/chat"),
        ("https://x.com/api/chat", "Write /api/chat"),
        ("/api//chat", "Write /api/chat"),
        ("//api", "Write /api"),
        (" /api", "Write /api"),
        ("/api/{x}", "expected a path"),
        ("/api%2Fchat", "expected a path"),
        ("/äpi", "expected a path"),
        ("/a b", "expected a path"),
        ("/a\\b", "expected a path"),
        ("/api?x", "no `?` and no `#`"),
        ("/api#x", "no `?` and no `#`"),
        ("/a/../b", "remove `.` and `..`"),
        ("/./b", "remove `.` and `..`"),
        ("/healthz", "is a health check of the server"),
        ("/readyz", "is a health check of the server"),
    ],
)
def test_paths_that_cannot_work(path: str, told: str) -> None:
    assert told in (problem(UrlPath, path) or "")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "my_box-1.internal", "::", "[::1]", "fe80::1%eth0", "höst", "127.1"],
)
def test_hosts_to_listen_on(host: str) -> None:
    assert problem(Host, host) is None


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("http://127.0.0.1", "no scheme"),
        ("127.0.0.1:8000", "the port in `port`"),
        ("[::1]:8000", "the port in `port`"),
        ("[::1", "expected an address"),
        ("/run/chatkit.sock", "no path"),
        ("my box", "expected an address"),
        ("*", "write 0.0.0.0"),
    ],
)
def test_hosts_that_no_machine_has(host: str, told: str, problems_of: ProblemsOf) -> None:
    [line] = problems_of(f"server: {{host: '{host}'}}").lines
    assert told in line


def test_a_host_of_the_command_line_that_no_machine_has(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["run", "--host", "127.0.0.1:8000"]) == 2
    assert "the port in `port`, not '127.0.0.1:8000'" in capsys.readouterr().err


async def answer(_: web.Request) -> web.Response:
    return web.Response()


class Routes:
    """Adds routes."""

    def __init__(self, *routes: tuple[str, str]) -> None:
        self.routes = routes

    @hookimpl
    def setup(self, app: web.Application) -> None:
        for method, path in self.routes:
            app.router.add_route(method, path, answer)


def set_up_with(*plugins: Routes) -> None:
    app = web.Application()
    for method, path in (
        ("POST", "/api"),
        ("GET", "/healthz"),
        ("GET", "/api/turns/{id}"),
        ("GET", "/x"),
    ):
        app.router.add_route(method, path, answer)
    set_up(Hooks.of([(f"p{i}", plugin) for i, plugin in enumerate(plugins)]), app)


@pytest.mark.parametrize(
    ("plugins", "told"),
    [
        ([Routes(("POST", "/api"))], "plugin p0: POST /api would never be called"),
        ([Routes(("*", "/api"))], "plugin p0: * /api would never be called"),
        ([Routes(("GET", "/healthz"))], "the server has a route there, /healthz"),
        ([Routes(("GET", "/api/turns/{other}"))], "the server has a route there, /api/turns/{id}"),
        (
            [Routes(("GET", "/a/{x}")), Routes(("GET", "/b"), ("GET", "/a/{y}"))],
            "plugin p1: GET /a/{y} would never be called, because plugin p0 has a route there",
        ),
    ],
)
def test_routes_that_are_never_called(plugins: list[Routes], told: str) -> None:
    with pytest.raises(SettingsError) as error:
        set_up_with(*plugins)
    [line] = str(error.value).splitlines()
    assert told in line


def test_routes_that_share_a_path_and_are_called() -> None:
    set_up_with(
        Routes(("GET", "/api"), ("POST", "/healthz"), ("GET", "/{rest:.*}"), ("GET", "/page")),
        Routes(("GET", "/api/turns/special"), ("POST", "/page"), ("GET", "/static/{file}")),
    )


# Variables


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("CHATKIT_SERVER_PORT", "CHATKIT_SERVER__PORT"),
        ("CHATKIT_PORT", "CHATKIT_SERVER__PORT"),
        ("CHATKIT_MODEL", "CHATKIT_AGENT__MODEL"),
        ("CHATKIT_SERVER_CORS_ORIGINS", "CHATKIT_SERVER__CORS_ORIGINS"),
        ("CHATKIT_SERVRE_PORT", "CHATKIT_SERVER__PORT"),
        ("chatkit_server__port", "CHATKIT_SERVER__PORT"),
        ("Chatkit_Server_Port", "CHATKIT_SERVER__PORT"),
        ("CHATKIT_TURNS_LIMITS_TURN", "CHATKIT_TURNS__LIMITS__TURN"),
        ("CHATKIT_PLUGINS_JWT_AUTH_SECRET", "CHATKIT_PLUGINS__JWT_AUTH__SECRET"),
        ("CHATKIT_JWT_AUTH_ISSUER", "CHATKIT_PLUGINS__JWT_AUTH__ISSUER"),
    ],
)
def test_a_variable_that_overrides_nothing(problems_of: ProblemsOf, name: str, meant: str) -> None:
    problems = problems_of("plugins: {jwt_auth: {issuer: me}}", **{name: "1"})
    assert problems.lines == []
    [line] = problems.warnings
    assert line.startswith(f"{name}: this variable does nothing. Did you mean {meant}?")


def test_a_variable_like_no_other(problems_of: ProblemsOf) -> None:
    [line] = problems_of("", CHATKIT_XYZZY="1").warnings
    assert line.startswith("CHATKIT_XYZZY: this variable does nothing. Settings are overridden by")


def test_variables_that_are_used_or_meant_for_others(problems_of: ProblemsOf) -> None:
    problems = problems_of(
        "agent: {model: '${CHATKIT_MODEL}', name: '${CHATKIT_A:-x} ${CHATKIT_B:-y}'}",
        CHATKIT_MODEL="demo/x",
        CHATKIT_A="a",
        CHATKIT_B="b",
        CHATKIT_SERVER__HOST="h",
        CHATKIT="x",
        MY_CHATKIT_PORT="1",
    )
    assert (problems.lines, problems.warnings) == ([], [])


@pytest.mark.parametrize("service", ["CHATKIT", "CHATKIT_SERVER", "CHATKIT_FRONTEND_2"])
@pytest.mark.parametrize("protocol", ["tcp", "udp", "sctp"])
def test_variables_of_kubernetes_and_docker(
    problems_of: ProblemsOf, service: str, protocol: str
) -> None:
    """All that they set for a service with two ports, or for a link."""
    address = f"{protocol}://10.0.0.1:80"
    port = f"PORT_80_{protocol.upper()}"
    variables = {
        "SERVICE_HOST": "10.0.0.1",
        "SERVICE_PORT": "80",
        "SERVICE_PORT_HTTP": "80",
        "SERVICE_PORT_HTTP_METRICS": "9100",
        "PORT": address,
        port: address,
        f"{port}_PROTO": protocol,
        f"{port}_PORT": "80",
        f"{port}_ADDR": "10.0.0.1",
        "NAME": "/web/chatkit",
        "ENV_PATH": "/usr/bin",
    }
    given = {f"{service}_{name}": value for name, value in variables.items()}
    assert problems_of("", **given).warnings == []


def test_variables_as_kubernetes_never_sets_them(problems_of: ProblemsOf) -> None:
    given = {"CHATKIT_PORT": "9000", "CHATKIT_NAME": "Support", "CHATKIT_PORT_80": "80"}
    assert len(problems_of("", **given).warnings) == 3


def test_only_variables_that_override_are_proposed(problems_of: ProblemsOf) -> None:
    for name in ("CHATKIT_IMAGE", "CHATKIT_AGENT", "CHATKIT_PLUGIN_DIRS"):
        [line] = problems_of("agent: {name: x}\nplugins: {a: }", **{name: "x"}).warnings
        _, asked, meant = line.partition("Did you mean ")
        assert not asked or is_override(meant.partition("?")[0])


@pytest.mark.parametrize(
    "text", ["agent:\n  model_settings:", "hooks:\n  timeouts:", "turns:\n  limits:", "server:"]
)
def test_a_section_whose_keys_are_all_comments(problems_of: ProblemsOf, text: str) -> None:
    assert problems_of(f"{text}\n    # more: 1").lines == []


def test_a_question_comes_after_what_was_given(problems_of: ProblemsOf) -> None:
    [line] = problems_of("server: {max_body: 16MiB}").lines
    assert line.endswith("such as 64kB or 16MB, not '16MiB'. Did you mean 16MB?")


def test_a_number_in_place_of_text(problems_of: ProblemsOf) -> None:
    lines = problems_of("agent: {name: no, model: 5}").lines
    assert [line.partition("valid string")[2] for line in lines] == [
        ", not False. Put it in quotes",
        ", not 5. Put it in quotes",
    ]


def test_times_and_ports_are_no_numbers_to_the_base_60(problems_of: ProblemsOf) -> None:
    assert problems_of("agent: {name: 12:30}").lines == []
    [line] = problems_of("server: {port: 80:00}").lines
    assert line.endswith("not '80:00'")


def test_an_empty_override_is_told_as_such(problems_of: ProblemsOf) -> None:
    [line] = problems_of("", CHATKIT_SERVER__PORT="").lines
    assert line.endswith("but the variable is empty")


# Unknown keys


def test_unknown_keys_inside_of_model_settings() -> None:
    given = {
        "temprature": 1,
        "reasoning": {"efort": "low"},
        "retry": {"max_retris": 1, "backoff": {"initial": 1}},
        "extra_body": {"anything": {"goes": 1}},
        "metadata": {"anything": "goes"},
    }
    with pytest.raises(SettingsError) as error:
        model_settings(AgentSettings(model_settings=given))
    assert "`top_k`, go into `extra_body`" in str(error.value)
    assert [line.partition("?")[0] + "?" for line in str(error.value).splitlines()] == [
        "agent.model_settings.temprature: unknown key. Did you mean `temperature`?",
        "agent.model_settings.reasoning.efort: unknown key. Did you mean `effort`?",
        "agent.model_settings.retry.max_retris: unknown key. Did you mean `max_retries`?",
        "agent.model_settings.retry.backoff.initial: unknown key. Did you mean `initial_delay`?",
    ]


# Values


@pytest.mark.parametrize("text", ["server: {port: true}", "agent: {max_turns: no}"])
def test_true_and_false_are_no_numbers(problems_of: ProblemsOf, text: str) -> None:
    [line] = problems_of(text).lines
    assert "Input should be a valid integer" in line


def test_a_variable_without_braces_is_told(problems_of: ProblemsOf) -> None:
    problems = problems_of("agent:\n  model: $MODEL\n  name: costs $5\n", MODEL="demo/x")
    assert problems.lines == []
    [line] = problems.warnings
    assert line.startswith("settings.yaml:2: agent.model: a name after `$` is text")


def test_a_list_of_plugins_is_told_how_to_write_them(problems_of: ProblemsOf) -> None:
    [line] = problems_of("plugins: [anonymous_auth]").lines
    assert line.endswith("and not a list. Write `name:` without a dash before it")


# Units


@pytest.mark.parametrize(
    ("kind", "text", "meant"),
    [
        (Duration, "5sec", "5s"),
        (Duration, "5 seconds", "5s"),
        (Duration, "5S", "5s"),
        (Duration, "1.5min", "1.5m"),
        (Duration, "2 Hours", "2h"),
        (Duration, "100 millis", "100ms"),
        (Size, "5mb", "5MB"),
        (Size, "5MiB", "5MB"),
        (Size, "64KB", "64kB"),
        (Size, "64k", "64kB"),
        (Size, "10 bytes", "10B"),
    ],
)
def test_a_unit_that_is_written_in_another_way(kind: object, text: str, meant: str) -> None:
    assert (problem(kind, text) or "").endswith(f". Did you mean {meant}?")


@pytest.mark.parametrize("text", ["-5s", "1m30s", "5", "s", "infinity", "1e3s", "5 parsecs"])
def test_no_other_unit_is_guessed(text: str) -> None:
    assert problem(Duration, text) == "expected a duration such as 250ms, 10s or 5m"


# Limits beside others


def test_limits_that_are_never_reached(problems_of: ProblemsOf) -> None:
    problems = problems_of(
        """
        server: {max_body: 1kB, keep_alive: 5m}
        requests: {size: 10MB}
        turns: {limits: {turn: 10s, tool: 1m, tenant: 2000}}
        """,
        CHATKIT_HOOKS__TIMEOUT="1h",
    )
    assert problems.lines == []
    assert [line.partition(", because")[0] for line in problems.warnings] == [
        "settings.yaml:3: requests.size: this limit is never reached",
        "settings.yaml:4: turns.limits.tool: this limit is never reached",
        "settings.yaml:4: turns.limits.tenant: this limit is never reached",
        "CHATKIT_HOOKS__TIMEOUT: hooks.timeout: this limit is never reached",
        "settings.yaml:2: server.keep_alive: most proxies close a stream that is silent for 60s. "
        "Make it shorter",
    ]


# YAML


def test_mistakes_in_the_yaml_of_several_sections_are_told_with_all_others(
    problems_of: ProblemsOf,
) -> None:
    problems = problems_of(
        """\
        server: {port: 1
        agent: {nam: x}
        turns:
        \tkeep: 1s
        log:
          level: loud
        hooks: [a
        requests:
        requests: {size: 1}
        """
    )
    lines = [line.removeprefix("settings.yaml:") for line in problems.lines]
    assert [line.partition(", ")[0].partition(". ")[0] for line in lines] == [
        "2: not valid YAML: while parsing a flow mapping",
        "4: not valid YAML: while scanning for the next token",
        "8: not valid YAML: while parsing a flow sequence",
        "9: requests: this key is here twice",
        "2: agent.nam: unknown key",
        "6: log.level: Input should be 'debug'",
    ]
    assert "Indent with spaces" in lines[1]


@pytest.mark.parametrize(
    "text",
    [
        "server:\n  port: 1\nplugins\n  anonymous_auth:\n  tortoise_store:\n",
        "server:\n  port: 1\n plugins:\n  anonymous_auth:\n  tortoise_store:\n",
        'server: {port: 1\n"plugins":\n  anonymous_auth:\n  tortoise_store:\n',
        "server:\n  port: 1\nagent\n  model: x\nplugins: {anonymous_auth: , tortoise_store: }\n",
    ],
)
def test_what_lines_that_cannot_be_read_may_say_is_not_missed(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    assert main(["check", "--settings", str(file)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert ["not valid YAML" in line for line in lines] == [True]


def test_an_anchor_of_a_section_that_cannot_be_read_is_no_mistake(problems_of: ProblemsOf) -> None:
    problems = problems_of("agent: &a {name: x\nserver: *a\nlog: {level: loud}\n")
    assert [line.split(": ")[1] for line in problems.lines] == ["not valid YAML", "log.level"]


# The commands


def test_check_tells_warnings_and_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(WHOLE.replace(" }", ", litellm_models: {providers: {anthropc: }}}"))
    monkeypatch.setenv("CHATKIT_SERVER_PORT", "1")
    # As in a process of its own, where the command line has a handler for warnings
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    assert main(["check", "--settings", str(file)]) == 1
    out, err = capsys.readouterr()
    assert "OK. Plugins:" in out
    first, second = err.splitlines()
    assert first.startswith(
        "warning: CHATKIT_SERVER_PORT: this variable does nothing. Did you mean"
    )
    assert second == (
        "warning: plugins.litellm_models.providers.anthropc: LiteLLM lists no provider of this "
        "name. Did you mean `anthropic`?"
    )


def told(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> list[str]:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    assert main(["check", "--settings", str(file)]) == 2
    lines = capsys.readouterr().err.splitlines()
    return [line.replace(f"{tmp_path}/", "").removeprefix("chatkit-server: ") for line in lines]


def test_limits_of_plugins_that_are_not_enabled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"hooks: {{timeouts: {{demo_modle: 1s, pre_turn: 1s, demo_model: 1s}}}}\n{WHOLE}"
    lines = told(tmp_path, capsys, text)
    assert [line.partition(" Enabled: ")[0] for line in lines] == [
        "settings.yaml:1: hooks.timeouts.demo_modle: no plugin of this name is enabled. Did you "
        "mean `demo_model`?",
        "settings.yaml:1: hooks.timeouts.pre_turn: this is a hook, and the limit is for a "
        "plugin: write its name.",
    ]


def test_a_plugin_that_only_refuses_lets_nobody_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my_plugins").mkdir()
    (tmp_path / "my_plugins" / "gate.py").write_text(
        dedent(
            """
            from chatkit_server import hookimpl

            auth_tenants = set()

            @hookimpl
            async def auth(request):
                return None
            """
        )
    )
    [line] = told(tmp_path, capsys, WHOLE.replace("anonymous_auth", "gate"))
    assert line.startswith("settings.yaml:1: plugins: none of them says who the user is")


def test_what_setup_refuses_is_told_with_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"server: {{host: 0.0.0.0}}\nagent: {{model: x/y}}\n{WHOLE}"
    lines = told(tmp_path, capsys, text)
    assert [line.partition(" ")[0] for line in lines] == [
        "settings.yaml:2:",
        "plugin",
    ]


def test_a_plugin_that_is_not_installed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [line] = told(tmp_path, capsys, WHOLE.replace(" }", ", acme.plugin: }"))
    assert "ModuleNotFoundError: No module named 'acme'. Install its package for /" in line


@pytest.mark.parametrize("model", ["demo", "demo/"])
def test_a_prefix_is_no_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    [line] = told(tmp_path, capsys, f"agent: {{model: {model}}}\n{WHOLE}")
    assert f"serves the model `{model}`. Write a name after the prefix: `demo/NAME`." in line


def test_a_path_that_another_plugin_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = f"server: {{path: /api/mcp}}\n{WHOLE.replace(' }', ', todo_mcp: }')}"
    assert told(tmp_path, capsys, text) == [
        "plugin todo_mcp: POST /api/mcp would never be called, because the server has a route "
        "there, /api/mcp. Change it, or `server.path`"
    ]
