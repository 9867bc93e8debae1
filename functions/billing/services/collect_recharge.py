"""Collect a recharge: intend, ask the gateway, settle. Every step may crash or run twice."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from billing.domain import collecting
from billing.domain.account import Account, AccountRef
from billing.domain.change import Change
from billing.domain.errors import (
    IdConflictError,
    InvalidInputError,
    NoFundingSourceError,
    PaymentUnknownError,
    RechargeInProgressError,
)
from billing.domain.money import Money, minor_units
from billing.domain.recharge import KEY_KEPT, amount_to_collect_micros, idempotency_key
from billing.domain.records import AuditRecord, FundingSource, Operation, Recharge, RechargeState
from billing.ports import (
    AlreadyRecordedError,
    Book,
    Captured,
    ChargeRequest,
    Clock,
    Declined,
    Gateway,
)
from billing.services.change_account import ChangeAccount


@dataclass(frozen=True, slots=True)
class RechargeRequest:
    """One immediate recharge somebody asked for.

    Args:
        amount_micros: Positive, a whole number of minor units.
        operation: Pending; its id derives from the idempotency key.
        audit: Who asked; None for a machine.
    """

    amount_micros: int
    operation: Operation
    audit: AuditRecord | None


class CollectRecharge:
    """Runs the saga from wherever it stands.

    Args:
        gateways: By name; a funding source names its own.
    """

    def __init__(
        self,
        *,
        book: Book,
        gateways: Mapping[str, Gateway],
        clock: Clock,
        change_account: ChangeAccount,
    ) -> None:
        self._book = book
        self._gateways = gateways
        self._clock = clock
        self._change_account = change_account

    def collect(self, ref: AccountRef) -> Recharge | None:
        """Collect what is due: finish the open recharge, or begin the one that is wanted.

        Returns:
            The recharge as it stands now, or None where there was nothing to do.

        Raises:
            PaymentUnknownError: The gateway did not answer. The recharge is recorded as unknown
                and stays open; call again.
            BookBusyError: Try later.
        """

        def decide(account: Account, now: datetime) -> Change | None:
            recharging = account.recharging
            amount_micros = 0 if recharging.open else amount_to_collect_micros(account)
            if not amount_micros:
                return None
            assert recharging.default_source_id is not None
            source = self._book.funding_source(ref, recharging.default_source_id)
            return collecting.intend(account, amount_micros=amount_micros, source=source, now=now)

        # Another worker may intend the same payment meanwhile, perhaps of another amount: it is one
        # payment all the same, and whoever comes on finishes it.
        with suppress(AlreadyRecordedError, IdConflictError):
            self._change_account(ref, decide)
        return self.finish_open(ref)

    def request(self, ref: AccountRef, request: RechargeRequest) -> Recharge:
        """Collect one immediate recharge, at once.

        Returns:
            The recharge, succeeded or failed.

        Raises:
            AlreadyRecordedError: The same request was here before; carries its operation, whose
                state says whether its answer is final.
            IdConflictError: The key was used for another request.
            InvalidInputError: The amount is no positive whole number of minor units.
            NoFundingSourceError: There is nothing to collect from.
            RechargeInProgressError: Another recharge is open.
            PaymentUnknownError: The gateway did not answer; the recharge stays open as unknown.
        """

        def decide(account: Account, now: datetime) -> Change:
            source = self._source_for(account, request.amount_micros)
            return collecting.intend(
                account,
                amount_micros=request.amount_micros,
                source=source,
                now=now,
                requested=request.operation,
                audit=request.audit,
            )

        operation = (request.operation.operation_id, request.operation.body_hash)
        change = self._change_account(ref, decide, operation)
        assert change is not None
        ordinal = change.after.recharging.ordinal
        self.finish_open(ref)
        return self._book.recharge(ref, ordinal)

    def _source_for(self, account: Account, amount_micros: int) -> FundingSource:
        if amount_micros <= 0:
            raise InvalidInputError("the amount is positive", field="amount")
        minor_units(amount_micros, account.currency)
        # A balance out of bounds must show before the gateway has the money.
        Money(account.wallet_micros + amount_micros, account.currency)
        if account.recharging.default_source_id is None:
            raise NoFundingSourceError("add a funding source first")
        if account.recharging.open is not None:
            raise RechargeInProgressError(
                f"recharge {account.recharging.open.ordinal} is still open; wait for its outcome"
            )
        return self._book.funding_source(account.ref, account.recharging.default_source_id)

    def finish_open(self, ref: AccountRef) -> Recharge | None:
        """Go on with the recharge that is open, whoever began it; begin none.

        Returns:
            The recharge, succeeded or failed, or None where none was open.

        Raises:
            PaymentUnknownError: The gateway did not answer; the recharge stays open as unknown.
            BookBusyError: Try later.
        """
        account = self._book.account(ref)
        opened = account.recharging.open
        if opened is None:
            return None
        recharge = self._book.recharge(ref, opened.ordinal)
        try:
            outcome = self._ask(account, recharge)
        except PaymentUnknownError:
            self._settle(ref, recharge, None)
            raise
        self._settle(ref, recharge, outcome)
        return self._book.recharge(ref, recharge.ordinal)

    def _ask(self, account: Account, recharge: Recharge) -> Captured | Declined:
        """Charge under the saga's own key, or, once the gateway may have forgotten it, look."""
        gateway = self._gateways[recharge.gateway]
        key = idempotency_key(account, recharge.ordinal)
        if self._clock.now() >= recharge.started_at + KEY_KEPT:
            return gateway.find(key) or Declined("never_charged")
        source = self._book.funding_source(account.ref, recharge.source_id)
        return gateway.charge(
            ChargeRequest(
                idempotency_key=key,
                amount_minor=minor_units(recharge.amount_micros, recharge.currency),
                currency=recharge.currency,
                source_token=source.token,
                metadata={
                    "tenant": account.ref.tenant_id,
                    "account": account.ref.account_id,
                    "recharge": str(recharge.ordinal),
                },
            )
        )

    def _settle(
        self, ref: AccountRef, recharge: Recharge, outcome: Captured | Declined | None
    ) -> None:
        """Write what the gateway said, unless somebody else has done so meanwhile.

        A capture is credited even where another worker has given the recharge up: the gateway's
        word outweighs whatever was thought of it.
        """

        def decide(account: Account, now: datetime) -> Change | None:
            current = self._book.recharge(ref, recharge.ordinal)
            if isinstance(outcome, Captured):
                if current.state is RechargeState.SUCCEEDED:
                    return None
                return collecting.settle_captured(account, current, outcome.payment_id, now)
            if not collecting.is_open(account, current):
                return None
            if outcome is None:
                return collecting.leave_unknown(account, current, now)
            return collecting.settle_declined(account, current, outcome.code, now)

        try:
            self._change_account(ref, decide)
        except AlreadyRecordedError:
            # The same outcome of the same recharge: another worker was faster.
            return


def is_final(recharge: Recharge) -> bool:
    """Whether its outcome is known."""
    return recharge.state in (RechargeState.SUCCEEDED, RechargeState.FAILED)
