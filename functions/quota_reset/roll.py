"""Roll periods that have ended. Trigger: the roll queue, grouped by account."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

from billing.adapters.work_batch import process_accounts
from billing.domain.account import AccountRef
from billing.services.roll_period import RollPeriod
from quota_reset import bootstrap

logger = Logger()


@logger.inject_lambda_context(log_event=False)
def lambda_handler(event: dict[str, Any], context: object) -> PartialItemFailureResponse:
    return handle(event, bootstrap.roll_period())


def handle(event: dict[str, Any], roll_period: RollPeriod) -> PartialItemFailureResponse:
    """Roll every account named; one that is current already is left as it is."""

    def roll(ref: AccountRef) -> None:
        roll_period.roll(ref)
        logger.info("period current")

    return process_accounts(event, roll, logger)
