"""Pay an open invoice by request: out of the wallet, or from a source that is asked now."""

from dataclasses import dataclass
from datetime import datetime

from billing.domain import paying
from billing.domain.account import Account, AccountRef
from billing.domain.change import Change
from billing.domain.documents import Invoice
from billing.domain.errors import NotFoundError, RechargeInProgressError
from billing.domain.recharging import RechargeReason
from billing.domain.records import AuditRecord, Operation, Recharge
from billing.domain.things import SEQUENCE_DIGITS, numbered
from billing.ports import Book, Catalogs, Reservations
from billing.services.change_account import ChangeAccount
from billing.services.collect_recharge import CollectRecharge
from billing.services.pay_with import PayWith
from billing.services.read_held import ReadHeld


@dataclass(frozen=True, slots=True)
class PayRequest(PayWith):
    """One open invoice somebody wants to pay.

    Args:
        operation: Pending; its id derives from the idempotency key.
    """

    number: int
    operation: Operation
    audit: AuditRecord


class PayInvoice:
    """Pays at once, or asks the source that was named, and no other."""

    def __init__(
        self,
        *,
        book: Book,
        catalogs: Catalogs,
        reservations: Reservations,
        change_account: ChangeAccount,
        collect_recharge: CollectRecharge,
    ) -> None:
        self._book = book
        self._held = ReadHeld(book, catalogs)
        self._reservations = reservations
        self._change_account = change_account
        self._collect_recharge = collect_recharge

    def pay(self, ref: AccountRef, request: PayRequest) -> None:
        """Pay one invoice.

        Raises:
            AlreadyRecordedError: The same request was here before; carries its operation.
            IdConflictError: The key was used for another request.
            NotFoundError: There is no such invoice, or no such source.
            ConflictError: It is paid already.
            RechargeInProgressError: A payment of it is on its way, or another one from the source.
            InsufficientBalanceError: The wallet does not hold as much, beside what calls in
                progress have set aside.
            InvalidInputError: Nobody is named who pays; a one-off payment is not possible in this
                currency; a mandate does not allow as much.
            NoFundingSourceError: The source cannot be charged.
            PaymentUnknownError: The gateway did not answer; the payment stays open as unknown.
            BookBusyError: Nothing was written; try later.
        """

        def decide(account: Account, now: datetime) -> Change:
            return self._decide(account, request, now)

        operation = (request.operation.operation_id, request.operation.body_hash)
        change = self._change_account(ref, decide, operation)
        assert change is not None
        for one in change.records:
            if isinstance(one, Recharge) and not one.state.is_final:
                self._collect_recharge.finish(ref, one.ordinal)

    def _decide(self, account: Account, request: PayRequest, now: datetime) -> Change:
        invoice = find_invoice(self._book, account.ref, request.number)
        paying.require_open(invoice)
        self._require_none_on_its_way(account, request.number)
        if request.is_from_wallet:
            return paying.pay_from_wallet(
                account,
                self._held.subscription(account),
                self._held.documents(account.ref),
                invoice,
                self._reservations.holds(account.ref),
                request.operation,
                request.audit,
                now,
            )
        total = invoice.sums.total_micros
        payment = request.payment(total, request.operation, request.audit)
        intent = self._collect_recharge.intent(account, payment, now)
        return paying.pay_from_source(
            account, invoice, intent, request.operation, request.audit, now
        )

    def _require_none_on_its_way(self, account: Account, number: int) -> None:
        """One that waits for its customer may wait for ever, and is no reason."""
        for one in account.recharging.opened:
            if one.reason is not RechargeReason.INVOICE or one.is_waiting:
                continue
            purpose = self._book.recharge(account.ref, one.ordinal).purpose
            if purpose is not None and purpose.name == str(number):
                raise RechargeInProgressError(
                    "a payment of this invoice is on its way; wait for its outcome"
                )


def find_invoice(book: Book, ref: AccountRef, number: int) -> Invoice:
    """
    Raises:
        NotFoundError: The account has no invoice of that number.
    """
    is_possible = 0 < number < 10**SEQUENCE_DIGITS
    invoice = book.thing(ref, Invoice, numbered(number)) if is_possible else None
    if invoice is None:
        raise NotFoundError("there is no such invoice")
    return invoice
