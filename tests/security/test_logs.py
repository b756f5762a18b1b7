"""Nobody can forge a record, make it long, or find a secret in it."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import httpx2
import openai
import pytest
import yaml
from chatkit_plugins.mcp_servers import Config as McpConfig
from pydantic import BaseModel, Field, SecretStr

from chatkit_server import add_secret, mask_secrets, masking
from chatkit_server.agent.responses import refused
from chatkit_server.logs import FORMAT, INDENT, LineHandler, NamesTurn, WithoutContent
from chatkit_server.masking import Secrets, in_one_line
from chatkit_server.settings.load import load
from chatkit_server.settings.secrets import is_secret, remember_environment, remember_secrets
from chatkit_server.testing.model_server import Call, ModelServer
from chatkit_server.turns.failures import explain, log_failure
from tests.processes import MODULE, environment, running, started
from tests.security.hostile_text import BREAKS, CONTROLS, FORGED, HOSTILE

RECORD = re.compile(r"^\S+ \S+ [A-Z]+ [\w.]+: ")
SECRET = "sk-proj-Zq7Yx2+/Wv\"é'4kT9"
SIZE = 4_000


@pytest.fixture
def secrets() -> Secrets:
    """The process's secrets, of which each test begins with none."""
    return masking.SECRETS


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def written(
    text: object, *args: Any, error: BaseException | None = None, size: int = SIZE, **extra: Any
) -> str:
    """Return what is written of a record, with `log.content`."""
    info = (type(error), error, error.__traceback__) if error is not None else None
    record = logging.LogRecord("some.library", logging.ERROR, "file.py", 1, text, args, info)
    record.__dict__.update(extra)
    return NamesTurn(FORMAT, size).format(record)


def assert_whole(text: str) -> None:
    """One record: a line, and perhaps more that are indented; nothing that is not shown."""
    first, *others = re.split("|".join(BREAKS), text)
    assert RECORD.match(first)
    assert all(line.startswith(INDENT) for line in others)
    for line in (first, *others):
        assert line.isprintable()
        line.encode()


# One record is one line


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_record_is_one_line(text: str) -> None:
    for record in (
        written(text),
        written("said %s", text),
        written("said %(text)s", {"text": text}),
        written("said", error=raised(ValueError(text))),
        written(text, error=raised(ValueError("x"))),
        written("said", stack_info=f"Stack\n{text}"),
        written("said", exc_text=text),
        written("said", name=f"library {text}").replace("library ", "library", 1),
        written("said", levelname="ERROR"),
    ):
        first, *others = record.split("\n")
        assert first.isprintable()
        assert not any(line.startswith(FORGED) for line in others)
        assert all(line.startswith(INDENT) and line.isprintable() for line in others)
    assert "\n" not in written(text)


def test_what_is_escaped_can_still_be_read() -> None:
    assert written("a\x1b[2Jb\nc\u2028d\ud800").endswith(r"a\x1b[2Jb\nc\u2028d\ud800")
    assert written("日本語 🙂 naïve").endswith("日本語 🙂 naïve")


def test_notes_causes_and_groups_of_an_exception_are_indented() -> None:
    error = ExceptionGroup(FORGED, [ValueError(f"x\n{FORGED}"), KeyError("k")])
    error.add_note(f"note\n{FORGED}")
    error.__cause__ = raised(OSError(f"cause\r{FORGED}"))
    text = written("failed", error=raised(error))
    assert_whole(text)
    assert "ValueError: x" in text
    assert r"cause\r" in text


