"""What an error means that keeps a database from being opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tortoise import exceptions as orm

from chatkit_server import SettingsError

from . import schema
from .failures import Failures, said, with_hint
from .url import Address


@contextmanager
def as_settings_errors(current: Callable[[], Address], failures: Failures) -> Iterator[None]:
    """Turn errors of the start into `SettingsError`, one line each.

    `current` returns the address, which may become another one as the database is opened.
    """
    try:
        yield
    except schema.NewerDatabase as error:
        raise SettingsError(
            f"{current().name} was created by a newer version: this one does not know the "
            f"migrations {', '.join(error.args)}. Install the newer version, or use another "
            "database"
        ) from None
    except TimeoutError as error:
        address = current()
        seconds = address.credentials.get("timeout")
        reason = str(error) or f"no answer within connect_timeout ({seconds:g} s)"
        if address.credentials.get("statement_cache_size") == 0:
            reason += "; is PostgreSQL running behind the pooler?"
        raise SettingsError(problem_with(address, reason)) from error
    except failures.user as error:
        user = current().credentials["user"]
        raise SettingsError(
            problem_with(current(), f"wrong user or password for {user!r}: {_one_line(error)}")
        ) from error
    except failures.database as error:
        reason = f"the database does not exist; create it first: {_one_line(error)}"
        raise SettingsError(problem_with(current(), reason)) from error
    except (orm.ConfigurationError, ImportError) as error:
        raise SettingsError(f"an app of the hook `tortoise_apps`: {error}") from error
    except failures.start as error:
        raise SettingsError(problem_with(current(), _one_line(error))) from error


def problem_with(address: Address, reason: str) -> str:
    """Return a line about a database that cannot be used."""
    return f"cannot use {address.name}: {reason.rstrip('.')}. Check plugins.tortoise_store.url"


def _one_line(error: Exception) -> str:
    return with_hint(error, said(error) or type(error).__name__)
