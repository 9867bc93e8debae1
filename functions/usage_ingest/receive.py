"""Receive a telephony provider's signed callback. Trigger: POST /webhooks/usage/{conn}.

A store's failure is not caught: the gateway then answers 5xx, which tells the provider to send the
callback again, and the function's error alarm sees it.
"""

import base64
import json
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging import correlation_paths

from billing.domain.callbacks import WebhookRequest
from billing.domain.errors import InvalidSignatureError
from billing.services.take_usage import TakeUsage
from usage_ingest import bootstrap

MAX_BODY_BYTES = 256 * 1024
"""A callback is about 1 KB; what comes near this is not one."""

MAX_ID = 64
"""Characters of an id; an unknown one is whatever somebody put into the URL."""

logger = Logger()


@logger.inject_lambda_context(
    correlation_id_path=correlation_paths.API_GATEWAY_HTTP, log_event=False
)
def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return handle(event, bootstrap.take_usage(), bootstrap.public_url())


def handle(event: dict[str, Any], take_usage: TakeUsage, public_url: str) -> dict[str, Any]:
    """Answer 204 to whatever is truly the provider's, and the same 401 to everything else.

    Logs name the connection and the outcome, never a number, a secret or any part of the body.
    """
    request_id = str(event["requestContext"]["requestId"])
    connection_id = str((event.get("pathParameters") or {}).get("conn", ""))
    body = _body(event)
    if len(body) > MAX_BODY_BYTES:
        logger.warning("callback refused", code="body_too_large")
        detail = f"a callback has at most {MAX_BODY_BYTES} bytes"
        return _problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", detail, request_id)
    try:
        taken = take_usage.take(connection_id, _request(event, public_url, connection_id, body))
    except InvalidSignatureError as error:
        logger.warning("callback refused", code=error.code, connection=connection_id[:MAX_ID])
        return _problem(HTTPStatus.UNAUTHORIZED, error.code, error.detail, request_id)
    logger.info(
        "callback taken", connection=connection_id, outcome=taken.status, reason=taken.reason
    )
    return {"statusCode": HTTPStatus.NO_CONTENT.value, "headers": {"X-Request-Id": request_id}}


def _request(
    event: dict[str, Any], public_url: str, connection_id: str, body: bytes
) -> WebhookRequest:
    """The request as the provider made it.

    The path is built anew: the event's ``rawPath`` is percent-decoded and may begin with a stage
    that the public never sees.
    """
    query = event.get("rawQueryString") or ""
    path = f"/webhooks/usage/{connection_id}"
    return WebhookRequest(
        method=event["requestContext"]["http"]["method"],
        url=public_url.rstrip("/") + path + (f"?{query}" if query else ""),
        headers=event.get("headers") or {},
        body=body,
    )


def _body(event: dict[str, Any]) -> bytes:
    text = event.get("body") or ""
    if event.get("isBase64Encoded"):
        return base64.b64decode(text)
    # A lone surrogate is no text; it is passed on, so that the signature check refuses it.
    return str(text).encode(errors="surrogatepass")


def _problem(status: HTTPStatus, code: str, detail: str, request_id: str) -> dict[str, Any]:
    problem = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }
    return {
        "statusCode": status.value,
        "headers": {"Content-Type": "application/problem+json", "X-Request-Id": request_id},
        "body": json.dumps(problem),
    }
