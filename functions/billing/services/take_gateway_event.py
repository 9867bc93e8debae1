"""Do what a gateway's event says: in any order, however often, before or after our own answer."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from billing.domain import funding
from billing.domain.account import Account, AccountRef
from billing.domain.change import Change
from billing.domain.errors import NotFoundError, PaymentMismatchError
from billing.domain.gateway_events import GatewayEvent, GatewayEventKind
from billing.domain.gateway_metadata import named_account, named_number
from billing.domain.money import minor_units
from billing.domain.records import Attempt, FundingSource, Recharge, RechargeState
from billing.domain.sources import UPI_NOTICE_HOURS
from billing.ports import (
    AlreadyRecordedError,
    Book,
    Captured,
    Declined,
    Outcome,
    Processing,
    WorkQueue,
)
from billing.services.change_account import ChangeAccount
from billing.services.collect_recharge import CollectRecharge
from billing.services.confirm_source import ConfirmSource
from billing.services.refund_payment import RefundPayment
from billing.services.take_payment_event import TakePaymentEvent


class Taken(StrEnum):
    """What became of an event."""

    TAKEN = "taken"  # It is in the book, now or since before.
    HANDED_ON = "handed_on"  # The worker that collects asks the gateway itself.
    NOT_OURS = "not_ours"
    IGNORED = "ignored"  # It is about nothing that matters here.


@dataclass(frozen=True, slots=True)
class _Charge:
    """What the metadata of a charge names: one attempt of one recharge."""

    recharge: Recharge
    attempt: Attempt

    @property
    def ref(self) -> AccountRef:
        return self.recharge.account


class TakeGatewayEvent:
    """Turns one event into the Changes it calls for; taking it again changes nothing.

    Nobody is asked for money here.

    Args:
        queue: The queue of the worker that collects.
    """

    def __init__(
        self,
        *,
        book: Book,
        change_account: ChangeAccount,
        collect_recharge: CollectRecharge,
        refund_payment: RefundPayment,
        confirm_source: ConfirmSource,
        queue: WorkQueue,
    ) -> None:
        self._book = book
        self._change_account = change_account
        self._collect_recharge = collect_recharge
        self._take_payment_event = TakePaymentEvent(
            book=book, change_account=change_account, refund_payment=refund_payment
        )
        self._confirm_source = confirm_source
        self._queue = queue

    def take(self, gateway: str, event: GatewayEvent) -> Taken:
        """Returns only once what the event says is in the book, or handed on.

        Args:
            gateway: Who signed it.

        Raises:
            PaymentMismatchError: It tells another amount, currency or gateway than the book.
            PaymentNotCreditedError: What was refunded or disputed is not in the book yet.
            PaymentUnknownError: The gateway had to be asked, and did not answer.
            BookBusyError: Try later.
        """
        match event.kind:
            case (
                GatewayEventKind.CAPTURED | GatewayEventKind.DECLINED | GatewayEventKind.PROCESSING
            ):
                return self._take_charge(gateway, event)
            case (
                GatewayEventKind.SOURCE_SAVED
                | GatewayEventKind.SOURCE_FAILED
                | GatewayEventKind.SOURCE_REVOKED
            ):
                return self._take_source(gateway, event)
            case _:
                is_ours = self._take_payment_event.take(gateway, event)
                return Taken.TAKEN if is_ours else Taken.NOT_OURS

    def _take_charge(self, gateway: str, event: GatewayEvent) -> Taken:
        charge = self._charge(event)
        if charge is None:
            return Taken.NOT_OURS
        _require_same(charge, gateway, event)
        if event.kind is GatewayEventKind.CAPTURED:
            # Even of an attempt that was given up: the gateway has the money.
            return self._settle(charge, Captured(event.payment_id))
        if event.kind is GatewayEventKind.DECLINED:
            return self._decline(charge, event)
        return self._leave_processing(charge, event)

    def _charge(self, event: GatewayEvent) -> _Charge | None:
        """None: it is not ours. An attempt is in the book before its charge is asked for.

        Another deployment may share the account at the gateway, and name its own accounts.
        """
        ref = named_account(event.metadata)
        ordinal = named_number(event.metadata, "recharge")
        number = named_number(event.metadata, "attempt")
        if ref is None or ordinal is None or number is None:
            return None
        try:
            recharge = self._book.recharge(ref, ordinal)
        except NotFoundError:
            return None
        if number > len(recharge.attempts):
            return None
        return _Charge(recharge, recharge.attempts[number - 1])

    def _decline(self, charge: _Charge, event: GatewayEvent) -> Taken:
        if not charge.attempt.source_id:
            # Who has the page of a one-off payment may try it once more, until it is called off:
            # the worker does so when it asks.
            return self._hand_on(charge, event)
        taken = self._settle(charge, Declined(event.code, event.group))
        if not self._book.recharge(charge.ref, charge.recharge.ordinal).state.is_final:
            # The decline has begun the next source's attempt, which nobody has been asked for yet.
            self._hand_on(charge, event)
        return taken

    def _leave_processing(self, charge: _Charge, event: GatewayEvent) -> Taken:
        """What the gateway has answered says when; this is for who has not heard it."""
        if charge.attempt.state is RechargeState.PROCESSING:
            return Taken.TAKEN
        expected_at = event.occurred_at + timedelta(hours=UPI_NOTICE_HOURS)
        return self._settle(charge, Processing(event.payment_id, expected_at))

    def _settle(self, charge: _Charge, outcome: Outcome) -> Taken:
        number = charge.attempt.number
        self._collect_recharge.settle(charge.ref, charge.recharge, number, outcome)
        return Taken.TAKEN

    def _hand_on(self, charge: _Charge, event: GatewayEvent) -> Taken:
        """Sooner than the timer would, which stands in any case."""
        self._queue.send([charge.ref], event.event_id)
        return Taken.HANDED_ON

    def _take_source(self, gateway: str, event: GatewayEvent) -> Taken:
        source = self._source(gateway, event)
        if source is None:
            return Taken.NOT_OURS
        if event.kind is GatewayEventKind.SOURCE_REVOKED:
            self._revoke(source)
        else:
            self._confirm_source.confirm(source.account, source.source_id)
        return Taken.TAKEN

    def _source(self, gateway: str, event: GatewayEvent) -> FundingSource | None:
        """The source that the metadata names. It is in the book before it is begun to be saved."""
        ref, source_id = named_account(event.metadata), event.metadata.get("source")
        if ref is None or source_id is None:
            return None
        try:
            source = self._book.funding_source(ref, source_id)
        except NotFoundError:
            return None
        return source if source.gateway == gateway else None

    def _revoke(self, source: FundingSource) -> None:
        def decide(account: Account, now: datetime) -> Change | None:
            sources = {one.source_id: one for one in self._book.funding_sources(account.ref)}
            return funding.revoked(account, sources[source.source_id], sources, now)

        with suppress(AlreadyRecordedError):
            self._change_account(source.account, decide)


def _require_same(charge: _Charge, gateway: str, event: GatewayEvent) -> None:
    """
    Raises:
        PaymentMismatchError: The gateway speaks of another payment than the book.
    """
    recharge = charge.recharge
    amount_minor = minor_units(recharge.amount_micros, recharge.currency)
    wanted = (charge.attempt.gateway, recharge.currency, amount_minor)
    told = (gateway, event.currency, event.amount_minor)
    if told != wanted:
        raise PaymentMismatchError(
            f"{recharge.account}, recharge {recharge.ordinal}, attempt {charge.attempt.number}: "
            f"the gateway tells {told}, the book {wanted}"
        )
