"""Tokens that are believed, and all the ways in which one is not."""

from __future__ import annotations

import asyncio
import base64
import datetime
import hmac
import json
import time
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from chatkit_plugins.jwt_auth import Config, Plugin
from chatkit_plugins.jwt_auth.claims import found_claim
from chatkit_plugins.jwt_auth.jwks import MOST_TRIED
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from chatkit_server import (
    HOOKS,
    SETTINGS,
    ServerError,
    Settings,
    SettingsError,
    User,
    hookimpl,
)
from chatkit_server.plugin.calls import Hooks
from chatkit_server.settings.hooks import HookSettings
from chatkit_server.settings.load import validate
from chatkit_server.settings.source import Source

SECRET = "a-secret-of-this-test-that-is-as-long-as-the-longest-hash-which-has-64-bytes"

Client = TestClient[web.Request, web.Application]
MakeClient = Callable[..., Awaitable[Client]]
MakeServer = Callable[..., Awaitable[TestServer]]


@cache
def private_key(kind: str) -> Any:
    """Return a key, the same one for the same name."""
    makers: dict[str, Callable[[], Any]] = {
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
        "rsa-2": lambda: rsa.generate_private_key(65537, 2048),
        "rsa-weak": lambda: rsa.generate_private_key(65537, 1024),
        "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "ed448": ed448.Ed448PrivateKey.generate,
    }
    return makers[kind]()


