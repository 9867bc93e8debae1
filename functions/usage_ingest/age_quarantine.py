"""Count what waits in the quarantine. Trigger: EventBridge Scheduler, every six hours."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from billing.services.age_quarantine import AgeQuarantine
from usage_ingest import bootstrap

logger = Logger()


@logger.inject_lambda_context(log_event=False)
def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return handle(bootstrap.age_quarantine(), bootstrap.metrics())


def handle(age_quarantine: AgeQuarantine, metrics: Metrics) -> dict[str, Any]:
    """Count once. The metrics name no tenant; their alarms are in the template."""
    age = age_quarantine.age()
    oldest_seconds = int(age.oldest.total_seconds())
    metrics.add_metric("QuarantineWaiting", MetricUnit.Count, age.waiting)
    metrics.add_metric("QuarantineOldestAge", MetricUnit.Seconds, oldest_seconds)
    metrics.flush_metrics()
    logger.info(
        "quarantine counted",
        waiting=age.waiting,
        settled=age.settled,
        oldest_seconds=oldest_seconds,
    )
    return {"waiting": age.waiting, "settled": age.settled, "oldest_seconds": oldest_seconds}
