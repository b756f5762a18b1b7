"""Database URLs: what asyncpg and SQLite are given, and what is refused."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from chatkit_plugins.tortoise_store import Config
from chatkit_plugins.tortoise_store.url import POSTGRESQL, Address, Limits, parse

from chatkit_server import Settings, SettingsError
from chatkit_server.plugin.load import load_plugins

NEON = (
    "postgresql://app_owner:npg_s3cr3t@ep-cool-sea-1234{}.eu-central-1.aws.neon.tech/app"
    "?sslmode=require&channel_binding=require"
)


def _parse(url: str) -> Address:
    return parse(url, Limits(pool_size=7, connect=3.5))


def _credentials(url: str) -> dict[str, Any]:
    credentials: dict[str, Any] = _parse(url).credentials
    return credentials


def test_neon_as_it_gives_it() -> None:
    address = _parse(NEON.format(""))
    assert address.engine == POSTGRESQL
    assert address.name == "PostgreSQL ep-cool-sea-1234.eu-central-1.aws.neon.tech:5432/app"
    given = dict(address.credentials)
    assert given == {
        "host": "ep-cool-sea-1234.eu-central-1.aws.neon.tech",
        "port": 5432,
        "user": "app_owner",
        "password": "npg_s3cr3t",
        "database": "app",
        "ssl": "require",
        "minsize": 0,
        "maxsize": 7,
        "max_inactive_connection_lifetime": 60.0,
        "timeout": 3.5,
        "acquire_timeout": 5.0,
        "command_timeout": 8.0,
        "keepalives": {
            "TCP_KEEPIDLE": 10,
            "TCP_KEEPINTVL": 5,
            "TCP_KEEPCNT": 3,
            "TCP_USER_TIMEOUT": 8000,
        },
        "server_settings": {"application_name": "chatkit-server"},
    }


@pytest.mark.parametrize(
    ("url", "size"),
    [
        (NEON.format("-pooler"), 0),
        (NEON.format(""), None),
        ("postgres://u@h/d?pgbouncer=true", 0),
        ("postgres://u@h/d?pgbouncer=false", None),
        ("postgres://u@h-pooler.example.com/d?statement_cache_size=20", 20),
    ],
)
def test_no_statements_are_kept_behind_a_pgbouncer(url: str, size: int | None) -> None:
    assert _credentials(url).get("statement_cache_size") == size


def test_codes_in_user_password_and_database() -> None:
    given = _credentials("postgresql://us%40er:p%3Aa%2Fs%3Fs%23%25+@host:6543/d%20b")
    assert (given["user"], given["password"]) == ("us@er", "p:a/s?s#%+")
    assert (given["host"], given["port"], given["database"]) == ("host", 6543, "d b")


def test_what_the_url_leaves_out_is_left_to_asyncpg() -> None:
    given = _credentials("postgresql://")
    assert [given[key] for key in ("host", "user", "password", "database")] == [None] * 4
    assert "ssl" not in given


def test_parts_given_as_parameters() -> None:
    given = _credentials("postgresql:///?host=/run/Sockets&port=1234&user=u&password=p&dbname=d")
    parts = ("host", "port", "user", "password", "database")
    assert [given[key] for key in parts] == ["/run/Sockets", 1234, "u", "p", "d"]


def test_parameters_of_the_session() -> None:
    given = _credentials(
        "postgresql://h/d?application_name=mine&options=endpoint%3Dep-1&statement_timeout=5000"
        "&connect_timeout=20&keepalives_idle=3&tcp_user_timeout=0&target_session_attrs=any"
        "&gssencmode=disable"
    )
    assert given["server_settings"] == {
        "application_name": "mine",
        "options": "endpoint=ep-1",
        "statement_timeout": "5000",
    }
    assert given["timeout"] == 20
    assert given["keepalives"] == {"TCP_KEEPIDLE": 3, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
    assert _credentials("postgresql://h/d?keepalives=0")["keepalives"] is None
    assert _credentials("postgresql://h/d?connect_timeout=0")["timeout"] == 3.5


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require"])
def test_sslmodes_that_check_no_certificate(mode: str) -> None:
    assert _credentials(f"postgresql://h/d?sslmode={mode}")["ssl"] == mode


@pytest.mark.parametrize(
    ("parameters", "checks_name"),
    [
        ("sslmode=verify-ca", False),
        ("sslmode=verify-full", True),
        ("sslmode=verify-full&sslrootcert=system", True),
    ],
)
def test_sslmodes_that_check_the_certificate(parameters: str, checks_name: bool) -> None:
    context = _credentials(f"postgresql://h/d?{parameters}")["ssl"]
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname is checks_name


def test_tls_from_the_first_byte() -> None:
    given = _credentials("postgresql://h/d?sslmode=require&sslnegotiation=direct")
    assert given["direct_tls"] is True


def test_sqlite_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert _parse("sqlite://chatkit.db").file == tmp_path / "chatkit.db"
    assert _parse("sqlite://data/a b.db").file == tmp_path / "data/a b.db"
    assert _parse("sqlite:///var/chatkit.db").file == Path("/var/chatkit.db")
    assert _parse("sqlite://~/chatkit.db").file == tmp_path / "home/chatkit.db"
    assert _parse("sqlite://:memory:").file is None
    assert _parse("sqlite://:memory:").credentials["file_path"] == ":memory:"


def test_sqlite_pragmas() -> None:
    given = _credentials("sqlite://a.db?synchronous=FULL")
    assert given["synchronous"] == "FULL"
    assert (given["journal_mode"], given["foreign_keys"]) == ("WAL", "ON")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "begins with sqlite:// or postgresql://"),
        ("mysql://u:s3cret@h/d", "begins with sqlite:// or postgresql://"),
        ("postgresql+asyncpg://u:s3cret@h/d", "begins with sqlite:// or postgresql://"),
        ("chatkit.db", "begins with sqlite:// or postgresql://"),
        ("sqlite://", "names no file"),
        ("sqlite://a.db?syncronous=FULL", "unknown parameter 'syncronous'"),
        ("postgresql://u:s3cret/x@h/d", "special characters as codes"),
        ("postgresql://u:s3cret#x@h/d", "special characters as codes"),
        ("postgresql://u:s3cret[x@h/d", "special characters as codes"),
        ("postgresql://u:s3cret@h1:5432,h2:5432/d", "one host"),
        ("postgresql://u:s3cret@h:port/d", "special characters as codes"),
        ("postgresql://u:s3cret@h/d?port=x", "port must be a whole number"),
        ("postgresql://u:s3cret@h/d?connect_timeout=1s", "connect_timeout must be a whole number"),
        ("postgresql://u:s3cret@h/d?sslmode=on", "sslmode must be one of"),
        ("postgresql://u:s3cret@h/d?sslcrl=a.crl", "'sslcrl' is not supported"),
        ("postgresql://u:s3cret@h/d?sslmode=verify-full&sslrootcert=/no/ca.pem", "/no/ca.pem"),
    ],
)
def test_urls_that_cannot_be_used(url: str, told: str) -> None:
    settings = Settings.model_validate({"plugins": {"tortoise_store": {"url": url}}})
    with pytest.raises(SettingsError) as caught:
        load_plugins(settings)
    message = str(caught.value)
    assert message.startswith("plugins.tortoise_store.url: ")
    assert told in message
    assert "s3cret" not in message
    assert "\n" not in message


def test_the_password_is_not_in_what_may_be_logged() -> None:
    config = Config(url=NEON.format(""))
    assert "npg_s3cr3t" not in f"{config!r} {config} {config.address!r} {config.address.name}"
