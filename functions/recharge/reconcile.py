"""Look after payments whose outcome is not known. Trigger: EventBridge Scheduler, every 15 minutes.

What was asked and not answered, what is slow, and what waits for its customer stands under a timer;
the worker that collects asks the gateway again.
"""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from billing.services.reconcile_payments import ReconcilePayments
from recharge import bootstrap

logger = Logger()


@logger.inject_lambda_context(log_event=False)
def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return handle(bootstrap.reconcile_payments(), bootstrap.metrics())


def handle(reconcile_payments: ReconcilePayments, metrics: Metrics) -> dict[str, Any]:
    """Run once. The metrics name no tenant; the alarm is in the template."""
    due = reconcile_payments.reconcile()
    metrics.add_metric("PaymentsOpen", MetricUnit.Count, due.enqueued)
    metrics.add_metric("PaymentsOverdue", MetricUnit.Count, due.overdue)
    metrics.flush_metrics()
    logger.info("payments reconciled", enqueued=due.enqueued, overdue=due.overdue)
    return {"enqueued": due.enqueued, "overdue": due.overdue}
