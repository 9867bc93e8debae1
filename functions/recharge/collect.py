"""Collect recharges, invoices and numbers that are due, and look after what a gateway owes an
answer for.

Trigger: the recharge queue, grouped by account.
"""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

from billing.adapters.work_batch import process_accounts
from billing.domain.account import AccountRef
from billing.domain.errors import PaymentUnknownError
from billing.services.collect_invoices import CollectInvoices
from billing.services.collect_recharge import CollectRecharge
from billing.services.notice_sources import NoticeSources
from billing.services.refund_payment import RefundPayment
from billing.services.renew_numbers import RenewNumbers
from recharge import bootstrap

logger = Logger()


@logger.inject_lambda_context(log_event=False)
def lambda_handler(event: dict[str, Any], context: object) -> PartialItemFailureResponse:
    return handle(
        event,
        bootstrap.collect_recharge(),
        bootstrap.refund_payment(),
        bootstrap.notice_sources(),
        bootstrap.collect_invoices(),
        bootstrap.renew_numbers(),
    )


def handle(
    event: dict[str, Any],
    collect_recharge: CollectRecharge,
    refund_payment: RefundPayment,
    notice_sources: NoticeSources,
    collect_invoices: CollectInvoices,
    renew_numbers: RenewNumbers,
) -> PartialItemFailureResponse:
    """Look after every account named. One whose payment is unknown is asked about again.

    A gateway that does not answer about one thing does not keep the others waiting.
    """

    def collect(ref: AccountRef) -> None:
        recharge = collect_recharge.collect(ref)
        logger.info("recharge collected", state=recharge.state if recharge else "nothing_due")

    def look_after(ref: AccountRef) -> None:
        unknown: PaymentUnknownError | None = None
        steps = (
            collect,
            collect_invoices.collect,
            renew_numbers.renew,
            refund_payment.finish_open,
            notice_sources.notice,
        )
        for step in steps:
            try:
                step(ref)
            except PaymentUnknownError as error:
                unknown = error
        if unknown is not None:
            raise unknown

    return process_accounts(event, look_after, logger)
