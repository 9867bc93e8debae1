"""The API behind WSGI, for tools that speak HTTP: it does to a request what API Gateway does."""

import base64
import gzip
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from api.handler import handle
from integration.api.client import Token, World

Start = Callable[[str, list[tuple[str, str]]], object]


class Wsgi:
    """Serves whichever world is set, to whoever names a token that it knows.

    Args:
        tokens: What the authorizer makes of an Authorization header; of any other it makes nothing,
            and the API itself has to refuse.
    """

    def __init__(self, tokens: Mapping[str, Token]) -> None:
        self.world: World | None = None
        self._tokens = tokens

    def __call__(self, environ: Mapping[str, Any], start: Start) -> Iterable[bytes]:
        assert self.world is not None
        answered = handle(self._event(environ), self.world.app)
        content: bytes = (answered.get("body") or "").encode()
        headers = {name.lower(): str(value) for name, value in answered["headers"].items()}
        if answered.get("isBase64Encoded"):
            content = base64.b64decode(content)
        if headers.get("content-encoding") == "gzip":
            content = gzip.decompress(content)
            del headers["content-encoding"]
        status = HTTPStatus(answered["statusCode"])
        start(f"{status.value} {status.phrase}", list(headers.items()))
        return [content]

    def _event(self, environ: Mapping[str, Any]) -> dict[str, Any]:
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        if environ.get("CONTENT_TYPE"):
            headers["content-type"] = environ["CONTENT_TYPE"]
        content = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        method, path = environ["REQUEST_METHOD"], environ["RAW_URI"].partition("?")[0]
        context: dict[str, Any] = {
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"},
            "requestId": "request-1",
            "stage": "$default",
        }
        token = self._tokens.get(headers.get("authorization", ""))
        if token is not None:
            context["authorizer"] = {"jwt": {"claims": dict(token.claims), "scopes": None}}
        return {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": environ.get("QUERY_STRING", ""),
            "headers": headers,
            "requestContext": context,
            "isBase64Encoded": True,
            "body": base64.b64encode(content).decode(),
        }