class Broken(Exception):
    """An exception that cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


def test_a_record_that_cannot_be_formatted_is_told_in_a_line() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    for text in (
        written("%s %s", f"x\n{FORGED}"),
        written(f"%d\n{FORGED}", "x"),
        written("%s", Broken()),
        written("%s", nested),
        written("failed", error=raised(Broken())),
    ):
        assert_whole(text)
    while nested:
        nested = nested.pop()
    assert "its arguments do not fit: TypeError" in written("%d", "x")


def test_a_stream_that_takes_no_character_gets_the_record_all_the_same(tmp_path: Path) -> None:
    with open(tmp_path / "log", "w", encoding="ascii", errors="strict") as stream:
        handler = LineHandler(stream)
        handler.setFormatter(NamesTurn("%(message)s"))
        for text in ("日本", "\udcff"):
            handler.handle(logging.LogRecord("a", logging.INFO, "f.py", 1, text, (), None))
    assert (tmp_path / "log").read_text() == "\\u65e5\\u672c\n\\udcff\n"


def test_a_formatter_that_fails_is_told_in_a_line(tmp_path: Path) -> None:
    with open(tmp_path / "log", "w") as stream:
        handler = LineHandler(stream)
        handler.setFormatter(NamesTurn("%(missing)s"))
        handler.handle(logging.LogRecord("a", logging.INFO, "f.py", 1, "x\n%s", (FORGED,), None))
    assert (tmp_path / "log").read_text() == "f.py:1: a record cannot be written: ValueError\n"


# A record has a limit


@pytest.mark.parametrize("character", ["x", "é", "漢", "\x1b", "\ud800", "🙂", "a\n"], ids=ascii)
def test_records_are_cut(character: str) -> None:
    text = character * (50_000 // len(character))
    for record in (
        written(text),
        written("said %s!", text),
        written("said %r!", text),
        written("said %s!", [text]),
        written("said", error=raised(ValueError(text))),
        written(text, error=raised(ValueError(text))),
    ):
        assert 2_000 < len(record.encode()) <= SIZE
        assert_whole(record)
        [told] = re.findall(r"… \[(\d+) characters left out\]", record)[-1:]
        assert int(told) > 40_000, record


def test_what_follows_a_long_argument_is_kept() -> None:
    text = written("%s failed: %s", "x" * 100_000, "the reason")
    assert "… failed: the reason … [98000 characters left out]" in text


def test_a_long_traceback_keeps_its_beginning_and_its_end() -> None:
    def fail(depth: int) -> None:
        if depth == 0:
            raise ValueError("the reason")
        exec(f"def f{depth}(fail): fail({depth - 1})", named := dict[str, Any]())
        named[f"f{depth}"](fail)

    with pytest.raises(ValueError, match="the reason") as caught:
        fail(100)
    text = written("failed", error=caught.value)
    assert len(text.encode()) <= SIZE
    lines = text.split("\n")
    assert lines[1] == "  Traceback (most recent call last):"
    assert lines[-1] == "  ValueError: the reason"
    assert 'raise ValueError("the reason")' in text
    assert len([line for line in lines if "characters left out]" in line]) == 1


def test_what_is_left_out_is_not_looked_at() -> None:
    class Counted(str):
        """Text of 100 MB that notes how much of it is taken."""

        taken = 0

        def __getitem__(self, key: Any) -> str:
            part = super().__getitem__(key)
            Counted.taken += len(part)
            return part

        def __str__(self) -> str:
            raise AssertionError("all of it was taken")

    text = written("%s and %s", Counted("\x1b" * 100_000_000), "more")
    assert len(text.encode()) <= SIZE
    assert 0 < Counted.taken <= SIZE


def test_content_is_left_out_of_what_is_cut() -> None:
    private = "private " * 20_000
    for text in (
        f"1 error\n  input_value='{private}', input_type=str]",
        f"Executing <Task finished result='{private}'> took 1 s",
        f"Executing <TimerHandle when=1 f('{private}')> took 1 s",
        f"<Task finished name='x' exception=ValueError('{private}')>",
        f"failed\nDETAIL:  Failing row contains ({private}).",
    ):
        record = logging.LogRecord("asyncio", logging.ERROR, "f.py", 1, text, (), None)
        line = WithoutContent(FORMAT).format(record)
        assert "private" not in line
        assert "<omitted>" in line


# No record has a secret


def spelled(secret: str) -> list[str]:
    """Return how a secret may stand in a log."""
    return [
        secret,
        f"'{secret}'",
        repr(secret),
        repr(repr(secret)),
        repr(secret.encode()),
        json.dumps({"key": secret}),
        json.dumps({"key": secret}, ensure_ascii=False),
        json.dumps(json.dumps(secret)),
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        quote(secret, safe="").lower() if secret.islower() else quote(secret, safe=""),
        html.escape(secret),
        base64.b64encode(secret.encode()).decode(),
        *(base64.b64encode(f"{user}:{secret}".encode()).decode() for user in ("", "a", "ab")),
        base64.urlsafe_b64encode(f"a{secret}b".encode()).decode(),
    ]


@pytest.mark.parametrize("secret", [SECRET, "hunter2", "pass word/1", "ключ-1234", "ab1-" * 125])
def test_secrets_are_masked_in_all_spellings(secret: str, secrets: Secrets) -> None:
    add_secret(secret)
    for text in spelled(secret):
        shown = mask_secrets(f"before {text} after")
        assert masking.MASK in shown, text
        assert shown.startswith("before "), text
        assert shown.endswith(" after"), text
        assert secret not in shown
        assert text.strip("'\"=") not in shown


def test_secrets_are_masked_wherever_they_are(secrets: Secrets) -> None:
    add_secret(SECRET)
    error = raised(ValueError(f"Incorrect API key provided: {SECRET}"))
    error.add_note(SECRET)
    for text in (
        written(SECRET),
        written("key %s", SECRET),
        written("key %r", {"headers": {"Authorization": f"Bearer {SECRET}"}}),
        written("failed", error=error),
        written("failed", stack_info=SECRET),
        written("failed", exc_text=SECRET),
        written(f"%d {SECRET}", "x"),
    ):
        assert SECRET not in text
        assert masking.MASK in text
    assert "sk-proj" not in written("failed", error=error)


def test_the_longer_of_two_secrets_is_masked_as_a_whole(secrets: Secrets) -> None:
    secrets.add(["alpha-123456", "alpha-123456-beta-99", "456-beta"])
    assert mask_secrets("x alpha-123456-beta-99 y alpha-123456 z") == "x *** y *** z"


def test_a_secret_that_is_cut_off_is_masked(secrets: Secrets) -> None:
    secret = "sk-" + "0123456789abcdef" * 4
    add_secret(secret)
    for padding in range(SIZE - 150, SIZE):
        assert secret[:12] not in written("x" * padding + secret + "y" * SIZE)
    for padding in range(0, 200, 7):
        text = "\n".join(("x" * padding, *([f"key={secret}" * 3] * 1000)))
        shown = written("failed", error=raised(ValueError(text)))
        assert len(shown.encode()) <= SIZE
        assert "0123456789" not in shown
        assert "9abcdef" not in shown
    for end in ("", "…", "...", "****wxyz"):
        assert mask_secrets(f"key {secret[:30]}{end}") == f"key ***{end}"
    assert mask_secrets("sk-01234 is no key") == "sk-01234 is no key"


KEY = "sk-proj-AbC123dEf456GhI789jKl0"


@pytest.mark.parametrize("after", [")", '"', " (request 1)", "]", ".", ": no"])
def test_most_of_a_secret_is_masked_whatever_follows(secrets: Secrets, after: str) -> None:
    add_secret(KEY)
    assert mask_secrets(f"bad {KEY[:-3]}{after}") == f"bad ***{after}"
    # A prefix that many keys have is a word
    assert mask_secrets(f"bad {KEY[:7]}{after}") == f"bad {KEY[:7]}{after}"


def test_words_are_masked_before_they_are_cut(secrets: Secrets) -> None:
    add_secret(KEY)
    for shown in range(5, 60):
        assert KEY[:12] not in in_one_line(f"Incorrect key: {KEY}\nor so", shown)


@pytest.mark.parametrize(
    "gap",
    [
        *(" ", "\n", "\r\n  ", "\t", "\xa0", "\u2028", "\u200b", "\x00", "\ufeff", "\u202e"),
        *("\\n", "\\r\\n", "\\\\n", "\\x0a", "\\u000a", "\\u200b", "%0A", "%20"),
    ],
    ids=ascii,
)
def test_a_secret_broken_into_pieces_is_masked(gap: str, secrets: Secrets) -> None:
    add_secret(KEY)
    for at in range(1, len(KEY)):
        broken = f"{KEY[:at]}{gap}{KEY[at:]}"
        assert mask_secrets(f"a {broken} b") == "a *** b"
    assert mask_secrets(f"a {gap.join(KEY)} b {KEY} c") == "a *** b *** c"
    assert mask_secrets(f"a {KEY[:9]}{gap}{KEY[9:20]}") == "a ***"
    whole = base64.b64encode(KEY.encode()).decode()
    assert whole[:20] not in mask_secrets(f"a {whole[:20]}{gap}{whole[20:]} b").replace(gap, "")


def test_words_that_have_no_secret_stay(secrets: Secrets) -> None:
    add_secret("today12")
    add_secret("correct-horse-battery")
    text = r"to day 12, C:\new\report, 100%20, correct horse battery" + "\n\u200bends"
    assert mask_secrets(text) == text


def test_slashes_as_php_writes_them(secrets: Secrets) -> None:
    add_secret("Zq7Yx2/Wv4kT9/abc")
    assert mask_secrets(json.dumps("Zq7Yx2/Wv4kT9/abc").replace("/", "\\/")) == '"***"'


def test_arguments_that_are_cut_end_in_no_part_of_a_secret(secrets: Secrets) -> None:
    add_secret(KEY)
    for kept in range(8, len(KEY)):
        text = "x" * (SIZE // 2 - kept) + KEY * 2
        for shown in (written("(%s)", text), written("(%s)", text.encode())):
            assert KEY[:8] not in shown
        long = "x" * (SIZE // 2 - kept - 1) + KEY * 2
        assert KEY[:8] not in written(long, "an argument")


@pytest.mark.parametrize("message", [f"bad {KEY}", f"bad {KEY[:15]}\n{KEY[15:]} key"])
def test_words_of_a_provider_are_masked_before_they_are_cut(
    message: str, secrets: Secrets, caplog: pytest.LogCaptureFixture
) -> None:
    add_secret(KEY)
    request = httpx2.Request("POST", "http://model.example/")
    response = httpx2.Response(400, request=request)
    for padding in (0, *range(450, 500)):
        text = "x" * padding + message
        error = openai.BadRequestError(text, response=response, body={"message": text})
        log_failure("turn_1", explain(error), error)
    assert len(caplog.messages) == 51
    for told in caplog.messages:
        assert KEY[:8] not in told
        assert KEY[15:] not in told


async def test_addresses_that_a_provider_names_are_marked_where_they_are_cut() -> None:
    async def nothing() -> AsyncIterator[bytes]:
        yield b""

    for kept in range(8, 30):
        address = "x" * (200 - kept) + KEY
        for status, name in ((302, "location"), (503, "content-encoding")):
            body = await refused(status, {name: address}, nothing())
            assert body is not None
            assert f"{KEY[:kept]}…" in body.decode() or kept == len(KEY)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("to postgres://anna:pw@db/x", "to postgres://anna:***@db/x"),
        ("redis://:p@ss@host:1", "redis://:***@host:1"),
        ("GET /x?key=AIza123&b=1", "GET /x?key=***&b=1"),
        ("/x?a=1&access_token=abc,", "/x?a=1&access_token=***"),
        ("keys at http://a/j?token=abc: status 500", "keys at http://a/j?token=***: status 500"),
        ("{'Authorization': 'Bearer abcdef12345'}", "{'Authorization': 'Bearer ***'}"),
        ("Basic dXNlcjpwYXNzd29yZA==", "Basic ***"),
        ("token eyJhbGciOiJIUzI1.eyJzdWIiOiJhbm5h.c2ln ends", "token *** ends"),
        ("Basic information about bearer authentication", None),
        ("http://127.0.0.1:8000/mail/anna@example.com", None),
        ("a key=value pair; see https://example.com/?page=2", None),
    ],
)
def test_secrets_that_nobody_named_are_masked_by_their_place(text: str, shown: str | None) -> None:
    assert mask_secrets(text) == (shown or text)


@pytest.mark.parametrize(
    "part", ["://a:", "?key=", "&token", "Bearer ", "Basic 1", "eyJ", "-eyJ", ".eyJ", "://:@"]
)
def test_masking_takes_linear_time(part: str, secrets: Secrets) -> None:
    add_secret(SECRET)
    # It would take minutes otherwise, and the test's timeout ends it
    assert mask_secrets(part * 200_000)


# Which values are secrets


def test_names_of_secrets() -> None:
    for name in (
        *("api_key", "key", "apiKey", "API_KEY", "OPENAI_API_KEY", "X-Api-Key", "token", "PAT"),
        *("GITHUB_TOKEN", "clientSecret", "secret", "password", "DB_PASSWD", "Authorization"),
        *(
            "Cookie",
            "proxy-authorization",
            "KEY_2",
            "SECRET_VALUE",
            "credentials",
            "keys",
            "APIKey",
        ),
    ):
        assert is_secret(name), name
    for name in (
        *("secret_file", "public_key", "user_claim", "token_url", "key_id", "model", "name"),
        *("monkey", "keyboard", "path", "", "passenger", "jwks_url", "MAX_TOKENS"),
    ):
        assert not is_secret(name), name


def test_secrets_in_settings(tmp_path: Path, secrets: Secrets) -> None:
    plugins = {
        "openai_models": {"api_key": "${SOME_VARIABLE}"},
        "tortoise_store": {"url": "postgresql://anna:db-p@ss-1@host/x?sslpassword=ssl-pass-2"},
        "mcp_servers": {
            "servers": [
                {"headers": {"Authorization": "Bearer bearer-3", "X-Title": "My chat"}},
                {"headers": {"X-Anything": "header-4"}},
                {"headers": {"Authorization": "Basic " + base64.b64encode(b"u:basic-5").decode()}},
                {"args": ["run", "--api-key", "args-6", "--token=args-7", "--name", "visible"]},
                {"env": {"GITHUB_TOKEN": "env-88", "MODE": "visible"}},
            ]
        },
        "api_keys": {"keys": {"anna": "nested-9"}},
    }
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump({"plugins": plugins}))
    environ = {
        "SOME_VARIABLE": "substituted-10",
        "GEMINI_API_KEY": "environment-11",
        "HTTPS_PROXY": "http://u:proxy-12@proxy:80",
        "CHATKIT_PLUGINS__JWT_AUTH__SECRET": "overridden-13",
        "PWD": "/home/directory",
        "BASE64_KEY": "/base64/14+x",
        "SOME_CREDENTIALS": str(tmp_path),
        "SECRET_PATH": "/run/secrets/x",
        "MODE": "visible",
    }
    load(tmp_path / "settings.yaml", environ)
    hidden = [
        *("db-p@ss-1", "db-p", "ssl-pass-2", "bearer-3", "header-4", "basic-5", "args-6", "args-7"),
        *("env-88", "nested-9", "substituted-10", "environment-11", "proxy-12", "overridden-13"),
        "/base64/14+x",
    ]
    for secret in hidden:
        assert secrets.mask(f"<{secret}>") == "<***>" or len(secret) < masking.SHORTEST, secret
    for text in (
        "visible",
        "My chat",
        "/home/directory",
        "anna",
        "host",
        "/run/secrets/x",
        str(tmp_path),
    ):
        assert secrets.mask(text) == text


def test_secrets_in_the_config_of_a_plugin(secrets: Secrets) -> None:
    class Inner(BaseModel):
        value: SecretStr = SecretStr("inner-secret-1")
        token: str = "static default"

    class Config(BaseModel):
        something: SecretStr = Field(default_factory=lambda: SecretStr("from-elsewhere-2"))
        inner: dict[str, list[Inner]] = Field(default_factory=lambda: {"a": [Inner()]})
        password: str = Field(default_factory=lambda: "made-secret-3")

    remember_secrets(Config())
    shown = secrets.mask("inner-secret-1 from-elsewhere-2 made-secret-3 static default")
    assert shown == "*** *** *** static default"


def test_a_config_that_is_inside_of_itself(secrets: Secrets) -> None:
    class Config(BaseModel):
        inner: Any = None
        key: str

    config = Config(key="inner-secret-1")
    config.inner = [{"config": config}]
    remember_secrets(config)
    assert secrets.mask("inner-secret-1") == "***"


def test_ordinary_words_are_no_secrets(secrets: Secrets) -> None:
    remember_secrets(
        {
            "compatible_models": {"endpoints": {"ollama": {"api_key": "ollama"}}},
            "tortoise_store": {"url": "postgres://postgres:postgres@localhost/chatkit"},
            "short": {"api_key": "k", "token": "abcde"},
        }
    )
    remember_environment({"API_KEY": "", "X_TOKEN": " ", "Y_TOKEN": "-" * 40})
    text = f"postgresql: model ollama/llama3 of abcde, k {'-' * 40}"
    assert secrets.mask(text) == text


SECRET_VARIABLES = {
    "FOO": "hunter2-long-password",
    "X": "correct horse battery staple",
    "NOTION": "ntn_Zq7Yx2Wv4kT9",
    "SIGNATURE_SEED": "/Zq7Yx2Wv4kT9+abc",
    "PASSWORD": "swordfish",
    "NUMBER_OF_SORTS": "correct-horse-battery",
}
PLAIN_VARIABLES = {
    "LOG_LEVEL": "debug-everything-9",
    "CONFIG_PATH": "conf/settings-42.yaml",
    "MAX_TOKENS": "128000-and-more",
    "MODE": "production",
    "A": "true",
    "B": "production",
    "C": "8080",
    "D": "1.5.0-rc",
    "E": "/usr/bin:/bin",
    "F": "/usr/local/share/data-2",
    "G": "~/notes-2024",
    "H": "https://example.com/v1/items",
    "I": "db.example.com:5432",
    "J": "en_US.UTF-8",
    "K": "Europe/Berlin",
    "L": "2026-11-26T10:00:00Z",
    "M": "files,search,calendar",
    "N": "a-b-1",
    "MODEL": "gpt-4o-mini",
    "AWS_REGION": "eu-central-1",
    "O": "",
}


@pytest.mark.parametrize("name", SECRET_VARIABLES)
@pytest.mark.parametrize("place", ["env", "option", "one word", "another", "config"])
def test_variables_of_a_child_process_are_hidden(name: str, place: str, secrets: Secrets) -> None:
    value = SECRET_VARIABLES[name]
    servers: dict[str, Any] = {
        "env": {"env": {name: value}},
        "option": {"args": ["run", "-e", f"{name}={value}", "image"]},
        "one word": {"args": ["run", f"--env={name}={value}", "image"]},
        "another": {"environment": {name: value}},
    }
    if place == "config":
        server = {"name": "a", "command": "x", "env": {name: value}}
        remember_secrets(McpConfig.model_validate({"servers": [server]}))
    else:
        remember_secrets({"mcp_servers": {"servers": [servers[place]]}})
    assert secrets.mask(f"started with {value} in it") == "started with *** in it"


def test_ordinary_variables_of_a_child_process_stay(secrets: Secrets) -> None:
    remember_secrets({"servers": [{"env": PLAIN_VARIABLES}]})
    arguments = [f"--env={name}={value}" for name, value in PLAIN_VARIABLES.items()]
    remember_secrets({"servers": [{"args": ["run", *arguments, "-e", "HOME"]}]})
    text = " | ".join(PLAIN_VARIABLES.values())
    assert secrets.mask(text) == text


def test_limits_of_tokens_are_no_secrets(secrets: Secrets) -> None:
    limits = ["50000/day", "5 per parsec", "100 per 2 hours; 1000/day"]
    remember_secrets({"rate_limits": {"tokens": dict(enumerate(limits))}, "token": "12345/da+y0"})
    assert secrets.mask(f"{limits} 12345/da+y0") == f"{limits} ***"


def test_json_in_a_variable_is_looked_through(secrets: Secrets) -> None:
    given = json.dumps({"Authorization": "Bearer ntn-1234567", "Accept": "text/html-1"})
    remember_secrets({"env": {"OPENAPI_HEADERS": given, "BROKEN": "{", "DEEP": "[" * 100_000}})
    assert secrets.mask("ntn-1234567 and text/html-1") == "*** and text/html-1"


def test_a_secret_variable_of_the_environment_is_one_wherever_it_is_used(
    secrets: Secrets, tmp_path: Path
) -> None:
    (tmp_path / "settings.yaml").write_text("agent: {name: '${A_TOKEN}', model: '${A_WORD}'}")
    load(tmp_path / "settings.yaml", {"A_TOKEN": "ab-12345", "A_WORD": "demo-1234/todo"})
    assert secrets.mask("ab-12345 demo-1234/todo") == "*** demo-1234/todo"


def test_settings_that_are_refused_show_no_secret(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from chatkit_server.cli.main import main

    plugins = {
        "tortoise_store": {"url": "postgres//anna:known-secret-1@host", "pool_size": "pw-12345"},
        "openai_models": {"api_key": "known-secret-2", "base_url": "x://u:known-secret-1@h"},
        "mcp_servers": {"servers": [{"name": "a", "headers": {"X-A": 123456789}}]},
        "\x1b[2Jforged": None,
    }
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump({"plugins": plugins}))
    assert main(["check", "--settings", str(tmp_path / "settings.yaml")]) == 2
    told = capfd.readouterr().err
    assert "known-secret" not in told
    assert "123456789" not in told
    assert "\x1b" not in told
    assert all(line.startswith("chatkit-server: ") for line in told.splitlines())


# A whole server

PLUGIN = """
import asyncio
import ctypes
import logging
import threading
import warnings

