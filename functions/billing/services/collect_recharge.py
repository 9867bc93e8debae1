"""Collect a recharge: intend, ask the gateway, settle. Every step may crash or run twice."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from billing.domain import collecting, settling
from billing.domain.account import Account, AccountRef
from billing.domain.change import Change
from billing.domain.collecting import KEY_KEPT, Intent
from billing.domain.declines import NEVER_CHARGED, DeclineGroup
from billing.domain.documents import DocumentNumbers
from billing.domain.effects import Spend
from billing.domain.errors import (
    GatewayKeyReusedError,
    IdConflictError,
    InvalidInputError,
    NoFundingSourceError,
    PaymentUnknownError,
    RechargeInProgressError,
)
from billing.domain.money import Money, minor_units
from billing.domain.payments import PaymentMethod
from billing.domain.receipting import with_receipt
from billing.domain.recharging import RechargeReason
from billing.domain.records import (
    AuditRecord,
    FundingSource,
    Operation,
    PurposeKind,
    Recharge,
    RechargeState,
    SourceState,
)
from billing.domain.sources import allowing, is_busy, is_free, is_usable
from billing.ports import (
    ActionNeeded,
    AlreadyRecordedError,
    Book,
    Captured,
    ChargeRequest,
    Clock,
    Declined,
    Gateway,
    Outcome,
    Processing,
)
from billing.services.change_account import ChangeAccount


@dataclass(frozen=True, slots=True)
class RechargeRequest:
    """One immediate recharge somebody asked for.

    Args:
        amount_micros: Positive, a whole number of minor units.
        operation: Pending; its id derives from the idempotency key.
        audit: Who asked; None for a machine.
        source_id: Who pays; None: the default, then the backups.
        one_off: A gateway the customer pays through once, with nothing saved; None: a source does.
    """

    amount_micros: int
    operation: Operation
    audit: AuditRecord | None
    source_id: str | None = None
    one_off: str | None = None


class Spends(Protocol):
    """What payments of one purpose are spent on. Reads what that needs when it is called, which is
    after the account; the effect itself is pure."""

    def captured(self, recharge: Recharge, payment: tuple[str, str], now: datetime) -> Spend:
        """The money has come, and is in the wallet.

        Args:
            payment: The gateway's name and its id of the payment.
        """
        ...

    def given_up(self, recharge: Recharge, now: datetime) -> Spend:
        """Nobody is left to ask.

        Args:
            recharge: Whose last attempt says why it was declined.
        """
        ...


class CollectRecharge:
    """Runs the saga from wherever it stands.

    Args:
        gateways: By name; a funding source names its own.
        spends: What is done with payments that do not fill the wallet.
    """

    def __init__(
        self,
        *,
        book: Book,
        gateways: Mapping[str, Gateway],
        clock: Clock,
        change_account: ChangeAccount,
        spends: Mapping[PurposeKind, Spends] | None = None,
    ) -> None:
        self._spends = spends or {}
        self._book = book
        self._gateways = gateways
        self._clock = clock
        self._change_account = change_account

    def collect(self, ref: AccountRef) -> Recharge | None:
        """Collect what is due: begin the recharge that is wanted, and finish what is open.

        Returns:
            The recharge that was looked after, as it stands now; None where there was none.

        Raises:
            PaymentUnknownError: A gateway did not answer. The recharge is recorded as unknown and
                stays open; call again.
            BookBusyError: Try later.
        """

        def decide(account: Account, now: datetime) -> Change | None:
            found = collecting.automatic(account, self._sources(ref), now)
            if isinstance(found, Intent):
                return collecting.intend(account, found, now)
            if found is not None and found.is_hopeless:
                return collecting.suspend_hopeless(account, now)
            return collecting.relevel(account, now)

        # Another worker may intend the same payment meanwhile, perhaps of another amount: it is one
        # payment all the same, and whoever comes on finishes it.
        with suppress(AlreadyRecordedError, IdConflictError):
            self._change_account(ref, decide)
        return self.finish_open(ref)

    def request(self, ref: AccountRef, request: RechargeRequest) -> Recharge:
        """Collect one immediate recharge, at once.

        Returns:
            The recharge: succeeded, failed, or on its way.

        Raises:
            AlreadyRecordedError: The same request was here before; carries its operation, whose
                state says whether its answer is final.
            IdConflictError: The key was used for another request.
            InvalidInputError: The amount is no positive whole number of minor units; a one-off
                payment is not possible in this currency; a mandate does not allow as much.
            NotFoundError: There is no such source.
            NoFundingSourceError: There is nothing to collect from.
            RechargeInProgressError: Another payment from the source is open.
            PaymentUnknownError: The gateway did not answer; the recharge stays open as unknown.
        """

        def decide(account: Account, now: datetime) -> Change:
            return collecting.intend(
                account,
                self.intent(account, request, now),
                now,
                requested=request.operation,
                audit=request.audit,
            )

        operation = (request.operation.operation_id, request.operation.body_hash)
        change = self._change_account(ref, decide, operation)
        assert change is not None
        ordinal = change.after.recharging.ordinal
        self.finish(ref, ordinal)
        return self._book.recharge(ref, ordinal)

    def intent(self, account: Account, request: RechargeRequest, now: datetime) -> Intent:
        """Whom a request asks, and for what.

        Raises:
            InvalidInputError, NotFoundError, NoFundingSourceError, RechargeInProgressError: See
                ``request``.
        """
        amount_micros = request.amount_micros
        if amount_micros <= 0:
            raise InvalidInputError("the amount is positive", field="amount")
        minor_units(amount_micros, account.currency)
        # A balance out of bounds must show before the gateway has the money.
        Money(account.wallet_micros + amount_micros, account.currency)
        if request.one_off is not None:
            return _one_off(account, request.one_off, amount_micros)
        sources = self._sources(account.ref)
        ordered = [sources[name] for name in account.recharging.source_ids if name in sources]
        if request.source_id is not None:
            ordered = [self._book.funding_source(account.ref, request.source_id)]
        usable = [source for source in ordered if is_usable(account, source, now)]
        # A person may try a card again that automatic recharge leaves alone, but not a stolen one.
        asked = usable or [
            source
            for source in ordered
            if source.state is SourceState.ACTIVE and source.blocked_group is not DeclineGroup.NEVER
        ]
        if not asked:
            raise NoFundingSourceError("add a funding source first")
        if all(is_busy(account, source) for source in asked):
            raise RechargeInProgressError(
                "a payment from this source is still open; wait for its outcome"
            )
        free = [source for source in asked if is_free(account, source, now)]
        if not free:
            raise NoFundingSourceError(
                "the card schemes allow no further attempt on this source for now; add another"
            )
        free = allowing(free, amount_micros)
        if not free:
            raise InvalidInputError("the amount is above what the mandate allows", field="amount")
        return Intent(amount_micros, RechargeReason.REQUESTED, tuple(free))

    def finish_open(self, ref: AccountRef) -> Recharge | None:
        """Go on with every recharge that is open, whoever began it; begin none.

        Returns:
            The last of them as it stands now, or None where none was open.

        Raises:
            PaymentUnknownError: A gateway did not answer; that recharge stays open as unknown, and
                every other one was gone on with.
            GatewayKeyReusedError: The same of a gateway that refuses the key.
            BookBusyError: Try later.
        """
        opened = self._book.account(ref).recharging.opened
        stuck: PaymentUnknownError | GatewayKeyReusedError | None = None
        for one in opened:
            try:
                self.finish(ref, one.ordinal)
            except (PaymentUnknownError, GatewayKeyReusedError) as error:
                stuck = error
        if stuck is not None:
            raise stuck
        return self._book.recharge(ref, opened[-1].ordinal) if opened else None

    def finish(self, ref: AccountRef, ordinal: int) -> None:
        """Ask source after source, until the outcome is known or has to be waited for.

        Raises:
            PaymentUnknownError: A gateway did not answer; the recharge stays open as unknown.
            GatewayKeyReusedError: The same of a gateway that refuses the key.
            BookBusyError: Try later.
        """
        while True:
            recharge = self._book.recharge(ref, ordinal)
            if recharge.state.is_final:
                return
            try:
                outcome = self._ask(ref, recharge)
            except PaymentUnknownError:
                self.settle(ref, recharge, recharge.attempt.number, None)
                raise
            self.settle(ref, recharge, recharge.attempt.number, outcome)
            if not isinstance(outcome, Declined):
                return

    def _ask(self, ref: AccountRef, recharge: Recharge) -> Outcome:
        """Charge under the attempt's own key, or, once the gateway may have forgotten it, look.

        What the gateway is known to be working on is looked at, and what its customer has not
        approved in time is called off.
        """
        attempt = recharge.attempt
        gateway = self._gateways.get(attempt.gateway)
        if gateway is None:
            raise PaymentUnknownError(f"gateway {attempt.gateway} is not in use here any more")
        request = self._charge_request(ref, recharge)
        now = self._clock.now()
        if attempt.payment_id is not None:
            if attempt.next_action and attempt.expected_at and attempt.expected_at <= now:
                return gateway.cancel(request, attempt.payment_id)
            found = gateway.find(request, attempt.payment_id)
            return found or Declined(NEVER_CHARGED)
        if now >= attempt.started_at + KEY_KEPT:
            return gateway.find(request) or Declined(NEVER_CHARGED)
        return gateway.charge(request)

    def _charge_request(self, ref: AccountRef, recharge: Recharge) -> ChargeRequest:
        attempt = recharge.attempt
        source: FundingSource | None = None
        if attempt.source_id:
            source = self._book.funding_source(ref, attempt.source_id)
        return ChargeRequest(
            idempotency_key=attempt.idempotency_key,
            amount_minor=minor_units(recharge.amount_micros, recharge.currency),
            currency=recharge.currency,
            source_token=source.token if source else None,
            customer_token=source.customer_token if source else None,
            method=attempt.method,
            metadata={
                "tenant": ref.tenant_id,
                "account": ref.account_id,
                "recharge": str(recharge.ordinal),
                "attempt": str(attempt.number),
            },
            asked_at=attempt.started_at,
        )

    def settle(
        self, ref: AccountRef, recharge: Recharge, number: int, outcome: Outcome | None
    ) -> None:
        """Write what the gateway said of one attempt, unless somebody else has done so meanwhile.

        A capture is credited even where another worker has given the attempt up: the gateway's word
        outweighs whatever was thought of it. Anything else counts only for the attempt that is
        open.

        Args:
            outcome: None: the gateway did not answer.
        """

        def decide(account: Account, now: datetime) -> Change | None:
            current = self._book.recharge(ref, recharge.ordinal)
            if isinstance(outcome, Captured):
                paid_by = current.attempts[number - 1].source_id
                source = self._sources(ref).get(paid_by)
                payment = (current.attempts[number - 1].gateway, outcome.payment_id)
                spend = None
                if current.purpose is not None:
                    spend = self._spends[current.purpose.kind].captured(current, payment, now)
                spend = with_receipt(
                    spend,
                    current,
                    payment,
                    self._book.thing(ref, DocumentNumbers) or DocumentNumbers(ref),
                    source.label if source else "",
                    now,
                )
                return settling.settle_captured(
                    account, current, number, outcome.payment_id, now, source, spend
                )
            if not collecting.is_open(account, current) or current.attempt.number != number:
                return None
            return self._left_or_declined(account, current, outcome, now)

        try:
            self._change_account(ref, decide)
        except AlreadyRecordedError:
            return
        except IdConflictError:
            # The same outcome of the same attempt in other words: another worker was faster. But a
            # payment that is credited otherwise is nobody's to pass over.
            if isinstance(outcome, Captured):
                raise

    def _left_or_declined(
        self,
        account: Account,
        current: Recharge,
        outcome: Processing | ActionNeeded | Declined | None,
        now: datetime,
    ) -> Change | None:
        match outcome:
            case Processing():
                return collecting.leave_open(
                    account,
                    current,
                    now,
                    state=RechargeState.PROCESSING,
                    payment_id=outcome.payment_id,
                    expected_at=outcome.expected_at,
                )
            case ActionNeeded():
                return collecting.leave_open(
                    account,
                    current,
                    now,
                    state=RechargeState.ACTION_NEEDED,
                    payment_id=outcome.payment_id,
                    expected_at=outcome.expires_at,
                    next_action=outcome.next_action,
                )
            case Declined():
                sources = self._sources(account.ref)
                given_up = None
                if current.purpose is not None:
                    declined = replace(current.attempt, failure_code=outcome.code)
                    told = replace(current, attempts=(*current.attempts[:-1], declined))
                    given_up = self._spends[current.purpose.kind].given_up(told, now)
                return settling.settle_declined(
                    account, current, outcome.code, outcome.group, sources, now, given_up
                )
            case None if current.attempt.payment_id:
                # It is known to be on its way; that nobody could be asked changes nothing.
                return None
            case None:
                return collecting.leave_open(account, current, now, state=RechargeState.UNKNOWN)

    def _sources(self, ref: AccountRef) -> dict[str, FundingSource]:
        """Those of gateways that are in use: nobody else's can be asked."""
        sources = self._book.funding_sources(ref)
        return {one.source_id: one for one in sources if one.gateway in self._gateways}


def _one_off(account: Account, gateway: str, amount_micros: int) -> Intent:
    if account.currency != "INR":
        raise InvalidInputError("UPI pays in INR only", field="pay_with")
    if any(not one.source_id for one in account.recharging.opened):
        raise RechargeInProgressError("another one-off payment is still open; finish it first")
    return Intent(amount_micros, RechargeReason.REQUESTED, (), gateway, PaymentMethod.UPI)
