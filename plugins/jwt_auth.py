"""Says who is asking from a signed token: `Authorization: Bearer` and a JSON Web Token."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import jwt
from aiohttp import web
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate
from pydantic import BaseModel, BeforeValidator, Field, SecretStr, field_validator, model_validator

from chatkit_server import Duration, SettingsError, Unauthorized, Unavailable, User, hookimpl

SYMMETRIC = ("HS256", "HS384", "HS512")
ASYMMETRIC = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "ES256K", "EdDSA"),
)
LONGEST_ID = 255

# What each error of PyJWT means to the one who sent the token; the first that fits counts.
REASONS: tuple[tuple[type[Exception], str], ...] = (
    (jwt.ExpiredSignatureError, "The token has expired. Sign in again."),
    (jwt.ImmatureSignatureError, "The token is not valid yet."),
    (jwt.InvalidAudienceError, "The token is for another audience."),
    (jwt.InvalidIssuerError, "The token is from another issuer."),
    (jwt.InvalidAlgorithmError, "The token is signed with an algorithm not accepted here."),
    (jwt.InvalidSignatureError, "The token's signature is wrong."),
    (jwt.exceptions.InvalidSubjectError, "The token's claim 'sub' is not text."),
    (jwt.exceptions.InvalidJTIError, "The token's claim 'jti' is not text."),
    (jwt.InvalidIssuedAtError, "The token's claim 'iat' is not a number."),
    (jwt.PyJWTError, "The token cannot be read as a JSON Web Token."),
)

log = logging.getLogger(__name__)


def _comma_separated(value: Any) -> Any:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


class Config(BaseModel):
    """How tokens are checked, and which of their claims say who it is.

    One of `secret` (for HS256 and its kin), `public_key` (PEM text, or the path of a file with
    it) and `jwks_url` is needed. Without `algorithms`, a secret takes HS256, and keys take
    whatever fits them. A token must not have expired, and needs an `exp` unless `require_exp` is
    false. With `required: false` a request without a token passes on to the next plugin. Where
    several issuers may give the same id, set `tenant_claim: iss`.

    Keys from `jwks_url` are fetched again when they are older than `jwks_max_age`, and when a
    token names an unknown one, but at most once per `jwks_cooldown`.
    """

    secret: SecretStr | None = None
    public_key: str | None = None
    jwks_url: str | None = Field(None, pattern=r"^https?://")
    algorithms: Annotated[list[str], BeforeValidator(_comma_separated)] = Field(
        default_factory=list
    )
    issuer: str | list[str] | None = None
    audience: str | list[str] | None = None
    leeway: Duration = 30.0
    require_exp: bool = True
    user_claim: str = "sub"
    tenant_claim: str | None = None
    name_claim: str | None = "name"
    required: bool = True
    jwks_timeout: Duration = 5.0
    jwks_max_age: Duration = 600.0
    jwks_cooldown: Duration = 10.0

    @field_validator("algorithms")
    @classmethod
    def _known(cls, algorithms: list[str]) -> list[str]:
        for name in algorithms:
            if name not in SYMMETRIC + ASYMMETRIC:
                known = ", ".join(SYMMETRIC + ASYMMETRIC)
                raise ValueError(f"{name} is not accepted. Choose of {known}")
        return algorithms

    @model_validator(mode="after")
    def _one_kind_of_key(self) -> Config:
        if sum(key is not None for key in (self.secret, self.public_key, self.jwks_url)) != 1:
            raise ValueError("set one of `secret`, `public_key` and `jwks_url`")
        fitting = ASYMMETRIC if self.secret is None else SYMMETRIC
        for name in self.algorithms:
            if name not in fitting:
                kind = "a public key" if self.secret is None else "a secret"
                raise ValueError(
                    f"algorithms: {name} does not go with {kind}: anyone could sign tokens, or "
                    f"nobody. Choose of {', '.join(fitting)}"
                )
        return self


class Plugin:
    """Answers with the user of the request's token, or refuses it with 401 and the reason."""

    def __init__(self, config: Config) -> None:
        self.config = config
        bearer = '-H "Authorization: Bearer $TOKEN"'
        self.curl_credentials = bearer if config.required else None
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
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            if not self.config.required:
                return None
            raise Unauthorized("Sign in first: the request has no bearer token.")
        return self._user(await self._claims(token.strip()))

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
            raise refusal(next(text for kind, text in REASONS if isinstance(error, kind))) from None

    async def _key(self, header: Mapping[str, Any]) -> tuple[str, Any]:
        """Return the algorithm and key to check a token with; the token only chooses among ours."""
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
            name=name if isinstance(name, str) and name else None,
            claims=claims,
        )


