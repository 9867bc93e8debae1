"""Receive a telephony provider's signed callback. Trigger: POST /webhooks/usage/{conn}.

A store's failure is not caught: the gateway then answers 5xx, which tells the provider to send the
callback again, and the function's error alarm sees it.
"""

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging import correlation_paths

from billing.adapters.webhook_http import done, problem, webhook_request
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
    connection_id = str((event.get("pathParameters") or {}).get("conn", ""))
    request = webhook_request(event, public_url, f"/webhooks/usage/{connection_id}")
    if len(request.body) > MAX_BODY_BYTES:
        logger.warning("callback refused", code="body_too_large")
        detail = f"a callback has at most {MAX_BODY_BYTES} bytes"
        return problem(event, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", detail)
    try:
        taken = take_usage.take(connection_id, request)
    except InvalidSignatureError as error:
        logger.warning("callback refused", code=error.code, connection=connection_id[:MAX_ID])
        return problem(event, HTTPStatus.UNAUTHORIZED, error.code, error.detail)
    logger.info(
        "callback taken", connection=connection_id, outcome=taken.status, reason=taken.reason
    )
    return done(event)
