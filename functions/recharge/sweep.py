"""Enqueue every account whose recharge is due. Trigger: EventBridge Scheduler, every four hours."""

from typing import Any

from aws_lambda_powertools import Logger

from billing.domain.records import TimerKind
from billing.services.sweep_timers import SweepTimers
from recharge import bootstrap

logger = Logger()


@logger.inject_lambda_context(log_event=False)
def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return handle(bootstrap.sweep_timers())


def handle(sweep_timers: SweepTimers) -> dict[str, Any]:
    """Sweep once, and say how many accounts were due."""
    enqueued = sweep_timers.sweep(TimerKind.RECHARGE)
    logger.info("recharge sweep", enqueued=enqueued)
    return {"enqueued": enqueued}