def refusal(reason: str) -> Unauthorized:
    """Return a 401 that says why the token is refused, as RFC 6750 has it."""
    described = re.sub(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]", "?", reason)
    challenge = f'Bearer error="invalid_token", error_description="{described}"'
    return Unauthorized(reason, challenge=challenge)


def text_claim(claims: Mapping[str, Any], name: str) -> str:
    """Return a claim that says who it is; it must be there, and text that can be stored."""
    value = claims.get(name)
    if value is None:
        raise refusal(f"The token has no claim '{name}'.")
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise refusal(f"The token's claim '{name}' is not text.")
    if len(value) > LONGEST_ID:
        raise refusal(f"The token's claim '{name}' is longer than {LONGEST_ID} characters.")
    return value


def secret_by_algorithm(secret: SecretStr, algorithms: list[str]) -> dict[str, Any]:
    """Return the secret by the algorithms it is for.

    Raises `SettingsError` where it is shorter than the hash (RFC 7518, section 3.2), and so could
    be guessed from one token, or is a public key, which is no secret.
    """
    text = secret.get_secret_value()
    for name in algorithms:
        try:
            weakness = weakness_of(jwt.get_algorithm_by_name(name), text)
        except jwt.InvalidKeyError as error:
            raise SettingsError(f"secret: {error}") from None
        if weakness:
            needed = int(name[2:]) // 8
            raise SettingsError(
                f"secret: {name} needs {needed} bytes or more, and this has {len(text.encode())}. "
                f'Make one: python -c "import secrets; print(secrets.token_urlsafe({needed}))"'
            )
    return dict.fromkeys(algorithms, text)


def key_by_algorithm(public_key: str, algorithms: list[str]) -> dict[str, Any]:
    """Return a public key by the algorithms it is for: those given, or all that fit it."""
    key = load_public_key(public_key)
    fitting: dict[str, Any] = {}
    for name in algorithms or ASYMMETRIC:
        algorithm = jwt.get_algorithm_by_name(name)
        try:
            weakness = weakness_of(algorithm, key)
        except (jwt.InvalidKeyError, TypeError) as error:
            if algorithms:
                raise SettingsError(f"public_key: no key for {name}: {error}") from None
            continue
        if weakness:
            raise SettingsError(f"public_key: {weakness}")
        fitting[name] = key
    if not fitting:
        raise SettingsError("public_key: RSA, elliptic curve (P-256 and up) or Ed25519 is needed")
    return fitting


def weakness_of(algorithm: Any, key: Any) -> str | None:
    """Return why a key is too weak for an algorithm; raises `InvalidKeyError` if it is none."""
    told: str | None = algorithm.check_key_length(algorithm.prepare_key(key))
    return told


def load_public_key(public_key: str) -> Any:
    """Return the key of a PEM text, or of the file at a path: a public key or a certificate."""
    pem = public_key.replace("\\n", "\n")  # as variables often hold it
    if "-----BEGIN" not in pem:
        try:
            pem = Path(public_key).read_text("ascii")
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"public_key: neither PEM text nor a file that can be read: {error}"
            ) from None
    if "PRIVATE KEY-----" in pem:
        raise SettingsError("public_key: this is a private key; give the public one of the pair")
    try:
        if "-----BEGIN CERTIFICATE-----" in pem:
            return load_pem_x509_certificate(pem.encode()).public_key()
        return load_pem_public_key(pem.encode())
    except ValueError:
        raise SettingsError("public_key: not a public key in PEM form") from None


