"""Receive a payment gateway's signed webhook. Trigger: POST /webhooks/payments/{gateway}.

A store's failure is not caught: the gateway then answers 5xx, which tells the payment gateway to
send the webhook again, and the function's error alarm sees it.
"""

import base64
import json
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit

from billing.domain.callbacks import WebhookRequest
from billing.domain.errors import (
    BookBusyError,
    InvalidSignatureError,
    PaymentMismatchError,
    PaymentNotCreditedError,
    PaymentUnknownError,
    TalktimeError,
)
from billing.services.take_gateway_event import Taken
from billing.services.take_gateway_webhook import TakeGatewayWebhook
from recharge import bootstrap

MAX_BODY_BYTES = 256 * 1024
"""A webhook is some KB: gateways send the object it is about, and no lists of them."""

MAX_NAME = 64
"""Characters of a gateway's name; an unknown one is whatever somebody put into the URL."""

LATER = (BookBusyError, PaymentNotCreditedError, PaymentUnknownError)
"""Nothing is wrong, only too early: the payment gateway sends it again."""

logger = Logger()


@logger.inject_lambda_context(
    correlation_id_path=correlation_paths.API_GATEWAY_HTTP, log_event=False
)
def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return handle(
        event, bootstrap.take_gateway_webhook(), bootstrap.metrics(), bootstrap.public_url()
    )


def handle(
    event: dict[str, Any], take_webhook: TakeGatewayWebhook, metrics: Metrics, public_url: str
) -> dict[str, Any]:
    """Answer 204 once what the webhook says is done, and the same 401 to whatever is not signed.

    Logs name the gateway and the outcome, never an id, an amount or any part of the body; only the
    error of a mismatch says what a person has to compare.
    """
    request_id = str(event["requestContext"]["requestId"])
    gateway = str((event.get("pathParameters") or {}).get("gateway", ""))
    shown = gateway[:MAX_NAME]
    body = _body(event)
    if len(body) > MAX_BODY_BYTES:
        logger.warning("webhook refused", code="body_too_large")
        detail = f"a webhook has at most {MAX_BODY_BYTES} bytes"
        return _problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", detail, request_id)
    if not take_webhook.knows(gateway):
        logger.warning("webhook refused", code="not_found", gateway=shown)
        detail = "there is no such payment gateway"
        return _problem(HTTPStatus.NOT_FOUND, "not_found", detail, request_id)
    try:
        taken = take_webhook.take(gateway, _request(event, public_url, gateway, body))
    except InvalidSignatureError as error:
        return _refused(HTTPStatus.UNAUTHORIZED, error, shown, request_id)
    except LATER as error:
        return _refused(HTTPStatus.SERVICE_UNAVAILABLE, error, shown, request_id)
    except PaymentMismatchError:
        _count(metrics, "PaymentMismatches")
        raise
    if taken is Taken.NOT_OURS:
        _count(metrics, "GatewayEventsNotOurs")
    logger.info("webhook taken", gateway=shown, outcome=taken)
    return {"statusCode": HTTPStatus.NO_CONTENT.value, "headers": {"X-Request-Id": request_id}}


def _count(metrics: Metrics, name: str) -> None:
    metrics.add_metric(name, MetricUnit.Count, 1)
    metrics.flush_metrics()


def _request(event: dict[str, Any], public_url: str, gateway: str, body: bytes) -> WebhookRequest:
    """The request as the payment gateway made it."""
    query = event.get("rawQueryString") or ""
    path = f"/webhooks/payments/{gateway}"
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


def _refused(
    status: HTTPStatus, error: TalktimeError, gateway: str, request_id: str
) -> dict[str, Any]:
    logger.warning("webhook refused", code=error.code, gateway=gateway)
    return _problem(status, error.code, error.detail, request_id)


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
