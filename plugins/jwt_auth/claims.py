"""What a token says about its user, and why one is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import jwt

from chatkit_server import Unauthorized, words

LONGEST_ID = 255

OWN = "user:"
"""Before the id of a user, it is the tenant of that user alone."""

RESERVED = "chatkit-server:"
"""Before the tenants that the server gives to users of other plugins."""

# What each error of PyJWT means to the client; the first that matches counts.
MEANINGS: tuple[tuple[type[Exception], str], ...] = (
    (jwt.ExpiredSignatureError, words("The token has expired. Sign in again.")),
    (jwt.ImmatureSignatureError, words("The token is not valid yet.")),
    (jwt.InvalidAudienceError, words("The token is for another audience.")),
    (jwt.InvalidIssuerError, words("The token is from another issuer.")),
    (
        jwt.InvalidAlgorithmError,
        words("The token is signed with an algorithm that is not allowed."),
    ),
    (jwt.InvalidSignatureError, words("The token's signature is wrong.")),
    (jwt.exceptions.InvalidSubjectError, words("The token's claim 'sub' is not text.")),
    (jwt.exceptions.InvalidJTIError, words("The token's claim 'jti' is not text.")),
    (jwt.InvalidIssuedAtError, words("The token's claim 'iat' is not a number.")),
    (jwt.PyJWTError, words("The token cannot be read as a JSON Web Token.")),
)


def refusal(reason: str) -> Unauthorized:
    """Return a 401 with the reason, in the format of RFC 6750."""
    described = re.sub(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]", "?", reason)
    challenge = f'Bearer error="invalid_token", error_description="{described}"'
    return Unauthorized(reason, challenge=challenge)


def found_claim(claims: Mapping[str, Any], name: str) -> Any:
    """Return a claim, None without it: `org.id` is the claim of this name, or `id` inside `org`.

    The longest name that is there counts, because names may have dots: `https://acme.com/org.id`.
    """
    if name in claims:
        return claims[name]
    for dot in reversed([place for place, sign in enumerate(name) if sign == "."]):
        inside = claims.get(name[:dot])
        if isinstance(inside, Mapping):
            return found_claim(inside, name[dot + 1 :])
    return None


def text_claim(claims: Mapping[str, Any], name: str) -> str:
    """Return a claim that identifies the user; it must be text that can be stored and shown."""
    value = found_claim(claims, name)
    if value is None:
        raise refusal(f"The token has no claim '{name}'.")
    if isinstance(value, list):
        raise refusal(f"The token's claim '{name}' is a list, and not one text.")
    if not isinstance(value, str):
        raise refusal(f"The token's claim '{name}' is not text.")
    if not value.strip() or len(value) > LONGEST_ID or not value.isprintable():
        raise refusal(
            f"The token's claim '{name}' must be 1 to {LONGEST_ID} printable characters, and not "
            "only spaces."
        )
    return value


def tenant_claim(claims: Mapping[str, Any], name: str) -> str:
    """Return the claim with the tenant; it must not be one that this server gives."""
    value = text_claim(claims, name)
    for taken in (OWN, RESERVED):
        if value.startswith(taken):
            raise refusal(f"The token's claim '{name}' must not begin with '{taken}'.")
    return value


def own_tenant(user: str) -> str:
    """Return the tenant that only this user is in; no token can name it."""
    tenant = f"{OWN}{user}"
    if len(tenant) > LONGEST_ID:
        raise refusal("The token has no tenant, and the user's id is too long to be one.")
    return tenant


def shown_name(value: object) -> str | None:
    """Return a claim as the user's name, None if it cannot be shown: it may stand in a prompt."""
    fits = isinstance(value, str) and 0 < len(value) <= LONGEST_ID and value.isprintable()
    return str(value) if fits else None