class KeySet:
    """The keys at `jwks_url`: fetched when needed, kept, and used on while they cannot be."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.algorithms = config.algorithms or list(ASYMMETRIC)
        self._keys: list[tuple[str | None, str, jwt.PyJWK]] = []
        self._session: aiohttp.ClientSession | None = None
        self._refresh: asyncio.Task[None] | None = None
        self._tried = self._fetched = -math.inf
        self._down = False

    async def run(self, _: web.Application) -> AsyncIterator[None]:
        """Keep a session for the life of the server, and fetch the keys before they are needed."""
        timeout = aiohttp.ClientTimeout(total=self.config.jwks_timeout)
        async with aiohttp.ClientSession(timeout=timeout) as self._session:
            self._start()
            yield
            if self._refresh is not None:
                self._refresh.cancel()
                await asyncio.gather(self._refresh, return_exceptions=True)

    async def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key of this id for this algorithm, None if there is none.

        Raises `Unavailable` where that cannot be known, as the keys cannot be fetched.
        """
        if (key := self._known(kid, algorithm)) is not None:
            if time.monotonic() - self._fetched > self.config.jwks_max_age:
                self._start()
            return key
        if (refresh := self._start()) is not None:
            await asyncio.shield(refresh)
            key = self._known(kid, algorithm)
        if key is None and self._down:
            wait = self._tried + self.config.jwks_cooldown - time.monotonic()
            raise Unavailable(
                "The sign-in service cannot be reached, so the token cannot be checked. "
                "Try again in a moment.",
                retry_after=max(1, math.ceil(wait)),
            )
        return key

    def _known(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        fitting = [key for id, name, key in self._keys if name == algorithm and kid in (None, id)]
        return fitting[0] if len(fitting) == 1 or (fitting and kid is not None) else None

    def _start(self) -> asyncio.Task[None] | None:
        """Return the fetch under way, or a new one; None while it is too early for that."""
        if self._refresh is not None and not self._refresh.done():
            return self._refresh
        if time.monotonic() - self._tried < self.config.jwks_cooldown:
            return None
        self._tried = time.monotonic()
        self._refresh = asyncio.create_task(self._fetch(), name="jwks")
        return self._refresh

    async def _fetch(self) -> None:
        assert self._session is not None
        assert self.config.jwks_url is not None
        try:
            async with self._session.get(self.config.jwks_url, raise_for_status=True) as response:
                document = await response.json(content_type=None)
            self._keys = usable_keys(document, self.algorithms)
        except Exception as error:  # whatever it is that the other side sends
            self._down = True
            log.error("the keys at %s cannot be fetched: %r", self.config.jwks_url, error)
        else:
            self._down = False
            self._fetched = time.monotonic()


def usable_keys(document: Any, algorithms: list[str]) -> list[tuple[str | None, str, jwt.PyJWK]]:
    """Return `(id, algorithm, key)` for the keys of a JWK set and the algorithms each may serve.

    Keys for encryption, symmetric keys, weak keys and keys of unknown kinds are left out. Raises
    `ValueError` where nothing is left.
    """
    found = document.get("keys") if isinstance(document, dict) else None
    usable = [
        (data.get("kid"), name, key)
        for data in (found if isinstance(found, list) else [])
        for name in algorithms
        if isinstance(data, dict) and (key := public_jwk(data, name)) is not None
    ]
    if not usable:
        raise ValueError("no key that can be used for the accepted algorithms")
    return usable


def public_jwk(data: dict[str, Any], algorithm: str) -> jwt.PyJWK | None:
    """Return a key of a JWK set for an algorithm, None if it does not fit or is too weak."""
    if data.get("use", "sig") != "sig" or data.get("alg", algorithm) != algorithm:
        return None
    public = {name: value for name, value in data.items() if name != "d"}
    try:
        key = jwt.PyJWK(public, algorithm)
        return None if weakness_of(key.Algorithm, key.key) else key
    except (jwt.PyJWTError, ValueError, TypeError, LookupError):
        return None
