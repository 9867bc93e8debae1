"""People and the operator's carrier work on numbers: provided, paid, kept, or let go of."""

from dataclasses import dataclass, replace
from datetime import datetime

from billing.domain import number_changes, number_payments
from billing.domain import numbers as life
from billing.domain.account import Account, AccountRef
from billing.domain.audit import By
from billing.domain.canonical import Json
from billing.domain.change import Change
from billing.domain.collecting_steps import effect_change, step
from billing.domain.documents import Invoice
from billing.domain.effects import Effect
from billing.domain.errors import NotFoundError
from billing.domain.number_changes import Amend, Numbers
from billing.domain.numbers import PhoneNumber
from billing.domain.records import Operation
from billing.domain.things import numbered
from billing.ports import Book, Catalogs, Reservations
from billing.services.change_account import ChangeAccount
from billing.services.collect_recharge import CollectRecharge
from billing.services.pay_with import PayWith
from billing.services.read_numbers import ReadNumbers


@dataclass(frozen=True, slots=True)
class NumberPayment(PayWith):
    """Somebody wants to pay for a number.

    Args:
        operation: Pending; its id derives from the idempotency key.
    """

    e164: str
    operation: Operation
    by: By


class ManageNumbers:
    """Each of these is one Change, and repeating it changes nothing."""

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
        self._reservations = reservations
        self._change_account = change_account
        self._collect_recharge = collect_recharge
        self._numbers = ReadNumbers(book, catalogs)

    def provisioned(self, ref: AccountRef, e164: str, by: By) -> None:
        """The operator's carrier has provided an ordered number.

        Raises:
            NotFoundError: The account has no such number.
            ConflictError: It was not waited for.
            BookBusyError: Try later.
        """

        def decide(account: Account, now: datetime) -> Change | None:
            known, number = self._found(account, e164)
            effect = number_changes.amended(
                account, known, number, lambda one: life.provisioned(one, account), now
            )
            return self._done(account, number, "provisioned", effect, by, now)

        self._change_account.by_version(ref, decide)

    def failed(self, ref: AccountRef, e164: str, by: By) -> None:
        """The carrier does not provide it: what it cost is credited to the wallet.

        Raises:
            NotFoundError: The account has no such number.
            ConflictError: It was not waited for.
            BookBusyError: Try later.
        """

        def decide(account: Account, now: datetime) -> Change | None:
            known, number = self._found(account, e164)
            if number.state is life.NumberState.FAILED:
                return None
            invoice = self._invoice(number)
            cause = self._step(account, number, "failed", now).operation_id
            effect = number_changes.not_provided(account, known, number, invoice, cause, now)
            return self._done(account, number, "failed", effect, by, now)

        self._change_account.by_version(ref, decide)

    def release(self, ref: AccountRef, e164: str, by: By) -> None:
        """Let go of a number: when what is paid for ends; of one on hold at once.

        Raises:
            NotFoundError: The account has no such number.
            ConflictError: It is neither active nor on hold, or a payment for it is on its way.
            BookBusyError: Try later.
        """

        def decide(account: Account, now: datetime) -> Change | None:
            known, number = self._found(account, e164)
            cause = self._step(account, number, "release", now).operation_id
            effect = number_changes.asked_to_leave(account, known, number, cause, now)
            return self._done(account, number, "release", effect, by, now)

        self._change_account.by_version(ref, decide)

    def amend(self, ref: AccountRef, e164: str, amend: Amend, action: str, by: By) -> None:
        """Auto-pay on or off, or to be kept after all.

        Args:
            amend: Pure, and the same the second time.
            action: What the audit calls it, such as ``auto_pay``.

        Raises:
            NotFoundError: The account has no such number.
            ConflictError: Its state does not allow it.
            BookBusyError: Try later.
        """

        def decide(account: Account, now: datetime) -> Change | None:
            known, number = self._found(account, e164)
            effect = number_changes.amended(account, known, number, amend, now)
            return self._done(account, number, action, effect, by, now)

        self._change_account.by_version(ref, decide)

    def pay(self, ref: AccountRef, wanted: NumberPayment) -> None:
        """Pay for a number that is on hold: it is back at once, whatever else is owed. Where it
        costs nothing by now, nobody is charged.

        Raises:
            AlreadyRecordedError: The same request was here before; carries its operation.
            IdConflictError: The key was used for another request.
            NotFoundError: The account has no such number, or no such source.
            ConflictError: It is not on hold, or its payment is on its way.
            InvalidInputError: Nobody is named who pays; a one-off payment is not possible in this
                currency; a mandate does not allow as much.
            InsufficientBalanceError: The wallet does not hold as much, beside what calls in
                progress have set aside.
            NoFundingSourceError: The source cannot be charged.
            RechargeInProgressError: Another payment from the source is open.
            PaymentUnknownError: The gateway did not answer; the number waits.
            BookBusyError: Try later.
        """

        def decide(account: Account, now: datetime) -> Change:
            return self._pay(account, wanted, now)

        operation = (wanted.operation.operation_id, wanted.operation.body_hash)
        before = self._book.account(ref).recharging.ordinal
        change = self._change_account(ref, decide, operation)
        assert change is not None
        ordinal = change.after.recharging.ordinal
        if ordinal > before and not wanted.is_from_wallet:
            self._collect_recharge.finish(ref, ordinal)

    def _pay(self, account: Account, wanted: NumberPayment, now: datetime) -> Change:
        known, plan = self._numbers.of(account)
        number = _one(known, wanted.e164)
        cost = number_payments.cost(account, known, number, plan)
        operation = wanted.operation
        audit = wanted.by.audit(
            account.ref,
            operation.operation_id,
            "number.paid",
            before=_shown(number),
            after={"number": number.e164, "from_wallet": wanted.is_from_wallet},
            at=now,
        )
        if cost is None:
            return number_payments.for_nothing(account, known, number, operation, audit, now)
        if wanted.is_from_wallet:
            holds = self._reservations.holds(account.ref)
            return number_payments.from_wallet(
                account, known, number, cost, holds, operation, audit, now
            )
        payment = wanted.payment(number_payments.total_micros(cost), operation, audit)
        intent = self._collect_recharge.intent(account, payment, now)
        return number_payments.for_payment(account, number, cost, intent, operation, audit, now)

    def _found(self, account: Account, e164: str) -> tuple[Numbers, PhoneNumber]:
        known, _ = self._numbers.of(account)
        return known, _one(known, e164)

    def _invoice(self, number: PhoneNumber) -> Invoice | None:
        if number.invoice is None:
            return None
        return self._book.thing(number.account, Invoice, numbered(number.invoice))

    def _step(self, account: Account, number: PhoneNumber, name: str, now: datetime) -> Operation:
        # A number may be let go of and ordered again: each order has its own life.
        ordered = f"{number.ordered_at:%Y%m%dT%H%M%S%fZ}"
        return step(account, f"number/{number.e164}/{ordered}/{name}/v{account.version}", [], now)

    def _done(
        self,
        account: Account,
        number: PhoneNumber,
        name: str,
        effect: Effect | None,
        by: By,
        now: datetime,
    ) -> Change | None:
        if effect is None:
            return None
        operation = self._step(account, number, name, now)
        after = next(one for one in effect.records if isinstance(one, PhoneNumber))
        audit = by.audit(
            account.ref,
            operation.operation_id,
            f"number.{name}",
            before=_shown(number),
            after=_shown(after),
            at=now,
        )
        return effect_change(
            account,
            replace(effect, records=(*effect.records, audit)),
            operation=operation,
            now=now,
        )


def _one(known: Numbers, e164: str) -> PhoneNumber:
    number = next((one for one in known.all if one.e164 == e164), None)
    if number is None:
        raise NotFoundError("there is no such number")
    return number


def _shown(number: PhoneNumber) -> dict[str, Json]:
    return {
        "number": number.e164,
        "state": number.state.value,
        "auto_pay": number.is_auto_pay,
        "is_leaving": number.is_leaving,
    }