def public_pem(kind: str) -> str:
    key = private_key(kind).public_key()
    return str(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def jwk(kind: str, algorithm: str, **rest: Any) -> dict[str, Any]:
    """Return the public key as a JWK of which `rest` is part."""
    public = private_key(kind).public_key()
    data = jwt.get_algorithm_by_name(algorithm).to_jwk(public, as_dict=True)
    return {name: value for name, value in data.items() if name != "key_ops"} | rest


def token(
    key: Any = SECRET, algorithm: str = "HS256", kid: str | None = None, **claims: Any
) -> str:
    """Return a signed token for `anna`; a claim that is None is left out."""
    payload = {"sub": "anna", "exp": int(time.time()) + 600} | claims
    given = {name: value for name, value in payload.items() if value is not None}
    return jwt.encode(given, key, algorithm, headers=None if kid is None else {"kid": kid})


def unsigned(header: dict[str, Any], payload: object, signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def signed_by_hand(secret: bytes, header: dict[str, Any]) -> str:
    """Return a token with a signature that no library would make: HMAC with any bytes."""
    payload = {"sub": "anna", "exp": int(time.time()) + 600}
    given = {name: value for name, value in header.items() if value is not None}
    start = unsigned(given, payload).removesuffix(".")
    signature = hmac.digest(secret, start.encode(), "sha256")
    return f"{start}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


class Stranger:
    @hookimpl
    async def auth(self) -> User:
        return User("stranger")


async def whoami(request: web.Request) -> web.Response:
    """Answer with the user that the hooks found, or with the error as they raised it."""
    try:
        user = await request.app[HOOKS].first("auth", request=request)
    except ServerError as error:
        body = {"message": error.message}
        return web.json_response(body, status=error.status, headers=error.headers)
    return web.json_response(
        {"id": user.id, "tenant": user.tenant, "name": user.name, "claims": user.claims}
    )


def application(*plugins: object, hooks: HookSettings | None = None) -> web.Application:
    app = web.Application()
    settings = app[SETTINGS] = Settings(hooks=hooks or HookSettings())
    named = [(f"{type(p).__name__}_{i}", p) for i, p in enumerate(plugins)]
    app[HOOKS] = Hooks.of(named, settings.hooks)
    app.router.add_get("/", whoami)
    app[HOOKS].boot_all("setup", app=app)
    return app


def plugin(**config: Any) -> Plugin:
    return Plugin(validate(Config, config, Source(), ("plugins", "jwt_auth")))


@pytest.fixture
def make_client(aiohttp_client: MakeClient) -> MakeClient:
    """Return a factory of clients, with the plugin's settings as keywords."""

    async def make(**config: Any) -> Client:
        return await aiohttp_client(application(plugin(**config)))

    return make


async def user_of(client: Client, text: str) -> dict[str, Any]:
    response = await client.get("/", headers=bearer(text))
    assert response.status == 200, await response.text()
    user: dict[str, Any] = await response.json()
    return user


async def refused(client: Client, text: str) -> str:
    """Return why a token is refused, which the challenge says too."""
    response = await client.get("/", headers=bearer(text))
    assert response.status == 401, await response.text()
    message = str((await response.json())["message"])
    challenge = f'Bearer error="invalid_token", error_description="{message}"'
    assert response.headers["WWW-Authenticate"] == challenge
    return message


# Whose token it is


async def test_the_token_says_who_it_is(make_client: MakeClient) -> None:
    client = await make_client(secret=SECRET)
    text = token(name="Anna B.", roles=["admin"])
    user = await user_of(client, text)
    assert (user["id"], user["tenant"], user["name"]) == ("anna", "", "Anna B.")
    assert user["claims"] == jwt.decode(text, SECRET, ["HS256"])
    assert user["claims"]["roles"] == ["admin"]


async def test_which_claims_say_who_it_is(make_client: MakeClient) -> None:
    client = await make_client(
        secret=SECRET,
        user_claim="https://example.com/user",
        tenant_claim="org",
        name_claim="nick",
    )
    claims = {"https://example.com/user": "u1", "org": "acme", "nick": "An", "name": "No"}
    user = await user_of(client, token(**claims))
    assert (user["id"], user["tenant"], user["name"]) == ("u1", "acme", "An")


@pytest.mark.parametrize(
    ("name", "claims", "found"),
    [
        ("o.id", {"o": {"id": "acme"}}, "acme"),
        ("a.b.c", {"a": {"b": {"c": "acme"}}}, "acme"),
        # The exact name counts
        ("o.id", {"o.id": "exact", "o": {"id": "inside"}}, "exact"),
        ("https://acme.com/tenant", {"https://acme.com/tenant": "acme"}, "acme"),
        ("https://acme.com/org.id", {"https://acme.com/org": {"id": "acme"}}, "acme"),
        ("x.y.z", {"x.y": {"z": "long"}, "x": {"y": {"z": "short"}}}, "long"),
        ("x.y.z", {"x": {"y.z": "acme"}}, "acme"),
        # Neither the first of a list nor a letter of a text
        ("o.id", {"o": [{"id": "acme"}]}, None),
        ("o.0", {"o": ["acme"]}, None),
        ("o.id", {"o": "acme"}, None),
        ("o.id", {"o": None}, None),
        ("o.id", {"o": {"id": None}}, None),
        ("o.id", {}, None),
        (".", {"": {"": "acme"}}, "acme"),
    ],
)
def test_claims_inside_of_claims(name: str, claims: dict[str, Any], found: str | None) -> None:
    assert found_claim(claims, name) == found


async def test_the_user_may_be_inside_of_claims(make_client: MakeClient) -> None:
    client = await make_client(
        secret=SECRET, user_claim="u.id", tenant_claim="o.id", name_claim="u.name"
    )
    user = await user_of(client, token(u={"id": "u1", "name": "An"}, o={"id": "acme"}))
    assert (user["id"], user["tenant"], user["name"]) == ("u1", "acme", "An")
    told = "The token has no claim 'o.id'."
    assert await refused(client, token(u={"id": "u1"}, o=["acme"])) == told
    told = "The token's claim 'o.id' is a list, and not one text."
    assert await refused(client, token(u={"id": "u1"}, o={"id": ["acme"]})) == told


@pytest.mark.parametrize(
    ("no_tenant", "tenants"), [("none", ["", ""]), ("own", ["user:anna", "user:ben"])]
)
async def test_users_without_a_tenant(
    make_client: MakeClient, no_tenant: str, tenants: list[str]
) -> None:
    client = await make_client(secret=SECRET, tenant_claim="org.id", no_tenant=no_tenant)
    users = [await user_of(client, token(sub=user)) for user in ("anna", "ben")]
    assert [(user["id"], user["tenant"]) for user in users] == [
        ("anna", tenants[0]),
        ("ben", tenants[1]),
    ]
    assert (await user_of(client, token(org={"id": "acme"})))["tenant"] == "acme"


@pytest.mark.parametrize("no_tenant", ["refuse", "none", "own"])
@pytest.mark.parametrize("tenant", ["user:ben", "user:", "chatkit-server:anonymous", "", " "])
async def test_no_token_names_a_tenant_that_the_server_gives(
    make_client: MakeClient, no_tenant: str, tenant: str
) -> None:
    client = await make_client(secret=SECRET, tenant_claim="org", no_tenant=no_tenant)
    told = await refused(client, token(org=tenant))
    assert "must not begin with" in told or "must be 1 to 255" in told


async def test_a_user_whose_own_tenant_cannot_be_stored(make_client: MakeClient) -> None:
    client = await make_client(secret=SECRET, tenant_claim="org", no_tenant="own")
    assert (await user_of(client, token(sub="x" * 250)))["tenant"] == "user:" + "x" * 250
    assert "too long" in await refused(client, token(sub="x" * 251))


@pytest.mark.parametrize("name", [None, "", 5, ["Anna"]])
async def test_a_name_is_not_needed(make_client: MakeClient, name: object) -> None:
    assert (await user_of(await make_client(secret=SECRET), token(name=name)))["name"] is None


NOT_PRINTABLE = "The token's claim '{}' must be 1 to 255 printable characters, and not only spaces."


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"user": None}, "The token has no claim 'user'."),
        ({"user": ""}, NOT_PRINTABLE.format("user")),
        ({"user": "  "}, NOT_PRINTABLE.format("user")),
        ({"user": 5}, "The token's claim 'user' is not text."),
        ({"user": ["anna"]}, "The token's claim 'user' is a list, and not one text."),
        ({"user": "a\0b"}, NOT_PRINTABLE.format("user")),
        ({"user": "x" * 256}, NOT_PRINTABLE.format("user")),
        ({"user": "a\u202eb"}, NOT_PRINTABLE.format("user")),
        ({"org": " "}, NOT_PRINTABLE.format("org")),
        ({"org": "a\nb"}, NOT_PRINTABLE.format("org")),
        ({"org": None}, "The token has no claim 'org'."),
        ({"org": ""}, NOT_PRINTABLE.format("org")),
        ({"org": {"id": 1}}, "The token's claim 'org' is not text."),
        ({"sub": 5}, "The token's claim 'sub' is not text."),
        ({"jti": 5}, "The token's claim 'jti' is not text."),
        ({"iat": "now"}, "The token's claim 'iat' is not a number."),
    ],
)
async def test_claims_that_name_nobody(
    make_client: MakeClient, claims: dict[str, Any], told: str
) -> None:
    client = await make_client(secret=SECRET, user_claim="user", tenant_claim="org")
    assert await refused(client, token(**{"user": "anna", "org": "acme"} | claims)) == told


