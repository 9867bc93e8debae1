"""Enqueue every account whose period has ended, or that has something to bill or to collect again.

Trigger: Scheduler, monthly and every hour.
"""

from typing import Any

from aws_lambda_powertools import Logger

from billing.domain.records import TimerKind
from billing.services.sweep_timers import SweepTimers
from quota_reset import bootstrap

logger = Logger()


@logger.inject_lambda_context(log_event=False)
def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return handle(bootstrap.sweep_timers())


def handle(sweep_timers: SweepTimers) -> dict[str, Any]:
    """Sweep once, and say how many accounts were due."""
    kinds = (TimerKind.PERIOD_END, TimerKind.BILLING)
    enqueued = sum(sweep_timers.sweep(kind) for kind in kinds)
    logger.info("period sweep", enqueued=enqueued)
    return {"enqueued": enqueued}
