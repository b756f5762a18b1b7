"""Every shape of token that somebody may try, and key sets from a hostile host."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from chatkit_server import Settings
from chatkit_server.app import create_app
from tests.plugins.test_jwt_auth import jwk, private_key, public_pem, token

SECRET = "a-secret-of-this-test-that-is-as-long-as-the-longest-hash-which-has-64-bytes"

MakeClient = Callable[..., Awaitable[TestClient[Any, Any]]]
MakeServer = Callable[..., Awaitable[TestServer]]
Claims = dict[str, Any]

OK, UNSIGNED, MALFORMED = 200, 401, 400
LATER = int(time.time()) + 100_000


def each(*values: Any) -> tuple[Any, ...]:
    return values


def b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def sealed(head: bytes, payload: bytes, secret: str = SECRET) -> bytes:
    """Return a token of these bytes, signed with HMAC."""
    signed = b64(head) + b"." + b64(payload)
    return signed + b"." + b64(hmac.digest(secret.encode(), signed, hashlib.sha256))


def of(header: Claims | None = None, secret: str = SECRET, **claims: Any) -> bytes:
    """Return a token for `anna` with more in its header and its claims."""
    head = {"alg": "HS256", "typ": "JWT", **(header or {})}
    payload = {"sub": "anna", "org": "acme", "exp": LATER, **claims}
    given = {name: value for name, value in payload.items() if value is not None}
    return sealed(json.dumps(head).encode(), json.dumps(given).encode(), secret)


def raw(payload: str) -> bytes:
    return sealed(b'{"alg":"HS256"}', payload.encode("utf-8", "surrogatepass"))


def whole(claims: str) -> bytes:
    return raw(f'{{"sub":"anna","org":"acme","exp":{LATER},{claims}}}')


def unsigned(algorithm: object, signature: bytes = b"") -> bytes:
    head = b64(json.dumps({"alg": algorithm}).encode())
    payload = b64(json.dumps({"sub": "anna", "org": "acme", "exp": LATER}).encode())
    return head + b"." + payload + b"." + signature


EVIL_KEY = {"kty": "oct", "k": b64(b"x" * 64).decode()}
BY_EVIL = "x" * 64
DEEP = "[" * 2000


@cache
def shapes() -> dict[str, tuple[bytes, int]]:
    """Return tokens with the status that each gets from a server with a secret."""
    good = of()
    head, payload, signature = good.split(b".")
    evil = private_key("rsa-2")
    evil_pem = public_pem("rsa-2")
    return {
        # Nothing is wrong with these
        "good": (good, OK),
        "spaces around": (b"  " + good + b"  ", OK),
        "an unknown header": (of({"x": 1}), OK),
        "claims twice, of which the last counts": (whole('"sub":"ben"'), OK),
        "exp in a fraction": (of(exp=LATER + 0.5), OK),
        "exp of a far day": (of(exp=10**300), OK),
        "a look-alike is somebody else": (of(sub="\u0430nna"), OK),
        "a right-to-left name": (of(sub="\u05d0\u05d1"), OK),
        "a name that cannot be shown": (of(name="a\nb\u202e" * 9), OK),
        "a name of surrogates": (whole('"name":"\\ud800"'), OK),
        "a very long name": (of(name="x" * 3000), OK),
        # Algorithms
        **{
            f"alg {name!r}": (unsigned(name), UNSIGNED)
            for name in each(
                "none", "None", "NONE", "nOnE", "none ", "", None, 0, [], ["HS256"], {}
            )
        },
        "none, with a signature": (unsigned("none", signature), UNSIGNED),
        "none, with the good signature": (unsigned("HS256", signature), UNSIGNED),
        "no signature": (head + b"." + payload + b".", UNSIGNED),
        "alg in another case": (of({"alg": "hs256"}), UNSIGNED),
        "another hash": (of({"alg": "HS512"}), UNSIGNED),
        "an algorithm for keys": (of({"alg": "RS256"}), UNSIGNED),
        "an unknown algorithm": (of({"alg": "HS257"}), UNSIGNED),
        "no algorithm": (sealed(b'{"typ":"JWT"}', b'{"sub":"anna"}'), UNSIGNED),
        "alg twice": (sealed(b'{"alg":"HS256","alg":"none"}', b64(payload)), UNSIGNED),
        # Keys that the token brings
        "jwk": (of({"jwk": EVIL_KEY}, BY_EVIL), UNSIGNED),
        "jwk of RSA": (
            token(evil, "RS256", None, org="acme").encode(),
            UNSIGNED,
        ),
        "jku": (of({"jku": "http://127.0.0.1:1/keys"}, BY_EVIL), UNSIGNED),
        "x5u": (of({"x5u": "http://127.0.0.1:1/cert"}, BY_EVIL), UNSIGNED),
        "x5c": (of({"x5c": [b64(b"cert").decode()]}, BY_EVIL), UNSIGNED),
        "an empty secret": (of({}, ""), UNSIGNED),
        "a public key as the secret": (of({}, evil_pem), UNSIGNED),
        **{
            f"kid {kid!r}": (of({"kid": kid}, BY_EVIL), UNSIGNED)
            for kid in each(
                *("../../../dev/null", "/dev/null", "' OR '1'='1", "\0", "a\r\nX: y", "\ud800"),
                *("http://127.0.0.1:1/", "x" * 3000, 5, None, [], {}, True, "${SECRET}", "|id"),
            )
        },
        "a kid of a good token": (of({"kid": "../../etc/passwd"}), OK),
        # Forms
        "crit": (of({"crit": ["exp"]}), UNSIGNED),
        "crit of an unknown": (of({"crit": ["x"], "x": 1}), UNSIGNED),
        "crit is empty": (of({"crit": []}), UNSIGNED),
        "crit is no list": (of({"crit": "exp"}), UNSIGNED),
        "b64 is false": (of({"b64": False, "crit": ["b64"]}), UNSIGNED),
        "JWE": (b".".join([b64(b'{"alg":"dir","enc":"A128GCM"}'), b"", b"aa", b"aa", b"aa"]), 401),
        "zip": (of({"zip": "DEF"}, BY_EVIL), UNSIGNED),
        "JSON serialization": (b'{"payload":"e30","signatures":[]}', UNSIGNED),
        "two dots": (b"..", UNSIGNED),
        "one part": (b"x", UNSIGNED),
        "two parts": (head + b"." + payload, UNSIGNED),
        "four parts": (good + b"." + signature, UNSIGNED),
        "padded, as some issuers do": (good + b"=", OK),
        "padded too much": (good + b"===", UNSIGNED),
        "a changed payload": (head + b"." + b64(b'{"sub":"eve"}') + b"." + signature, UNSIGNED),
        "a cut signature": (good[:-3], UNSIGNED),
        "a longer signature": (good + b"AAAA", UNSIGNED),
        "standard Base64": (good.replace(b".", b"+", 1), UNSIGNED),
        "spaces within": (head + b" ." + payload + b"." + signature, UNSIGNED),
        "tabs within": (head + b"\t." + payload + b"." + signature, UNSIGNED),
        "two tokens": (good + b" " + good, UNSIGNED),
        "two tokens with a comma": (good + b"," + good, UNSIGNED),
        "8-bit bytes": (good + b"\xff\xfe", UNSIGNED),
        "UTF-8": ("é.é.é".encode(), UNSIGNED),
        "an odd digit": ("\uff11.\uff12.\uff13".encode(), UNSIGNED),
        "a header of a list": (sealed(b"[]", b"{}"), UNSIGNED),
        "a header that is no JSON": (sealed(b"{", b"{}"), UNSIGNED),
        "a header of bytes": (sealed(b"\xff\xfe", b"{}"), UNSIGNED),
        "a deep header": (sealed(DEEP.encode(), b"{}"), UNSIGNED),
        "a deep alg": (sealed(b'{"alg":' + b"[" * 1500 + b"]" * 1500 + b"}", b"{}"), UNSIGNED),
        "a header of a huge number": (sealed(b'{"alg":' + b"9" * 5000 + b"}", b""), UNSIGNED),
        "a header with UTF-16": (sealed('{"alg":"HS256"}'.encode("utf-16"), b"{}"), UNSIGNED),
        "a payload of a list": (raw("[1]"), UNSIGNED),
        "a payload of null": (raw("null"), UNSIGNED),
        "a payload of text": (raw('"anna"'), UNSIGNED),
        "a payload that is no JSON": (raw("{"), UNSIGNED),
        "an empty payload": (raw(""), UNSIGNED),
        "a deep payload": (raw(DEEP), UNSIGNED),
        "a deep claim": (whole(f'"a":{"[" * 1500}{"]" * 1500}'), UNSIGNED),
        "a payload of a huge number": (whole(f'"a":{"9" * 5000}'), UNSIGNED),
        "a token of a megabyte": (b"x" * 1_000_000, MALFORMED),
        "a token beyond a header": (b"x" * 9000, MALFORMED),
        "a long token": (b"x" * 7000, UNSIGNED),
        # Claims
        **{
            f"sub {sub!r}": (of(sub=sub), UNSIGNED)
            for sub in each(
                *(None, "", " ", 5, 5.5, True, [], ["anna"], {}, {"id": "anna"}, "a\0b", "a\nb"),
                *("a\x1b[31m", "\u202eanna", "a\u200bb", "\ufeffanna", "\x85", "x" * 256, "\ue000"),
            )
        },
        "sub of a lone surrogate": (whole('"sub":"\\ud800"'), UNSIGNED),
        **{
            f"org {org!r}": (of(org=org), UNSIGNED)
            for org in each(
                *(None, "", " ", 5, True, [], ["acme"], {}, "a\0b", "x" * 256, "acme\r\n"),
                *("chatkit-server:anonymous", "chatkit-server:"),
            )
        },
        **{
            f"exp {exp!r}": (of(exp=exp), UNSIGNED)
            for exp in each(
                None, 0, -1, 1, "tomorrow", "", True, False, [], [LATER], {}, -(10**300)
            )
        },
        **{
            f"exp {exp}": (raw(f'{{"sub":"anna","org":"acme","exp":{exp}}}'), UNSIGNED)
            for exp in each(
                "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "0x7fffffff", "1_000"
            )
        },
        **{
            f"{claim} {value}": (whole(f'"{claim}":{value}'), UNSIGNED)
            for claim in ("nbf", "iat")
            for value in (LATER, "9e99", "1e999", "NaN", '"tomorrow"', "[]", "{}", "null", '""')
        },
        "aud": (of(aud="others"), UNSIGNED),
        "aud of a list": (of(aud=["others"]), UNSIGNED),
        "aud of a number": (of(aud=5), UNSIGNED),
        "aud of an object": (of(aud={"a": 1}), UNSIGNED),
        "jti of a number": (of(jti=5), UNSIGNED),
    }


# The header as a whole

HEADERS: dict[str, tuple[list[bytes], int, int]] = {
    # With the status where a token is required, and where anonymous users are let in
    "nothing": ([], 401, 200),
    "blank": ([b""], 401, 200),
    "spaces": ([b"   "], 401, 200),
    "the scheme alone": ([b"Bearer"], 401, 401),
    "the scheme and spaces": ([b"Bearer   "], 401, 401),
    "a tab": ([b"Bearer\tGOOD"], 200, 200),
    "lower case": ([b"bearer GOOD"], 200, 200),
    "upper case": ([b"BEARER GOOD"], 200, 200),
    "no scheme": ([b"GOOD"], 401, 200),
    "no space": ([b"BearerGOOD"], 401, 200),
    "a colon": ([b"Bearer: GOOD"], 401, 200),
    "an equals sign": ([b"Bearer=GOOD"], 401, 200),
    "quoted": ([b'Bearer "GOOD"'], 401, 401),
    "Basic": ([b"Basic YTpi"], 401, 200),
    "Digest": ([b'Digest username="anna"'], 401, 200),
    "Token": ([b"Token GOOD"], 401, 200),
    "JWT": ([b"JWT GOOD"], 401, 200),
    "Bearer within": ([b"Basic Bearer GOOD"], 401, 200),
    "Bearer twice": ([b"Bearer Bearer GOOD"], 401, 401),
    "8-bit scheme": ([b"\xffearer GOOD"], 401, 200),
    "the same twice": ([b"Bearer GOOD", b"Bearer GOOD"], 401, 401),
    "good and bad": ([b"Bearer GOOD", b"Bearer bad"], 401, 401),
    "bad and good": ([b"Bearer bad", b"Bearer GOOD"], 401, 401),
    "another scheme first": ([b"Basic YTpi", b"Bearer GOOD"], 401, 401),
    "another scheme last": ([b"Bearer GOOD", b"Basic YTpi"], 401, 401),
    "blank first": ([b"", b"Bearer GOOD"], 401, 401),
    "forty": ([b"Bearer GOOD"] * 40, 401, 401),
}
HEADERS["a scheme that looks alike"] = (["\uff22earer GOOD".encode()], 401, 200)

AUTH: dict[str, dict[str, Any]] = {
    "a secret": {"secret": SECRET},
    "a public key": {"public_key": public_pem("rsa")},
    "anonymous users too": {"secret": SECRET, "required": False},
}


def application(config: dict[str, Any], folder: Path) -> web.Application:
    anonymous = {} if config.get("required", True) else {"anonymous_auth": None}
    plugins = {
        "jwt_auth": {"tenant_claim": "org", **config},
        **anonymous,
        "tortoise_store": {"url": f"sqlite://{folder / 'chatkit.db'}"},
        "demo_model": None,
    }
    return create_app(Settings.model_validate({"plugins": plugins}))


async def ask(client: TestClient[Any, Any], *values: bytes) -> tuple[int, bytes]:
    """List threads with these values of `Authorization`, as they are."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    body = b'{"type": "threads.list", "params": {}}'
    lines = [b"POST /api/chat HTTP/1.1", b"Host: localhost", b"Connection: close"]
    lines += [b"Content-Length: %d" % len(body), *(b"Authorization: " + v for v in values)]
    writer.write(b"\r\n".join([*lines, b"", body]))
    async with asyncio.timeout(30):
        answer = await reader.read(100_000)
        while b"\r\n\r\n" not in answer:
            answer += await reader.read(100_000)
    writer.close()
    with suppress(OSError):  # it did not read all of a large request
        await writer.wait_closed()
    return int(answer.split()[1]), answer


