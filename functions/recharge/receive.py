"""Receive a payment gateway's signed webhook. Trigger: POST /webhooks/payments/{gateway}.

A store's failure is not caught: the gateway then answers 5xx, which tells the payment gateway to
send the webhook again, and the function's error alarm sees it.
"""

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit

from billing.adapters.webhook_http import done, problem, webhook_request
from billing.domain.errors import (
    BookBusyError,
    InvalidSignatureError,
    PaymentMismatchError,
    PaymentNotCreditedError,
    PaymentUnknownError,
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
    gateway = str((event.get("pathParameters") or {}).get("gateway", ""))
    shown = gateway[:MAX_NAME]
    request = webhook_request(event, public_url, f"/webhooks/payments/{gateway}")
    if len(request.body) > MAX_BODY_BYTES:
        logger.warning("webhook refused", code="body_too_large")
        detail = f"a webhook has at most {MAX_BODY_BYTES} bytes"
        return problem(event, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", detail)
    if not take_webhook.knows(gateway):
        logger.warning("webhook refused", code="not_found", gateway=shown)
        return problem(event, HTTPStatus.NOT_FOUND, "not_found", "there is no such payment gateway")
    try:
        taken = take_webhook.take(gateway, request)
    except (InvalidSignatureError, *LATER) as error:
        logger.warning("webhook refused", code=error.code, gateway=shown)
        is_forged = isinstance(error, InvalidSignatureError)
        status = HTTPStatus.UNAUTHORIZED if is_forged else HTTPStatus.SERVICE_UNAVAILABLE
        return problem(event, status, error.code, error.detail)
    except PaymentMismatchError:
        _count(metrics, "PaymentMismatches")
        raise
    if taken is Taken.NOT_OURS:
        _count(metrics, "GatewayEventsNotOurs")
    logger.info("webhook taken", gateway=shown, outcome=taken)
    return done(event)


def _count(metrics: Metrics, name: str) -> None:
    metrics.add_metric(name, MetricUnit.Count, 1)
    metrics.flush_metrics()