async def test_a_claims_name_cannot_break_the_challenge(make_client: MakeClient) -> None:
    client = await make_client(secret=SECRET, user_claim='a"b\\c\u00e9')
    response = await client.get("/", headers=bearer(token()))
    assert response.headers["WWW-Authenticate"].endswith("no claim 'a?b?c?'.\"")


# Without a token


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": ""}, {"Authorization": "Bearer "}, {"Authorization": "Basic eA"}],
)
async def test_a_missing_token(make_client: MakeClient, headers: dict[str, str]) -> None:
    client = await make_client(secret=SECRET)
    response = await client.get("/", headers=headers)
    assert response.status == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    told = {"message": "Sign in first: the request has no bearer token."}
    assert await response.json() == told


async def test_a_token_in_the_address_is_not_read(make_client: MakeClient) -> None:
    client = await make_client(secret=SECRET)
    assert (await client.get("/", params={"access_token": token()})).status == 401


async def test_the_scheme_may_be_written_in_any_case(make_client: MakeClient) -> None:
    client = await make_client(secret=SECRET)
    response = await client.get("/", headers={"Authorization": f"bearer  {token()}"})
    assert response.status == 200


async def test_where_it_is_not_required_the_next_plugin_is_asked(
    aiohttp_client: MakeClient,
) -> None:
    app = application(plugin(secret=SECRET, required=False), Stranger())
    client = await aiohttp_client(app)
    assert (await (await client.get("/")).json())["id"] == "stranger"
    assert (await user_of(client, token()))["id"] == "anna"
    assert await refused(client, token(exp=1)) == "The token has expired. Sign in again."


# Times, issuer, audience


async def test_an_expired_token_and_the_leeway(make_client: MakeClient) -> None:
    client = await make_client(secret=SECRET, leeway="5m")
    now = int(time.time())
    assert await user_of(client, token(exp=now - 60, nbf=now + 60, iat=now + 60))
    expired = "The token has expired. Sign in again."
    assert await refused(client, token(exp=now - 1000)) == expired
    early = "The token is not valid yet."
    assert await refused(client, token(nbf=now + 1000)) == early
    assert await refused(client, token(iat=now + 1000)) == early


async def test_a_token_for_ever(make_client: MakeClient) -> None:
    strict = await make_client(secret=SECRET)
    assert await refused(strict, token(exp=None)) == "The token has no claim 'exp'."
    lax = await make_client(secret=SECRET, require_exp=False)
    assert await user_of(lax, token(exp=None))
    assert await refused(lax, token(exp=1)) == "The token has expired. Sign in again."


@pytest.mark.parametrize("given", ["us", ["them", "us"]])
async def test_issuer_and_audience(make_client: MakeClient, given: object) -> None:
    client = await make_client(secret=SECRET, issuer=given, audience=given)
    assert await user_of(client, token(iss="us", aud="us"))
    assert await user_of(client, token(iss="us", aud=["others", "us"]))
    told = "The token is from another issuer."
    assert await refused(client, token(iss="others", aud="us")) == told
    claims = {"sub": "anna", "exp": int(time.time()) + 600, "iss": ["us"], "aud": "us"}
    listed = jwt.api_jws.encode(json.dumps(claims).encode(), SECRET, "HS256")
    assert await refused(client, listed) == told
    assert await refused(client, token(aud="us")) == "The token has no claim 'iss'."
    told = "The token is for another audience."
    assert await refused(client, token(iss="us", aud="others")) == told
    assert await refused(client, token(iss="us")) == "The token has no claim 'aud'."


async def test_a_token_for_an_audience_is_for_nobody_else(make_client: MakeClient) -> None:
    client = await make_client(secret=SECRET)
    assert await refused(client, token(aud="us")) == "The token is for another audience."


# Signatures and algorithms


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_secrets(make_client: MakeClient, algorithm: str) -> None:
    client = await make_client(secret=SECRET, algorithms=[algorithm])
    assert await user_of(client, token(algorithm=algorithm))
    wrong = token("another-secret" * 8, algorithm)
    assert await refused(client, wrong) == "The token's signature is wrong."


@pytest.mark.parametrize(
    ("kind", "algorithms"),
    [
        ("rsa", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]),
        ("p256", ["ES256"]),
        ("p384", ["ES384"]),
        ("p521", ["ES512"]),
        ("ed25519", ["EdDSA"]),
        ("ed448", ["EdDSA"]),
    ],
)
async def test_public_keys(make_client: MakeClient, kind: str, algorithms: list[str]) -> None:
    client = await make_client(public_key=public_pem(kind))
    for algorithm in algorithms:
        assert await user_of(client, token(private_key(kind), algorithm))
    changed = token(private_key(kind), algorithms[0]).split(".")
    changed[1] = token(sub="ben").split(".")[1]
    assert await refused(client, ".".join(changed)) == "The token's signature is wrong."


async def test_a_public_key_from_a_file_a_variable_or_a_certificate(
    make_client: MakeClient, tmp_path: Path
) -> None:
    file = tmp_path / "key.pem"
    file.write_text(public_pem("rsa"))
    for given in (str(file), public_pem("rsa").replace("\n", "\\n"), certificate("rsa")):
        client = await make_client(public_key=given)
        assert await user_of(client, token(private_key("rsa"), "RS256"))


