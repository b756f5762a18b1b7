"""No two `auth` plugins return the same user: each has tenants of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import combinations
from typing import Any

from ..errors import SettingsError
from ..settings.problems import Problems

RESERVED = "chatkit-server:"
"""Tenants that begin so are for plugins that declare them; no other plugin can return them."""


def check_tenants(plugins: Iterable[tuple[str, object]]) -> None:
    """Raise `SettingsError` with a line for each two `auth` plugins that may return the same user.

    Call this after `setup`, in which a plugin may set its `auth_tenants`.
    """
    problems = Problems()
    declared: list[tuple[str, frozenset[str] | None]] = []
    for name, plugin in plugins:
        with problems.collect():
            try:
                declared.append((name, tenants_of(plugin)))
            except SettingsError as error:
                raise SettingsError(f"plugin {name}: {error}") from None
    for (one, mine), (other, its) in combinations(declared, 2):
        if _may_share(mine, its):
            problems.lines.append(
                f"plugins: {one} and {other} may both return the same user, so a user of one could "
                "read what belongs to a user of the other. Enable only one of them, or keep their "
                "users apart by tenant: give your own plugin an attribute `auth_tenants`, the set "
                "of the tenants that its users are in (empty if it only refuses requests), and "
                "jwt_auth `tenant_claim: iss` with `issuer`"
            )
    problems.raise_any()


def tenants_of(plugin: object) -> frozenset[str] | None:
    """Return the tenants that an `auth` plugin declares, None if it declares none.

    Raises `SettingsError` if they are of a wrong type.
    """
    declared: Any = getattr(plugin, "auth_tenants", None)
    if declared is None:
        return None
    is_set = isinstance(declared, Collection) and not isinstance(declared, str)
    if not is_set or not all(isinstance(tenant, str) for tenant in declared):
        raise SettingsError("`auth_tenants` must be a set of str, such as {'staff'}")
    return frozenset(declared)


def wrong_tenant(plugin: object, tenant: str) -> str | None:
    """Return what is wrong with a user's tenant, None if its plugin may return it."""
    declared = tenants_of(plugin)
    if declared is None:
        if tenant.startswith(RESERVED):
            return f"returned a User in a tenant that begins with `{RESERVED}`, which is reserved"
        return None
    return None if tenant in declared else "returned a User in a tenant not in its `auth_tenants`"


def _may_share(mine: frozenset[str] | None, its: frozenset[str] | None) -> bool:
    if mine is not None and its is not None:
        return not mine.isdisjoint(its)
    # Without a declaration, it may be any tenant that is not reserved
    known = its if mine is None else mine
    return known is None or any(not tenant.startswith(RESERVED) for tenant in known)
