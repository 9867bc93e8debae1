"""Roll periods that have ended, and bill those that begin.

Trigger: the roll queue, grouped by account.
"""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

from billing.adapters.work_batch import process_accounts
from billing.domain.account import AccountRef
from billing.services.bill_account import BillAccount
from billing.services.renew_numbers import RenewNumbers
from billing.services.roll_period import RollPeriod
from quota_reset import bootstrap

logger = Logger()


@logger.inject_lambda_context(log_event=False)
def lambda_handler(event: dict[str, Any], context: object) -> PartialItemFailureResponse:
    return handle(
        event, bootstrap.roll_period(), bootstrap.bill_account(), bootstrap.renew_numbers()
    )


def handle(
    event: dict[str, Any],
    roll_period: RollPeriod,
    bill_account: BillAccount,
    renew_numbers: RenewNumbers,
) -> PartialItemFailureResponse:
    """Roll and bill every account named, then renew its numbers; one that is current already is
    left as it is.

    An account that cannot be billed is rolled all the same: its calls go on.
    """

    def roll(ref: AccountRef) -> None:
        roll_period.roll(ref)
        logger.info("period current")
        bill_account.bill(ref)
        logger.info("account billed")
        renew_numbers.renew(ref)
        logger.info("numbers current")

    return process_accounts(event, roll, logger)
