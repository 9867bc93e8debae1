"""Prove ledgers, a part of all accounts each night. Trigger: EventBridge Scheduler, nightly."""

from datetime import datetime, timedelta
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from billing.services.prove_ledgers import ProveLedgers
from ledger_proof import bootstrap

WORKING_TIME = timedelta(minutes=10)
"""Of the fifteen that the function has: the ledger that was begun last may be a long one."""

logger = Logger()


@logger.inject_lambda_context(log_event=False)
def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return handle(bootstrap.prove_ledgers(), bootstrap.metrics(), bootstrap.clock().now())


def handle(prove_ledgers: ProveLedgers, metrics: Metrics, now: datetime) -> dict[str, Any]:
    """Run once. The metrics name no tenant; the log names the accounts that have to be looked at.

    Nothing is mended here: see docs/runbooks.md, "Ledger mismatch".
    """
    run = prove_ledgers.prove_tonight(now + WORKING_TIME)
    for one in run.faulty:
        logger.error(
            "ledger not sound", account=str(one.account.ref), problems=list(one.proof.problems)
        )
    metrics.add_metric("LedgersProven", MetricUnit.Count, run.proven)
    metrics.add_metric("LedgerMismatches", MetricUnit.Count, len(run.faulty))
    metrics.add_metric("LedgersLeft", MetricUnit.Count, run.left)
    metrics.flush_metrics()
    logger.info("ledgers proven", proven=run.proven, entries=run.entries, left=run.left)
    return {"proven": run.proven, "mismatches": len(run.faulty), "left": run.left}