from chatkit_server import hookimpl

log = logging.getLogger(__name__)
HOSTILE = {hostile!r}
SECRET = {secret!r}

class Loud:
    def __del__(self):
        raise ValueError(HOSTILE)

def fail():
    raise ValueError(HOSTILE)

async def fail_later():
    raise ValueError(HOSTILE)

@hookimpl
def setup(app):
    async def start(app):
        log.error("one %s %s", HOSTILE, SECRET)
        log.error("two %d", HOSTILE)
        logging.getLogger("a\\nlibrary").warning("three %s" % HOSTILE)
        warnings.warn(HOSTILE)
        thread = threading.Thread(target=fail, name="four" + HOSTILE)
        thread.start()
        await asyncio.to_thread(thread.join)
        Loud()
        asyncio.get_running_loop().call_soon(fail)
        task = asyncio.create_task(fail_later(), name=HOSTILE)
        await asyncio.wait([task])
        del task
        log.info("six: all was written")
        yield
    app.cleanup_ctx.append(start)
"""


async def test_nothing_on_standard_error_is_forged(tmp_path: Path) -> None:
    hostile = "".join((*(f"{end}{FORGED}" for end in BREAKS), *CONTROLS.values()))
    (tmp_path / "my_plugins").mkdir()
    plugin = PLUGIN.format(hostile=hostile, secret="environment-secret-1")
    (tmp_path / "my_plugins" / "loud.py").write_text(plugin)
    settings = {
        "log": {"content": True},
        "plugin_dirs": ["my_plugins"],
        "plugins": {
            "anonymous_auth": None,
            "tortoise_store": {"url": f"sqlite://{tmp_path}/x.db"},
            "demo_model": None,
            "loud": None,
        },
    }
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    variables = environment(ACME_API_KEY="environment-secret-1", PYTHONIOENCODING="ascii:strict")
    async with running(tmp_path, env=variables, command=MODULE) as server:
        await server.process.line("six: all was written")
        await server.stop()
    told = "\n".join(server.process.errors)
    records = [line for line in server.process.errors if not line.startswith(INDENT)]
    for line in server.process.errors:
        assert line.isprintable()
        assert not line.startswith(FORGED)
    for line in records:
        assert re.match(r"\S+ \S+ [A-Z]+ (a\\nlibrary|[\w.]+): ", line), line
    for needed in (
        "one ",
        "its arguments do not fit",
        "three ",
        "py.warnings: ",
        "the thread four",
        "__del__",
        "Exception in callback",
        "Task exception was never retrieved",
    ):
        assert any(needed in line for line in server.process.errors), needed
    assert "environment-secret" not in told


@pytest.mark.parametrize("kind", ["compatible_models", "openai_models", "litellm_models"])
async def test_a_key_that_a_provider_echoes_is_masked(
    kind: str, tmp_path: Path, model_server: ModelServer
) -> None:
    key = "sk-proj-0123456789abcdef"
    endpoint = {"base_url": model_server.url, "api_key": key}
    config: dict[str, Any] = {
        "compatible_models": {"endpoints": {"openai": endpoint}},
        "openai_models": endpoint,
        "litellm_models": {"providers": {"openai": endpoint}},
    }
    prefix = "litellm/openai" if kind == "litellm_models" else "openai"
    plugins = {
        "anonymous_auth": None,
        "tortoise_store": {"url": f"sqlite://{tmp_path}/x.db"},
        "conversation_log": {"path": str(tmp_path / "conversations.jsonl")},
        kind: config[kind],
    }
    settings = {
        "agent": {"model": f"{prefix}/any"},
        "log": {"level": "debug", "content": True},
        "plugins": plugins,
    }
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    for status, text in (
        (401, f"Incorrect API key provided: {key}\n{FORGED}"),
        (400, f"bad header {base64.b64encode(key.encode()).decode()} of {key[:14]}... \x9b2J"),
        (400, f"too long {'x' * 50_000} {key}"),
    ):
        model_server.fail(status, text)
    async with running(tmp_path, env=environment()) as server:
        for _ in range(3):
            await server.chat().say(f"My key is {key}")
        await server.stop()
    told = [*server.process.errors, (tmp_path / "conversations.jsonl").read_text()]
    assert any("Incorrect API key provided: ***" in line for line in told)
    for line in told:
        assert key[:14] not in line
        assert "c2stcHJvai0wMTIz" not in line
        assert not line.startswith(FORGED)
        assert "\x9b" not in line
        assert len(line) <= SIZE
    assert told[-1].count('"message":"My key is ***"') == 3


async def test_a_tool_that_a_model_made_up_is_not_named(
    tmp_path: Path, model_server: ModelServer
) -> None:
    name = f"the user said milk\n{FORGED} {KEY}"
    plugins = {
        "anonymous_auth": None,
        "tortoise_store": {"url": f"sqlite://{tmp_path}/x.db"},
        "conversation_log": {"path": str(tmp_path / "conversations.jsonl"), "redact": True},
        "compatible_models": {
            "endpoints": {"openai": {"base_url": model_server.url, "api_key": KEY}}
        },
    }
    settings = {"agent": {"model": "openai/any"}, "plugins": plugins}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    model_server.reply(Call(name, {}))
    model_server.reply("Done.")
    async with running(tmp_path, env=environment()) as server:
        await server.chat().say("Hello")
        await server.stop()
    told = [*server.process.errors, (tmp_path / "conversations.jsonl").read_text()]
    assert any("there is no such tool" in line for line in told)
    for line in told:
        assert "milk" not in line
        assert "sk-proj" not in line


async def test_the_password_of_a_database_is_masked(tmp_path: Path) -> None:
    password = "open-sesame-1"
    plugins = {
        "anonymous_auth": None,
        "demo_model": None,
        "tortoise_store": {
            "url": f"postgresql://anna:{password}@127.0.0.1:1/x",
            "connect_timeout": "1s",
        },
    }
    settings = {"log": {"level": "debug", "content": True}, "plugins": plugins}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    async with started(tmp_path, "run", "--port", "0", env=environment()) as process:
        assert await process.end() != 0
    assert "127.0.0.1" in process.said
    assert password not in process.said


async def test_a_check_that_fails_writes_lines(tmp_path: Path) -> None:
    (tmp_path / "my_plugins").mkdir()
    (tmp_path / "my_plugins" / "failing.py").write_text(
        "import logging\n"
        "logging.basicConfig()\n"
        f"logging.warning('first\\n{FORGED} %s', 'environment-secret-1')\n"
        f"raise BaseException('second\\n{FORGED} environment-secret-1')\n"
    )
    (tmp_path / "settings.yaml").write_text("plugin_dirs: [my_plugins]\nplugins: {failing: }\n")
    variables = environment(ACME_API_KEY="environment-secret-1")
    async with started(tmp_path, "check", env=variables) as process:
        assert await process.end() == 1
    first, second, *others = process.errors
    assert first == f"warning: first\\n{FORGED} ***"
    assert second == "chatkit-server failed"
    assert all(line.startswith(INDENT) for line in others)
    assert others[-2:] == ["  BaseException: second", f"  {FORGED} ***"]


async def test_a_server_that_fails_says_so_in_a_record(tmp_path: Path) -> None:
    (tmp_path / "my_plugins").mkdir()
    (tmp_path / "my_plugins" / "failing.py").write_text(
        "from chatkit_server import hookimpl\n"
        "@hookimpl\n"
        "def setup(app):\n"
        "    async def start(app):\n"
        f"        raise KeyboardInterruptLike('x\\n{FORGED}')\n"
        "    app.on_startup.append(start)\n"
        "class KeyboardInterruptLike(BaseException): ...\n"
    )
    plugins = {"anonymous_auth": None, "demo_model": None, "failing": None}
    plugins["tortoise_store"] = {"url": "sqlite://:memory:"}  # type: ignore[assignment]
    (tmp_path / "settings.yaml").write_text(
        yaml.safe_dump({"plugin_dirs": ["my_plugins"], "plugins": plugins})
    )
    async with started(tmp_path, "run", "--port", "0", env=environment()) as process:
        assert await process.end() == 1
    first, *others = process.errors
    assert re.match(r"\S+ \S+ CRITICAL chatkit_server.logs: chatkit-server failed", first)
    assert all(line.startswith(INDENT) for line in others)
    assert any("KeyboardInterruptLike: x" in line for line in others)
