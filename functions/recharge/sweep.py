"""Enqueue every account with a recharge to begin, a source's expiry or a low balance to tell of.

Trigger: EventBridge Scheduler, at every fourth hour from midnight UTC on, which is what a recharge
that is due waits for.
"""

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
    kinds = (TimerKind.RECHARGE, TimerKind.SOURCE_NOTICE, TimerKind.ALERT)
    enqueued = sum(sweep_timers.sweep(kind) for kind in kinds)
    logger.info("recharge sweep", enqueued=enqueued)
    return {"enqueued": enqueued}
