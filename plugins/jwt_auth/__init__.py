"""Authenticates users by a signed token: `Authorization: Bearer` and a JSON Web Token.

- `config`: the settings.
- `claims`: what a token says, and why one is refused.
- `keys`: a secret or a public key from the settings.
- `jwks`: keys fetched from a `jwks_url`.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

import jwt
from aiohttp import web

from chatkit_server import HOOKS, Finding, Unauthorized, User, hookimpl, words

from .claims import (
    MEANINGS,
    found_claim,
    own_tenant,
    refusal,
    shown_name,
    tenant_claim,
    text_claim,
)
from .config import Config
from .jwks import KeySet
from .keys import key_by_algorithm, secret_by_algorithm

__all__ = ["Config", "Plugin"]

_SHARE = 0.8
"""Of the time that a hook may take, for waiting for keys."""

log = logging.getLogger(__name__)


class Plugin:
    """Returns the user of the request's token, or answers 401 with the reason."""

    def __init__(self, config: Config) -> None:
        self.config = config
        bearer = '-H "Authorization: Bearer $TOKEN"'
        self.curl_credentials = bearer if config.required else None
        self.auth_tenants = self._tenants()
        self.keys = KeySet(config) if config.jwks_url else None
        self.fixed: dict[str, jwt.PyJWK | Any] = {}
        if config.secret is not None:
            self.fixed |= secret_by_algorithm(config.secret, config.symmetric or ["HS256"])
        if config.public_key is not None:
            self.fixed |= key_by_algorithm(config.public_key, config.asymmetric)

    @hookimpl
    def setup(self, app: web.Application) -> None:
        plugins = app[HOOKS].implementing("auth")
        mine = next(i for i, (_, plugin) in enumerate(plugins) if plugin is self)
        if self.config.required and mine + 1 < len(plugins):
            log.warning(
                "plugins: %s is never asked who the user is, because jwt_auth refuses requests "
                "without a token. Set its `required: false`, or remove the other one",
                plugins[mine + 1][0],
            )
        if self.keys is not None:
            # The user is told why before the hook ends
            self.keys.patience = _SHARE * app[HOOKS].terms(plugins[mine][0], "auth").limit
            app.cleanup_ctx.append(self.keys.run)

    @hookimpl
    async def auth(self, request: web.Request) -> User | None:
        given = request.headers.getall("Authorization", [])
        if len(given) > 1:
            # A proxy in front may have checked the other one
            raise refusal("The header Authorization must be there once.")
        scheme, *rest = given[0].split(maxsplit=1) if given and given[0].strip() else [""]
        if scheme.lower() == "bearer" and rest:
            return self._user(await self._claims(rest[0].strip()))
        # Who sends a bearer token means to be a user, also if it is empty
        if self.config.required or scheme.lower() == "bearer":
            raise Unauthorized(words("Sign in first: the request has no bearer token."))
        return None

    @hookimpl
    async def check(self, online: bool) -> list[Finding] | None:
        """Fetch the keys, as the server does when it starts."""
        if self.keys is None or not online:
            return None
        return [await self.keys.check()]

    @hookimpl
    async def ready(self) -> str | None:
        """Without keys, no token can be checked."""
        if self.keys is None or self.keys.known:
            return None
        return "the keys of jwks_url could not be fetched yet"

    async def _claims(self, token: str) -> dict[str, Any]:
        try:
            if not token.isascii():
                raise jwt.DecodeError
            header = jwt.get_unverified_header(token)
            wrong: jwt.PyJWTError | None = None
            async for algorithm, key in self._keys(header):
                try:
                    return self._decoded(token, algorithm, key)
                except (jwt.InvalidSignatureError, jwt.InvalidKeyError) as error:
                    wrong = error
            raise wrong or refusal("The token is signed with an unknown key.")
        except jwt.MissingRequiredClaimError as error:
            raise refusal(f"The token has no claim '{error.claim}'.") from None
        except jwt.PyJWTError as error:
            raise refusal(
                next(text for kind, text in MEANINGS if isinstance(error, kind))
            ) from None

    def _decoded(self, token: str, algorithm: str, key: Any) -> dict[str, Any]:
        config = self.config
        return jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=config.audience,
            issuer=config.issuer,
            leeway=config.leeway,
            options={"require": ["exp"] if config.require_exp else []},
        )

    async def _keys(self, header: Mapping[str, Any]) -> AsyncIterator[tuple[str, Any]]:
        """Yield the algorithm that the token names, if it is allowed, with each key to try.

        Each algorithm has keys of one kind: a secret is never tried with the algorithm of a public
        key, nor the other way round.
        """
        algorithm = header.get("alg")
        fetched = self.keys is not None and algorithm in self.keys.algorithms
        if not isinstance(algorithm, str) or not (fetched or algorithm in self.fixed):
            raise jwt.InvalidAlgorithmError
        if algorithm in self.fixed:
            yield algorithm, self.fixed[algorithm]
        if self.keys is None or not fetched:
            return
        kid = header.get("kid")
        keys = await self.keys.find(kid, algorithm)
        for key in keys:
            yield algorithm, key
        if keys:
            # None of them: the keys may have been replaced
            for key in await self.keys.find(kid, algorithm, keys):
                yield algorithm, key

    def _user(self, claims: dict[str, Any]) -> User:
        name = self.config.name_claim
        user = text_claim(claims, self.config.user_claim)
        return User(
            id=user,
            tenant=self._tenant(claims, user),
            name=shown_name(found_claim(claims, name)) if name else None,
            claims=claims,
        )

    def _tenant(self, claims: Mapping[str, Any], user: str) -> str:
        config = self.config
        if not config.tenant_claim:
            return ""
        if config.no_tenant == "refuse" or found_claim(claims, config.tenant_claim) is not None:
            return tenant_claim(claims, config.tenant_claim)
        return own_tenant(user) if config.no_tenant == "own" else ""

    def _tenants(self) -> set[str] | None:
        """The tenants of the users, as far as the settings say."""
        config = self.config
        if not config.tenant_claim:
            return {""}
        if config.tenant_claim == "iss" and config.issuer:
            return {config.issuer} if isinstance(config.issuer, str) else set(config.issuer)
        return None
