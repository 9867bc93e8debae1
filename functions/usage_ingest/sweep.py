"""Settle calls whose parts have waited for hours. Trigger: EventBridge Scheduler, every hour."""

from typing import Any

from aws_lambda_powertools import Logger

from billing.services.sweep_parts import SweepParts
from usage_ingest import bootstrap

logger = Logger()


@logger.inject_lambda_context(log_event=False)
def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return handle(bootstrap.sweep_parts())


def handle(sweep_parts: SweepParts) -> dict[str, Any]:
    """Sweep once, and say how many calls came to which outcome."""
    outcomes = dict(sweep_parts.sweep())
    logger.info("parts sweep", outcomes=outcomes)
    return {"outcomes": outcomes}