def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[str]:
    """Yield the tracebacks in the log: a client must not cause any."""
    return (record.getMessage() for record in caplog.records if record.exc_info)


@pytest.mark.parametrize("kind", AUTH)
async def test_shapes_of_tokens(
    aiohttp_client: MakeClient, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    client = await aiohttp_client(application(AUTH[kind], tmp_path))
    assert len(shapes()) > 50
    for name, (text, expected) in shapes().items():
        if kind == "a public key" and expected == OK:
            expected = UNSIGNED  # all are signed with the secret
        status, answer = await ask(client, b"Bearer " + text)
        assert status == expected, (name, answer)
        if status == 401:
            assert b"WWW-Authenticate: Bearer" in answer, name
    assert not list(quiet(caplog))


async def test_a_public_key_is_no_secret(aiohttp_client: MakeClient, tmp_path: Path) -> None:
    client = await aiohttp_client(application(AUTH["a public key"], tmp_path))
    for pem in (public_pem("rsa"), public_pem("rsa").strip(), public_pem("rsa") + "\n"):
        for algorithm in ("HS256", "RS256", "PS256", "none"):
            assert (await ask(client, b"Bearer " + of({"alg": algorithm}, pem)))[0] == 401
    good = token(private_key("rsa"), "RS256", org="acme").encode()
    assert (await ask(client, b"Bearer " + good))[0] == 200


@pytest.mark.parametrize("kind", ["a secret", "anonymous users too"])
async def test_shapes_of_the_header(
    aiohttp_client: MakeClient, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    client = await aiohttp_client(application(AUTH[kind], tmp_path))
    for name, (values, required, optional) in HEADERS.items():
        given = [value.replace(b"GOOD", of()) for value in values]
        status, answer = await ask(client, *given)
        assert status == (required if kind == "a secret" else optional), (name, answer)
    assert not list(quiet(caplog))


# Key sets


class Host:
    """A server of keys that does what a test wants."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: Callable[[web.Request], Awaitable[web.StreamResponse]] = self.good

    async def good(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"keys": [jwk("rsa", "RS256", kid="one")]})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        return await self.answer(request)

    async def start(self, aiohttp_server: MakeServer) -> str:
        app = web.Application()
        app.router.add_get("/{path:.*}", self.handle)
        return str((await aiohttp_server(app)).make_url("/keys"))


def body(data: bytes | str, **headers: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        given = data.encode() if isinstance(data, str) else data
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=given, headers=named)

    return answer


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" " * 65536)


async def trickling(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.01)


def keys(*given: Any) -> str:
    return json.dumps({"keys": list(given)})


GOOD = {"kty": "RSA", "kid": "two", "e": "AQAB"}
HUGE = b64(b"\xff" * 14_000).decode()

HOSTILE: dict[str, tuple[Callable[[web.Request], Awaitable[web.StreamResponse]], str]] = {
    "larger than it may be": (body(b" " * 200_001), "larger than 200000 bytes, jwks_max_size"),
    "endless": (endless, "larger than 200000 bytes, jwks_max_size"),
    "a byte now and then": (trickling, "longer than 0.3 s, jwks_timeout"),
    "packed": (body(gzip.compress(b" " * 9_000_000), Content_Encoding="gzip"), "is packed"),
    "deep": (body("[" * 100_000), "nested too deeply"),
    "deep keys": (body('{"keys":' + "[" * 100_000), "nested too deeply"),
    "a huge number": (body('{"keys":' + "9" * 100_000 + "}"), "is not JSON"),
    "no JSON": (body("<html>"), "is not JSON"),
    "bytes": (body(b"\xff\xfe\xfd"), "is not JSON"),
    "nothing": (body(""), "is not JSON"),
    "null": (body("null"), "not a JWK set"),
    "a list": (body("[]"), "not a JWK set"),
    "keys of a wrong type": (body('{"keys": {"a": 1}}'), "not a JWK set"),
    "no keys": (body(keys()), "no usable key"),
    "too many keys": (body(keys(*[GOOD] * 101)), "101 keys, and at most 100 are read"),
    "keys that are none": (body(keys(5, None, [], "x", {}, [[]], True)), "no usable key"),
    "parts that are none": (
        body(
            keys(
                *({**GOOD, "n": n} for n in each(5, None, [], {}, "", "!", "AQ", HUGE, "é", True)),
                *({**GOOD, "n": HUGE, "e": e} for e in each("", "AA", "AQ", HUGE, 5)),
                *({"kty": "EC", "crv": crv, "x": "AQ", "y": "AQ"} for crv in each("P-256", "x", 5)),
                *({"kty": kty} for kty in each("RSA", "EC", "OKP", "oct", "x", 5, None, [], {})),
                {**GOOD, "n": "A" * 30_000},
                {**GOOD, "use": ["sig"]},
                {**GOOD, "alg": {}},
            )
        ),
        "no usable key",
    ),
    "an error": (body("no"), ""),
}


@pytest.mark.parametrize("case", [*HOSTILE, "redirects"])
async def test_a_hostile_key_set_keeps_the_old_keys(
    aiohttp_client: MakeClient,
    aiohttp_server: MakeServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    case: str,
) -> None:
    host = Host()
    config = {
        "jwks_url": await host.start(aiohttp_server),
        "jwks_cooldown": "1ms",
        "jwks_timeout": "300ms" if case == "a byte now and then" else "30s",
        "jwks_max_size": "200kB",
    }
    client = await aiohttp_client(application(config, tmp_path))
    known = token(private_key("rsa"), "RS256", "one", org="acme").encode()
    unknown = token(private_key("rsa-2"), "RS256", "two", org="acme").encode()
    assert (await ask(client, b"Bearer " + known))[0] == 200
    if case == "redirects":
        await _refuses_redirects(client, host, aiohttp_server, caplog, known, unknown)
        return
    host.answer, told = HOSTILE[case]
    await asyncio.sleep(0.002)
    status, answer = await ask(client, b"Bearer " + unknown)
    assert status == 503, answer
    assert b"keys are not available" in answer
    assert (await ask(client, b"Bearer " + known))[0] == 200
    assert told in caplog.text
    assert "cannot fetch the keys at" in caplog.text
    assert not list(quiet(caplog))
    assert max(len(record.getMessage()) for record in caplog.records) < 1000
    host.answer = host.good
    await asyncio.sleep(0.002)
    assert (await ask(client, b"Bearer " + unknown))[0] == 401


async def _refuses_redirects(
    client: TestClient[Any, Any],
    host: Host,
    aiohttp_server: MakeServer,
    caplog: pytest.LogCaptureFixture,
    known: bytes,
    unknown: bytes,
) -> None:
    other = Host()
    elsewhere = await other.start(aiohttp_server)
    for status in (301, 302, 303, 307, 308, 300, 304, 204, 206):
        for place in (elsewhere, "/other", "//evil.example/", "http://[::1", "x" * 5000):

            async def redirect(
                _: web.Request, status: int = status, place: str = place
            ) -> web.Response:
                return web.Response(status=status, headers={"Location": place})

            host.answer = redirect
            caplog.clear()
            await asyncio.sleep(0.002)
            assert (await ask(client, b"Bearer " + unknown))[0] == 503
            assert "set `jwks_url` to the final URL" in caplog.text, (status, place)
            assert len(caplog.text) < 3000
            assert (await ask(client, b"Bearer " + known))[0] == 200
    assert other.asked == []
    assert set(host.asked) == {"/keys"}


async def test_the_keys_are_asked_for_without_anything_else(
    aiohttp_client: MakeClient, aiohttp_server: MakeServer, tmp_path: Path
) -> None:
    seen: list[web.Request] = []
    host = Host()

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        response = await host.good(request)
        response.set_cookie("a", "b")
        return response

    host.answer = answer
    config = {"jwks_url": await host.start(aiohttp_server), "jwks_cooldown": "1ms"}
    client = await aiohttp_client(application(config, tmp_path))
    for kid in each("one", "two", "three"):
        await asyncio.sleep(0.002)
        await ask(client, b"Bearer " + token(private_key("rsa"), "RS256", kid, org="acme").encode())
    assert len(seen) > 1
    assert all(request.headers["Accept-Encoding"] == "identity" for request in seen)
    assert not any({"Cookie", "Authorization"} & set(request.headers) for request in seen)