def certificate(kind: str) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    key = private_key(kind)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(start).not_valid_after(start.replace(year=2120))
    signed = builder.sign(key, hashes.SHA256())
    return signed.public_bytes(Encoding.PEM).decode()


NOT_ACCEPTED = "The token is signed with an algorithm that is not allowed."


async def test_another_algorithm_than_the_settings_say(make_client: MakeClient) -> None:
    client = await make_client(secret=SECRET, algorithms=["HS512"])
    assert await refused(client, token(algorithm="HS256")) == NOT_ACCEPTED
    client = await make_client(public_key=public_pem("rsa"), algorithms=["PS256"])
    assert await refused(client, token(private_key("rsa"), "RS256")) == NOT_ACCEPTED
    assert await user_of(client, token(private_key("rsa"), "PS256"))


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", "", None, 5, ["none"]])
async def test_unsigned_tokens(make_client: MakeClient, name: object) -> None:
    claims = {"sub": "anna", "exp": int(time.time()) + 600}
    for config in ({"secret": SECRET}, {"public_key": public_pem("rsa")}):
        client = await make_client(**config)
        assert await refused(client, unsigned({"alg": name}, claims)) == NOT_ACCEPTED
        assert await refused(client, unsigned({"alg": name}, claims, b"x")) == NOT_ACCEPTED


async def test_a_public_key_is_no_secret(make_client: MakeClient) -> None:
    """The classic confusion: sign with HMAC, and the public key as its secret."""
    client = await make_client(public_key=public_pem("rsa"))
    head = unsigned({"alg": "HS256"}, {"sub": "eve", "exp": int(time.time()) + 600})[:-1]
    algorithm: Any = jwt.get_algorithm_by_name("HS256")
    signature = algorithm.sign(head.encode(), public_pem("rsa").encode())
    forged = f"{head}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    assert await refused(client, forged) == NOT_ACCEPTED


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "a.b",
        "a.b.c",
        "....",
        unsigned({"alg": "HS256", "kid": 5}, {}, b"x"),
        unsigned({"alg": "HS256", "crit": ["exp"]}, {}, b"x"),
        jwt.api_jws.encode(b"[1]", SECRET, "HS256"),
        jwt.api_jws.encode(b"\xff", SECRET, "HS256"),
        jwt.api_jws.encode(b"[" * 2000, SECRET, "HS256"),
        token(exp="tomorrow"),
        "\u00e9" * 10,
        token()[:-4],
    ],
)
async def test_what_is_no_token(make_client: MakeClient, text: str) -> None:
    client = await make_client(secret=SECRET)
    told = await refused(client, text)
    assert told in (
        "The token cannot be read as a JSON Web Token.",
        "The token's signature is wrong.",
    )


