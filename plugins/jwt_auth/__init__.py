"""Authenticates users by a signed token: `Authorization: Bearer` and a JSON Web Token.

- `config`: the settings.
- `claims`: what a token says, and why one is refused.
- `keys`: a secret or a public key from the settings.
- `jwks`: keys fetched from a `jwks_url`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jwt
from aiohttp import web

from chatkit_server import Unauthorized, User, hookimpl

from .claims import MEANINGS, refusal, shown_name, text_claim
from .config import Config
from .jwks import KeySet
from .keys import key_by_algorithm, secret_by_algorithm

__all__ = ["Config", "Plugin"]


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
            self.fixed = secret_by_algorithm(config.secret, config.algorithms or ["HS256"])
        if config.public_key is not None:
            self.fixed = key_by_algorithm(config.public_key, config.algorithms)

    @hookimpl
    def setup(self, app: web.Application) -> None:
        if self.keys is not None:
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
            raise Unauthorized("Sign in first: the request has no bearer token.")
        return None

    async def _claims(self, token: str) -> dict[str, Any]:
        config = self.config
        try:
            if not token.isascii():
                raise jwt.DecodeError
            header = jwt.get_unverified_header(token)
            algorithm, key = await self._key(header)
            return jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=config.audience,
                issuer=config.issuer,
                leeway=config.leeway,
                options={"require": ["exp"] if config.require_exp else []},
            )
        except jwt.MissingRequiredClaimError as error:
            raise refusal(f"The token has no claim '{error.claim}'.") from None
        except jwt.PyJWTError as error:
            raise refusal(
                next(text for kind, text in MEANINGS if isinstance(error, kind))
            ) from None

    async def _key(self, header: Mapping[str, Any]) -> tuple[str, Any]:
        """Return the algorithm that the token names, if it is allowed, and the key for it."""
        algorithm = header.get("alg")
        if self.keys is None:
            if not isinstance(algorithm, str) or algorithm not in self.fixed:
                raise jwt.InvalidAlgorithmError
            return algorithm, self.fixed[algorithm]
        if not isinstance(algorithm, str) or algorithm not in self.keys.algorithms:
            raise jwt.InvalidAlgorithmError
        key = await self.keys.find(header.get("kid"), algorithm)
        if key is None:
            raise refusal("The token is signed with an unknown key.")
        return algorithm, key

    def _user(self, claims: dict[str, Any]) -> User:
        name = claims.get(self.config.name_claim) if self.config.name_claim else None
        tenant = self.config.tenant_claim
        return User(
            id=text_claim(claims, self.config.user_claim),
            tenant=text_claim(claims, tenant) if tenant else "",
            name=shown_name(name),
            claims=claims,
        )

    def _tenants(self) -> set[str] | None:
        """The tenants of the users, as far as the settings say."""
        config = self.config
        if not config.tenant_claim:
            return {""}
        if config.tenant_claim == "iss" and config.issuer:
            return {config.issuer} if isinstance(config.issuer, str) else set(config.issuer)
        return None
