"""Keys to check tokens with: a secret or a public key from the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate
from pydantic import SecretStr

from chatkit_server import SettingsError

from .config import ASYMMETRIC


def secret_by_algorithm(secret: SecretStr, algorithms: list[str]) -> dict[str, Any]:
    """Return the secret for each algorithm.

    Raises `SettingsError` if it is shorter than the hash (RFC 7518, section 3.2), because it could
    then be guessed from one token, or if it is a public key.
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
                f'Generate one: python -c "import secrets; print(secrets.token_urlsafe({needed}))"'
            )
    return dict.fromkeys(algorithms, text)


def key_by_algorithm(public_key: str, algorithms: list[str]) -> dict[str, Any]:
    """Return a public key for each algorithm: those given, or all that it fits."""
    key = load_public_key(public_key)
    fitting: dict[str, Any] = {}
    for name in algorithms or ASYMMETRIC:
        algorithm = jwt.get_algorithm_by_name(name)
        try:
            weakness = weakness_of(algorithm, key)
        except (jwt.InvalidKeyError, TypeError) as error:
            if algorithms:
                raise SettingsError(f"public_key: not a key for {name}: {error}") from None
            continue
        if weakness:
            raise SettingsError(f"public_key: {weakness}")
        fitting[name] = key
    if not fitting:
        raise SettingsError(
            "public_key: expected an RSA, elliptic curve (P-256 or larger) or Ed25519 key"
        )
    return fitting


def load_public_key(public_key: str) -> Any:
    """Return the key of a PEM text, or of the file at a path: a public key or a certificate."""
    pem = public_key.replace("\\n", "\n")  # environment variables often have it so
    if "-----BEGIN" not in pem:
        try:
            pem = Path(public_key).read_text("ascii")
        except (OSError, ValueError):
            # Without the value, which may be a secret that was put here by mistake
            raise SettingsError(
                "public_key: neither PEM text (-----BEGIN PUBLIC KEY-----) nor the path of a "
                "readable text file"
            ) from None
    if "PRIVATE KEY-----" in pem:
        raise SettingsError("public_key: this is a private key; use the public key of the pair")
    try:
        if "-----BEGIN CERTIFICATE-----" in pem:
            return load_pem_x509_certificate(pem.encode()).public_key()
        return load_pem_public_key(pem.encode())
    except ValueError:
        raise SettingsError("public_key: not a public key in PEM format") from None


def weakness_of(algorithm: Any, key: Any) -> str | None:
    """Return why a key is too weak for an algorithm, or None; raises `InvalidKeyError`."""
    weakness: str | None = algorithm.check_key_length(algorithm.prepare_key(key))
    return weakness
