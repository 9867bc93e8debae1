"""The HTTP API. Trigger: API Gateway (HTTP API, payload 2.0), JWT on everything below /v1."""

from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.utilities.typing import LambdaContext

from api import bootstrap


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return handle(event, bootstrap.app(), context)


def handle(
    event: dict[str, Any], app: APIGatewayHttpResolver, context: LambdaContext | None = None
) -> dict[str, Any]:
    """Answer one request."""
    return app.resolve(event, context or LambdaContext())
