"""Compare providers' own lists of calls with ours. Triggers: Scheduler every night, which enqueues;
the reconcile queue; and whoever invokes it with a connection and a day.
"""

import json
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger

from billing.domain.canonical import Json
from billing.domain.errors import TalktimeError
from billing.domain.provider_records import Reconciliation
from billing.domain.reconciled import Reconciled
from billing.ports import ReconciliationQueue
from billing.services.plan_reconciliations import PlanReconciliations
from billing.services.reconcile_usage import ReconcileUsage
from usage_ingest import bootstrap

RESERVE_MILLISECONDS = 240_000
"""Left when no further page is begun: one page's worst case, five attempts at a slow provider."""

logger = Logger()


@logger.inject_lambda_context(log_event=False)
def lambda_handler(event: dict[str, Any], context: Any) -> Json:
    def may_go_on() -> bool:
        return bool(context.get_remaining_time_in_millis() > RESERVE_MILLISECONDS)

    if "schedule" in event:
        return plan(bootstrap.plan_reconciliations())
    reconcile_usage = bootstrap.reconcile_usage()
    if "Records" in event:
        return work_off(event, reconcile_usage, bootstrap.reconciliation_queue(), may_go_on)
    try:
        return reconcile(Reconciliation.from_json(event), reconcile_usage, may_go_on).to_json()
    except TalktimeError as error:
        # Whoever asked is told, so that no alarm has to.
        logger.warning("reconciliation refused", code=error.code)
        return {"refused": {"code": error.code, "detail": error.detail}}


def plan(plan_reconciliations: PlanReconciliations) -> Json:
    enqueued = plan_reconciliations.plan()
    logger.info("reconciliations planned", enqueued=enqueued)
    return {"enqueued": enqueued}


def work_off(
    event: dict[str, Any],
    reconcile_usage: ReconcileUsage,
    queue: ReconciliationQueue,
    may_go_on: Callable[[], bool],
) -> Json:
    """Compare for every message; what is left when time is up becomes a message of its own."""
    failed: list[str] = []
    for record in event["Records"]:
        try:
            work = Reconciliation.from_json(json.loads(record["body"]))
            left = reconcile(work, reconcile_usage, may_go_on).next
            if left is not None:
                queue.send([left])
        except Exception:
            # The queue delivers again, whatever it was; its dead letters have an alarm.
            logger.exception("not reconciled", messages=[record["messageId"]])
            failed.append(record["messageId"])
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def reconcile(
    work: Reconciliation, reconcile_usage: ReconcileUsage, may_go_on: Callable[[], bool]
) -> Reconciled:
    """Compare, and log what was found: counts, never a number that was called."""
    found = reconcile_usage.reconcile(work, may_go_on)
    counts = {finding.value: count for finding, count in found.counts.items()}
    logger.info("usage reconciled", work=work.to_json(), done=found.next is None, counts=counts)
    return found
