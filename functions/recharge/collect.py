"""Collect recharges that are due. Trigger: the recharge queue, grouped by account."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

from billing.adapters.work_batch import process_accounts
from billing.domain.account import AccountRef
from billing.services.collect_recharge import CollectRecharge
from recharge import bootstrap

logger = Logger()


@logger.inject_lambda_context(log_event=False)
def lambda_handler(event: dict[str, Any], context: object) -> PartialItemFailureResponse:
    return handle(event, bootstrap.collect_recharge())


def handle(event: dict[str, Any], collect_recharge: CollectRecharge) -> PartialItemFailureResponse:
    """Collect for every account named. One whose payment is unknown is asked about again."""

    def collect(ref: AccountRef) -> None:
        recharge = collect_recharge.collect(ref)
        logger.info("recharge collected", state=recharge.state if recharge else "nothing_due")

    return process_accounts(event, collect, logger)