async def test_bytes_that_are_no_text(make_client: MakeClient) -> None:
    client = await make_client(secret=SECRET)
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a.\xff.c\r\n")
    writer.write(b"Connection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"The token cannot be read as a JSON Web Token." in answer


# A key set from a URL


class KeyHost:
    """A server of keys: what it answers, and how often it was asked."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.asked = 0
        self.status = 200
        self.body: bytes | None = None
        self.after: bytes | None = None
        """What is sent after that, from the second time on."""
        self.gate: asyncio.Event | None = None
        self.reached = asyncio.Event()

    async def answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        self.reached.set()
        if self.gate is not None:
            await self.gate.wait()
        text = self.body or json.dumps({"keys": self.keys}).encode()
        self.body = self.after or self.body
        return web.Response(body=text, status=self.status, content_type="text/plain")

    async def start(self, aiohttp_server: MakeServer) -> str:
        app = web.Application()
        app.router.add_get("/keys", self.answer)
        return str((await aiohttp_server(app)).make_url("/keys"))


async def test_a_key_set(make_client: MakeClient, aiohttp_server: MakeServer) -> None:
    host = KeyHost(
        jwk("rsa", "RS256", kid="one", alg="RS256", use="sig"),
        jwk("rsa-2", "RS256", kid="two"),
        jwk("p256", "ES256", kid="three"),
        jwk("ed25519", "EdDSA", kid="four"),
        jwk("p384", "ES384"),
    )
    client = await make_client(jwks_url=await host.start(aiohttp_server))
    for kind, algorithm, kid in [
        ("rsa", "RS256", "one"),
        ("rsa-2", "RS256", "two"),
        ("rsa-2", "PS512", "two"),
        ("p256", "ES256", "three"),
        ("ed25519", "EdDSA", "four"),
        ("p384", "ES384", None),
        ("ed25519", "EdDSA", None),
    ]:
        assert await user_of(client, token(private_key(kind), algorithm, kid))
    assert host.asked == 1
    wrong = token(private_key("rsa"), "RS256", "two")
    assert await refused(client, wrong) == "The token's signature is wrong."


UNKNOWN = "The token is signed with an unknown key."
WRONG = "The token's signature is wrong."


@pytest.mark.parametrize(
    ("kind", "algorithm", "kid"),
    [
        ("rsa", "PS256", "one"),  # the key is for RS256
        ("rsa-2", "RS256", "for-encryption"),
        ("rsa-weak", "RS256", "weak"),
        ("p256", "ES256", "one"),
        ("rsa", "RS256", ""),
    ],
)
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_keys_that_are_not_for_this(
    make_client: MakeClient,
    aiohttp_server: MakeServer,
    kind: str,
    algorithm: str,
    kid: str | None,
) -> None:
    host = KeyHost(
        jwk("rsa", "RS256", kid="one", alg="RS256"),
        jwk("rsa-2", "RS256", kid="two"),
        jwk("rsa-2", "RS256", kid="for-encryption", use="enc"),
        jwk("rsa-weak", "RS256", kid="weak"),
        {"kty": "RSA", "kid": "broken"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "symmetric"},
        {"kty": "martian"},
    )
    client = await make_client(jwks_url=await host.start(aiohttp_server), jwks_cooldown="1ms")
    assert await refused(client, token(private_key(kind), algorithm, kid)) == UNKNOWN


async def test_a_symmetric_key_of_a_set_is_not_used(
    make_client: MakeClient, aiohttp_server: MakeServer
) -> None:
    secret = base64.urlsafe_b64encode(SECRET.encode()).decode()
    host = KeyHost(jwk("rsa", "RS256", kid="one"), {"kty": "oct", "k": secret, "kid": "s"})
    client = await make_client(jwks_url=await host.start(aiohttp_server))
    assert await refused(client, token(kid="s")) == NOT_ACCEPTED


@pytest.mark.parametrize("kid", [None, "rsa-2"])
async def test_keys_without_ids_are_each_tried(
    make_client: MakeClient, aiohttp_server: MakeServer, kid: str | None
) -> None:
    kinds = {"rsa": "RS256", "rsa-2": "RS256", "p256": "ES256", "ed25519": "EdDSA"}
    host = KeyHost(*(jwk(kind, algorithm) for kind, algorithm in kinds.items()))
    client = await make_client(jwks_url=await host.start(aiohttp_server))
    for kind, algorithm in kinds.items():
        assert await user_of(client, token(private_key(kind), algorithm, kid))
    assert host.asked == 1
    expired = token(private_key("rsa-2"), "RS256", kid, exp=1)
    assert await refused(client, expired) == "The token has expired. Sign in again."


async def test_a_token_without_an_id_is_tried_with_keys_that_have_one(
    make_client: MakeClient, aiohttp_server: MakeServer
) -> None:
    host = KeyHost(jwk("rsa", "RS256", kid="one"), jwk("rsa-2", "RS256", kid="two"))
    client = await make_client(jwks_url=await host.start(aiohttp_server))
    for kind in ("rsa", "rsa-2"):
        assert await user_of(client, token(private_key(kind), "RS256"))
        # Each of two keys of one id is tried, and no other
        assert await user_of(client, token(private_key("rsa"), "RS256", "one"))
        host.keys = [jwk("rsa", "RS256", kid="one"), jwk("rsa-2", "RS256", kid="one")]
    wrong = token(private_key("rsa-2"), "RS256", "one")
    assert await refused(client, wrong) == WRONG


async def test_so_many_keys_are_tried(make_client: MakeClient, aiohttp_server: MakeServer) -> None:
    host = KeyHost(*[jwk("rsa", "RS256")] * MOST_TRIED, jwk("rsa-2", "RS256"))
    client = await make_client(jwks_url=await host.start(aiohttp_server), jwks_cooldown="1ms")
    assert await user_of(client, token(private_key("rsa"), "RS256"))
    assert await refused(client, token(private_key("rsa-2"), "RS256")) == WRONG


async def test_a_new_key_without_an_id_is_fetched(
    make_client: MakeClient, aiohttp_server: MakeServer
) -> None:
    host = KeyHost(jwk("rsa", "RS256"))
    url = await host.start(aiohttp_server)
    client = await make_client(jwks_url=url, jwks_cooldown="1ms")
    assert await user_of(client, token(private_key("rsa"), "RS256"))
    host.keys = [jwk("rsa-2", "RS256")]
    await asyncio.sleep(0.002)
    assert await user_of(client, token(private_key("rsa-2"), "RS256"))
    assert await refused(client, token(private_key("rsa"), "RS256")) == WRONG


async def test_wrong_signatures_do_not_hammer_the_host(
    make_client: MakeClient, aiohttp_server: MakeServer
) -> None:
    host = KeyHost(jwk("rsa", "RS256"))
    client = await make_client(jwks_url=await host.start(aiohttp_server), jwks_cooldown="1h")
    for _ in range(5):
        assert await refused(client, token(private_key("rsa-2"), "RS256")) == WRONG
    assert host.asked == 1


# A migration


async def test_a_secret_beside_a_key_set(
    make_client: MakeClient, aiohttp_server: MakeServer
) -> None:
    host = KeyHost(jwk("rsa", "RS256", kid="one"), jwk("p256", "ES256", kid="two"))
    url = await host.start(aiohttp_server)
    client = await make_client(secret=SECRET, jwks_url=url)
    assert await user_of(client, token())
    assert await user_of(client, token(private_key("rsa"), "RS256", "one"))
    assert await user_of(client, token(private_key("p256"), "ES256"))
    assert await refused(client, token("x" * 64)) == WRONG
    assert await refused(client, token(algorithm="HS512")) == NOT_ACCEPTED
    only = await make_client(secret=SECRET, jwks_url=url, algorithms="HS512,ES256")
    assert await user_of(only, token(algorithm="HS512"))
    assert await user_of(only, token(private_key("p256"), "ES256", "two"))
    for unwanted in (token(), token(private_key("rsa"), "RS256", "one")):
        assert await refused(only, unwanted) == NOT_ACCEPTED


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_a_public_key_beside_a_key_set_and_a_secret(
    make_client: MakeClient, aiohttp_server: MakeServer
) -> None:
    host = KeyHost(jwk("rsa-2", "RS256", kid="two"))
    client = await make_client(
        secret=SECRET, public_key=public_pem("rsa"), jwks_url=await host.start(aiohttp_server)
    )
    assert await user_of(client, token())
    assert await user_of(client, token(private_key("rsa"), "RS256", "of-another"))
    assert await user_of(client, token(private_key("rsa-2"), "RS256", "two"))
    assert await user_of(client, token(private_key("rsa"), "RS256", "two"))
    assert await refused(client, token(private_key("rsa-weak"), "RS256", "two")) == WRONG


async def test_no_key_of_a_set_is_a_secret(
    make_client: MakeClient, aiohttp_server: MakeServer
) -> None:
    """Everyone knows the public keys: a token that is signed with one as a secret is a forgery."""
    secret = base64.urlsafe_b64encode(b"k" * 64).decode()
    public = jwk("rsa", "RS256", kid="one")
    host = KeyHost(public, {"kty": "oct", "k": secret, "kid": "s", "alg": "HS256"})
    client = await make_client(secret=SECRET, jwks_url=await host.start(aiohttp_server))
    pem = public_pem("rsa")
    for known in (pem, pem.strip(), json.dumps(public), public["n"], "k" * 64, secret):
        for kid in ("one", "s", None):
            forged = signed_by_hand(known.encode(), {"alg": "HS256", "kid": kid})
            assert await refused(client, forged) == WRONG
    header = {"alg": "RS256", "kid": "one"}
    assert await refused(client, signed_by_hand(SECRET.encode(), header)) == WRONG


async def test_the_secret_works_while_the_key_set_is_down(
    make_client: MakeClient, aiohttp_server: MakeServer
) -> None:
    host = KeyHost()
    host.status = 500
    client = await make_client(secret=SECRET, jwks_url=await host.start(aiohttp_server))
    assert await user_of(client, token())
    response = await client.get("/", headers=bearer(token(private_key("rsa"), "RS256")))
    assert response.status == 503


async def test_a_new_key_is_fetched_when_a_token_names_it(
    make_client: MakeClient, aiohttp_server: MakeServer
) -> None:
    host = KeyHost(jwk("rsa", "RS256", kid="old"))
    url = await host.start(aiohttp_server)
    client = await make_client(jwks_url=url, jwks_cooldown="1ms")
    assert await user_of(client, token(private_key("rsa"), "RS256", "old"))
    host.keys = [jwk("rsa-2", "RS256", kid="new")]
    await asyncio.sleep(0.002)
    assert await user_of(client, token(private_key("rsa-2"), "RS256", "new"))
    assert await refused(client, token(private_key("rsa"), "RS256", "old")) == UNKNOWN


async def test_random_keys_do_not_hammer_the_host(
    make_client: MakeClient, aiohttp_server: MakeServer
) -> None:
    """In a cooldown that is too long to wait for, nobody knows whether the issuer has the key."""
    host = KeyHost(jwk("rsa", "RS256", kid="one"))
    client = await make_client(jwks_url=await host.start(aiohttp_server), jwks_cooldown="1h")
    assert await user_of(client, token(private_key("rsa"), "RS256", "one"))
    for number in range(5):
        text = token(private_key("rsa-2"), "RS256", f"random-{number}")
        response = await client.get("/", headers=bearer(text))
        assert response.status == 503
        assert int(response.headers["Retry-After"]) > 3000
        assert "the key of your sign-in is not known yet" in await response.text()
    # The key of this id is known
    assert await refused(client, token(private_key("rsa-2"), "RS256", "one")) == WRONG
    assert await refused(client, token(private_key("p256"), "ES256", "one")) == UNKNOWN
    assert await user_of(client, token(private_key("rsa"), "RS256", "one"))
    assert host.asked == 1


async def test_a_new_key_in_the_cooldown_is_waited_for(
    make_client: MakeClient, aiohttp_server: MakeServer
) -> None:
    """Any number of requests wait for the same fetch, which comes after the cooldown."""
    host = KeyHost(jwk("rsa", "RS256", kid="old"))
    url = await host.start(aiohttp_server)
    client = await make_client(jwks_url=url, jwks_cooldown="300ms")
    assert await user_of(client, token(private_key("rsa"), "RS256", "old"))
    host.keys.append(jwk("rsa-2", "RS256", kid="new"))
    texts = [token(private_key("rsa-2"), "RS256", "new")] * 5
    strange = token(private_key("rsa-2"), "RS256", "strange")
    *users, told = await asyncio.gather(
        *(user_of(client, text) for text in texts), refused(client, strange)
    )
    assert (len(users), told) == (5, UNKNOWN)
    assert host.asked == 2


async def test_a_key_that_came_after_the_fetch_began_is_waited_for(
    make_client: MakeClient, aiohttp_server: MakeServer
) -> None:
    host = KeyHost()
    host.body = json.dumps({"keys": [jwk("rsa", "RS256", kid="old")]}).encode()
    host.gate = asyncio.Event()
    client = await make_client(jwks_url=await host.start(aiohttp_server), jwks_cooldown="1ms")
    await host.reached.wait()
    text = token(private_key("rsa-2"), "RS256", "new")
    waiting = asyncio.create_task(user_of(client, text))
    host.after = json.dumps({"keys": [jwk("rsa-2", "RS256", kid="new")]}).encode()
    host.gate.set()
    assert await waiting
    assert host.asked == 2


async def test_the_wait_for_keys_ends_before_the_hook_does(
    aiohttp_client: MakeClient, aiohttp_server: MakeServer
) -> None:
    """The user gets a 503 that says why, not the error of a hook that takes too long."""
    host = KeyHost()
    host.gate = asyncio.Event()
    app = application(
        plugin(jwks_url=await host.start(aiohttp_server), jwks_timeout="1h"),
        hooks=HookSettings(timeouts={"Plugin_0": "100ms"}),
    )
    client = await aiohttp_client(app)
    response = await client.get("/", headers=bearer(token(private_key("rsa"), "RS256", "one")))
    assert response.status == 503
    assert "the sign-in service's keys are not available" in await response.text()
    host.gate.set()


async def test_requests_at_once_share_one_fetch(
    make_client: MakeClient, aiohttp_server: MakeServer
) -> None:
    host = KeyHost(jwk("rsa", "RS256", kid="one"))
    host.gate = asyncio.Event()
    url = await host.start(aiohttp_server)
    client = await make_client(jwks_url=url, jwks_cooldown="1ms")
    texts = [token(private_key("rsa"), "RS256", "one")] * 5
    requests = [asyncio.create_task(user_of(client, text)) for text in texts]
    await host.reached.wait()
    host.gate.set()
    assert len(await asyncio.gather(*requests)) == 5
    assert host.asked == 1


async def test_a_host_that_is_down_is_told_as_such(
    make_client: MakeClient, aiohttp_server: MakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    host = KeyHost(jwk("rsa", "RS256", kid="one"))
    host.status = 500
    url = await host.start(aiohttp_server)
    client = await make_client(jwks_url=url, jwks_cooldown="1h")
    for _ in range(2):
        response = await client.get("/", headers=bearer(token(private_key("rsa"), "RS256", "one")))
        assert response.status == 503
        assert int(response.headers["Retry-After"]) > 0
        assert (await response.json())["message"] == (
            "Could not verify who you are: the sign-in service's keys are not available. "
            "Try again in a moment."
        )
    assert host.asked == 1
    [record] = caplog.records
    assert record.getMessage() == f"cannot fetch the keys at {url}: status 500"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            b"<html>",
            "the document is not JSON, but a web page: set `jwks_url` to the key set's URL",
        ),
        (b"[]", "not a JWK set"),
        (b'{"keys": 5}', "not a JWK set"),
        (b'{"keys": []}', "no usable key"),
        (b"\xff\xfe", "the document is not JSON"),
        (b'{"issuer": "x", "jwks_uri": "y"}', "set `jwks_url` to the URL in its `jwks_uri`"),
    ],
)
async def test_a_host_that_sends_nonsense(
    make_client: MakeClient,
    aiohttp_server: MakeServer,
    body: bytes,
    told: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    host = KeyHost()
    host.body = body
    url = await host.start(aiohttp_server)
    client = await make_client(jwks_url=url, jwks_cooldown="1ms")
    text = token(private_key("rsa"), "RS256", "one")
    assert (await client.get("/", headers=bearer(text))).status == 503
    assert told in caplog.text
    host.body, host.keys = None, [jwk("rsa", "RS256", kid="one")]
    await asyncio.sleep(0.002)
    assert await user_of(client, text)


async def test_a_server_without_keys_is_not_ready(
    aiohttp_client: MakeClient, aiohttp_server: MakeServer
) -> None:
    assert await plugin(secret=SECRET).ready() is None
    host = KeyHost(jwk("rsa", "RS256", kid="one"))
    host.status = 500
    given = plugin(jwks_url=await host.start(aiohttp_server), jwks_cooldown="1ms")
    await aiohttp_client(application(given))
    assert await given.ready() == "the keys of jwks_url could not be fetched yet"
    host.status = 200
    for _ in range(10_000):
        if await given.ready() is None:
            break
        await asyncio.sleep(0.002)
    host.status = 500
    assert await given.ready() is None, "the old keys are used"


async def test_a_host_that_hangs(make_client: MakeClient, aiohttp_server: MakeServer) -> None:
    host = KeyHost(jwk("rsa", "RS256", kid="one"))
    host.gate = asyncio.Event()
    url = await host.start(aiohttp_server)
    client = await make_client(jwks_url=url, jwks_timeout="50ms", jwks_cooldown="1h")
    text = token(private_key("rsa"), "RS256", "one")
    assert (await client.get("/", headers=bearer(text))).status == 503
    host.gate.set()


async def test_old_keys_are_used_while_new_ones_cannot_be_fetched(
    make_client: MakeClient, aiohttp_server: MakeServer
) -> None:
    host = KeyHost(jwk("rsa", "RS256", kid="one"))
    url = await host.start(aiohttp_server)
    client = await make_client(jwks_url=url, jwks_cooldown="1ms", jwks_max_age="1ms")
    text = token(private_key("rsa"), "RS256", "one")
    assert await user_of(client, text)
    host.status = 500
    async with asyncio.timeout(10):
        while host.asked < 4:
            assert await user_of(client, text)
    assert await user_of(client, text)
    # nobody knows whether this key is known there
    new = await client.get("/", headers=bearer(token(private_key("rsa-2"), "RS256", "new")))
    assert new.status == 503


async def test_keys_that_were_taken_back_are_forgotten(
    make_client: MakeClient, aiohttp_server: MakeServer
) -> None:
    host = KeyHost(jwk("rsa", "RS256", kid="one"))
    url = await host.start(aiohttp_server)
    client = await make_client(jwks_url=url, jwks_cooldown="1ms", jwks_max_age="1ms")
    text = token(private_key("rsa"), "RS256", "one")
    assert await user_of(client, text)
    host.keys = [jwk("rsa-2", "RS256", kid="two")]

    async def until_refused() -> None:
        while (await client.get("/", headers=bearer(text))).status == 200:
            pass

    await asyncio.wait_for(until_refused(), 10)
    assert await refused(client, text) == UNKNOWN


async def test_the_server_stops_while_keys_are_fetched(
    make_client: MakeClient, aiohttp_server: MakeServer
) -> None:
    host = KeyHost()
    host.gate = asyncio.Event()
    client = await make_client(jwks_url=await host.start(aiohttp_server), jwks_timeout="1h")
    await host.reached.wait()
    await asyncio.wait_for(client.close(), 10)
    host.gate.set()


# Settings


def private_pem(kind: str) -> str:
    key = private_key(kind)
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({}, "set `secret`, `public_key` or `jwks_url`"),
        (
            {"secret": SECRET, "jwks_url": "https://x/keys", "algorithms": ["RS256"]},
            "none of them works with a secret. Add one of HS256",
        ),
        (
            {"secret": SECRET, "public_key": public_pem("rsa"), "algorithms": ["HS256"]},
            "none of them works with a public key. Add one of RS256",
        ),
        ({"secret": "hunter2"}, "HS256 needs 32 bytes or more, and this has 7"),
        ({"secret": "x" * 32, "algorithms": ["HS256", "HS512"]}, "HS512 needs 64 bytes"),
        ({"secret": public_pem("rsa")}, "secret: The specified key is an asymmetric key"),
        (
            {"secret": SECRET, "algorithms": ["none"]},
            "algorithms: none is not supported. Use one of",
        ),
        ({"secret": SECRET, "algorithms": ["HS265"]}, "algorithms: HS265 is not supported"),
        ({"secret": SECRET, "algorithms": ["RS256"]}, "RS256 does not work with a secret"),
        (
            {"public_key": public_pem("rsa"), "algorithms": ["RS256", "HS256"]},
            "HS256 does not work with a public key",
        ),
        ({"jwks_url": "https://x/keys", "algorithms": ["HS256"]}, "HS256 does not work with"),
        ({"jwks_url": "ftp://x/keys"}, "jwks_url: an address begins with https:// or http://"),
        (
            {"public_key": public_pem("rsa"), "algorithms": ["ES256"]},
            "public_key: not a key for ES256",
        ),
        ({"public_key": public_pem("p256"), "algorithms": ["ES384"]}, "not a key for ES384"),
        ({"public_key": public_pem("rsa-weak")}, "RSA key is 1024 bits long"),
        ({"public_key": private_pem("rsa")}, "this is a private key; use the public key"),
        ({"public_key": "/nowhere/key.pem"}, "nor the path of a readable text file"),
        ({"public_key": "hunter2"}, "neither PEM text (-----BEGIN PUBLIC KEY-----) nor the path"),
        ({"public_key": "hunter2\0"}, "neither PEM text"),
        ({"public_key": "hunter2é" * 1000}, "neither PEM text"),
        ({"public_key": "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----"}, "not a public"),
        ({"secret": SECRET, "audiense": "x"}, "audiense: unknown key. Did you mean `audience`?"),
        ({"secret": SECRET, "no_tenant": "own"}, "`no_tenant` is for users without the claim"),
        ({"secret": SECRET, "user_claim": ""}, "user_claim: String should have at least 1"),
        ({"secret": SECRET, "user_claim": ".sub"}, "user_claim: expected the name of a claim"),
        ({"secret": SECRET, "tenant_claim": "o..id"}, "tenant_claim: expected the name of a"),
        ({"secret": SECRET, "name_claim": "name "}, "name_claim: expected the name of a claim"),
        ({"secret": SECRET, "leeway": 30}, "leeway: expected a duration with its unit"),
    ],
)
def test_settings_that_are_refused(config: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError) as error:
        plugin(**config)
    assert told in str(error.value)
    for hidden in ("hunter2", SECRET, private_pem("rsa")[60:100]):
        assert hidden not in str(error.value)


def test_algorithms_may_be_a_text_with_commas() -> None:
    assert list(plugin(secret=SECRET, algorithms="HS256, HS512").fixed) == ["HS256", "HS512"]


async def test_a_plugin_that_is_never_asked_is_told(caplog: pytest.LogCaptureFixture) -> None:
    application(plugin(secret=SECRET), Stranger())
    assert caplog.messages == [
        "plugins: Stranger_1 is never asked who the user is, because jwt_auth refuses requests "
        "without a token. Set its `required: false`, or remove the other one"
    ]
    caplog.clear()
    application(plugin(secret=SECRET, required=False), Stranger())
    assert caplog.messages == []


def test_the_secret_is_not_shown() -> None:
    assert SECRET not in repr(plugin(secret=SECRET).config)
