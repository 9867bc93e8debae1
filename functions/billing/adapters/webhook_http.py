"""A webhook as API Gateway hands it over (HTTP API, payload 2.0), and what it is answered."""

import base64
import json
from http import HTTPStatus
from typing import Any

from billing.domain.callbacks import WebhookRequest


def webhook_request(event: dict[str, Any], public_url: str, path: str) -> WebhookRequest:
    """The request as its sender made it.

    Args:
        public_url: How senders reach the API, whatever host and stage the event names.
        path: Built anew by the caller: the event's ``rawPath`` is percent-decoded and may begin
            with a stage that the public never sees.
    """
    query = event.get("rawQueryString") or ""
    return WebhookRequest(
        method=event["requestContext"]["http"]["method"],
        url=public_url.rstrip("/") + path + (f"?{query}" if query else ""),
        headers=event.get("headers") or {},
        body=_body(event),
    )


def done(event: dict[str, Any]) -> dict[str, Any]:
    """204: it is durable."""
    headers = {"X-Request-Id": _request_id(event)}
    return {"statusCode": HTTPStatus.NO_CONTENT.value, "headers": headers}


def problem(event: dict[str, Any], status: HTTPStatus, code: str, detail: str) -> dict[str, Any]:
    """A refusal as problem+json (RFC 9457)."""
    body = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "code": code,
        "request_id": _request_id(event),
    }
    headers = {"Content-Type": "application/problem+json", "X-Request-Id": _request_id(event)}
    return {"statusCode": status.value, "headers": headers, "body": json.dumps(body)}


def _request_id(event: dict[str, Any]) -> str:
    return str(event["requestContext"]["requestId"])


def _body(event: dict[str, Any]) -> bytes:
    text = event.get("body") or ""
    if event.get("isBase64Encoded"):
        return base64.b64decode(text)
    # A lone surrogate is no text; it is passed on, so that the signature check refuses it.
    return str(text).encode(errors="surrogatepass")
