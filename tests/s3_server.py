"""A server that speaks S3, on loopback, in a thread of the test's process."""

from __future__ import annotations

import logging
import secrets
from functools import cache
from typing import Any
from urllib.request import Request, urlopen

from moto.server import ThreadedMotoServer


@cache
def _address() -> str:
    """Start the server once for all tests of this process; it ends with the process."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    return f"http://{host}:{port}"


def new_bucket() -> dict[str, Any]:
    """Return the settings `url` and `options` of a new bucket, with a prefix."""
    name = f"bucket-{secrets.token_hex(4)}"
    with urlopen(Request(f"{_address()}/{name}", method="PUT")):
        pass
    options = {
        "endpoint": _address(),
        "region": "us-east-1",
        "access_key_id": "test",
        "secret_access_key": "test",
        "allow_http": True,
    }
    return {"url": f"s3://{name}/chat/files", "options": options}
