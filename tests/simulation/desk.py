"""The services of paying, as payers and operators reach them: every call may fail."""

from dataclasses import dataclass
from typing import cast

from billing.domain.errors import (
    ConflictError,
    DefaultSourceError,
    ExceedsInvoiceError,
    ExceedsPaymentError,
    InsufficientBalanceError,
    InvalidInputError,
    NoFundingSourceError,
    NotFoundError,
    RechargeInProgressError,
    SourceInUseError,
    SourceNotActiveError,
    TooManySourcesError,
)
from billing.services.arrange_sources import ArrangeSources
from billing.services.begin_source import BeginSource
from billing.services.bill_account import BillAccount
from billing.services.charge_account import ChargeAccount
from billing.services.confirm_source import ConfirmSource
from billing.services.credit_invoice import CreditInvoice
from billing.services.pay_invoice import PayInvoice
from billing.services.refund_payment import RefundPayment
from billing.services.set_contract import SetContract, StaleContractError
from simulation.shop import KNOWN_BEFORE, RETRIED
from simulation.world import World

NOT_PAID = (
    ConflictError,
    InsufficientBalanceError,
    InvalidInputError,
    NoFundingSourceError,
    NotFoundError,
    RechargeInProgressError,
)

NOT_REFUNDED = (ExceedsPaymentError, InsufficientBalanceError)

NOT_CREDITED = (ExceedsInvoiceError, InvalidInputError)

NOT_ARRANGED = (
    DefaultSourceError,
    InvalidInputError,
    NotFoundError,
    SourceInUseError,
    SourceNotActiveError,
)


@dataclass(frozen=True, slots=True)
class PayDesk:
    """One of each service; a surprise of any of them ends the history.

    Args:
        plain_refund: What takes the gateway's word, where nobody watches twice.
    """

    arrange: ArrangeSources
    begin: BeginSource
    charge: ChargeAccount
    confirm: ConfirmSource
    contract: SetContract
    credit: CreditInvoice
    pay: PayInvoice
    refund: RefundPayment
    plain_confirm: ConfirmSource
    plain_refund: RefundPayment


def open_pay_desk(world: World) -> PayDesk:
    remote, change_account = world.remote, world.change_account
    book, catalogs, reservations = remote.book, remote.catalogs, remote.reservations
    gateways = {remote.gateway.name: remote.gateway}
    begin = BeginSource(
        book=book, gateways=gateways, clock=world.clock, change_account=change_account
    )
    confirm = ConfirmSource(
        book=book, gateways=gateways, change_account=change_account, begin_source=begin
    )
    refund = RefundPayment(
        book=book,
        gateways=gateways,
        reservations=reservations,
        clock=world.clock,
        change_account=change_account,
    )
    pay = PayInvoice(
        book=book,
        catalogs=catalogs,
        reservations=reservations,
        change_account=change_account,
        collect_recharge=world.collect,
    )
    arrange = ArrangeSources(book=book, gateways=gateways, change_account=change_account)
    contract = SetContract(
        book=book,
        catalogs=catalogs,
        clock=world.clock,
        change_account=change_account,
        bill_account=BillAccount(
            book=book, catalogs=catalogs, clock=world.clock, change_account=change_account
        ),
    )
    charge = ChargeAccount(book=book, catalogs=catalogs, change_account=change_account)
    credit = CreditInvoice(book, change_account)
    watched = world.watched
    asked = (*RETRIED, *KNOWN_BEFORE)
    return PayDesk(
        arrange=cast(ArrangeSources, watched(arrange, *RETRIED, *NOT_ARRANGED)),
        begin=cast(BeginSource, watched(begin, *asked, TooManySourcesError)),
        charge=cast(ChargeAccount, watched(charge, *asked, InvalidInputError)),
        confirm=cast(ConfirmSource, watched(confirm, *RETRIED)),
        contract=cast(
            SetContract, watched(contract, *RETRIED, InvalidInputError, StaleContractError)
        ),
        credit=cast(CreditInvoice, watched(credit, *asked, *NOT_CREDITED)),
        pay=cast(PayInvoice, watched(pay, *asked, *NOT_PAID)),
        refund=cast(RefundPayment, watched(refund, *asked, *NOT_REFUNDED)),
        plain_confirm=confirm,
        plain_refund=refund,
    )
