"""What is given back, and what is taken back: ours is what the gateway's book says."""

from collections import Counter

from billing.domain.change import Change
from billing.domain.gateway_events import GatewayEventKind
from billing.domain.ledger import EntryKind
from billing.domain.money import minor_unit_micros
from billing.domain.records import (
    Dispute,
    DisputeState,
    EventType,
    Payment,
    Refund,
    RefundState,
)
from simulation.errors import require
from simulation.world import World

STATES = {
    DisputeState.OPEN: GatewayEventKind.DISPUTED,
    DisputeState.WON: GatewayEventKind.DISPUTE_WON,
    DisputeState.LOST: GatewayEventKind.DISPUTE_LOST,
}


class GivingBackChecker:
    """Follows payments, refunds and disputes of all accounts from Change to Change."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.payments: dict[str, Payment] = {}
        self._refunds: dict[tuple[str, int], Refund] = {}
        self._disputes: dict[str, Dispute] = {}

    def check(self, change: Change) -> None:
        """
        Raises:
            InvariantError: Money has moved that the gateway's book does not say, or twice.
        """
        refunded, disputed = 0, 0
        for record in change.records:
            match record:
                case Payment():
                    refunded += self._take_payment(record)
                case Refund() if record.number:
                    self._take_refund(change, record)
                case Dispute():
                    disputed += self._take_dispute(record)
        moved: Counter[EntryKind] = Counter()
        for entry in change.entries:
            moved[entry.kind] += entry.wallet_change_micros
        given = -moved[EntryKind.REFUND] - moved[EntryKind.REFUND_RETURNED]
        taken = -moved[EntryKind.DISPUTE] - moved[EntryKind.DISPUTE_RETURNED]
        ref = change.after.ref
        require(given == refunded, f"{ref}: payments say {refunded}, the wallet gave {given}")
        require(taken == disputed, f"{ref}: disputes say {disputed}, the wallet lost {taken}")
        self._check_told(change)

    def check_end(self) -> None:
        """Every payment has given back what the gateway's book says, and no refund is open."""
        gateway = self._world.gateway
        for refund in self._refunds.values():
            is_final = refund.state in (RefundState.SUCCEEDED, RefundState.FAILED)
            require(is_final, f"{refund} never came to its end")
            self._check_refund(refund)
        for charge in gateway.captured():
            payment = self.payments[charge.payment_id]
            unit = minor_unit_micros(charge.currency)
            require(
                payment.refunded_micros == charge.refunded_minor * unit,
                f"{payment} has given back other than {charge}",
            )
            found = gateway.disputed(charge.payment_id)
            taken = 0
            if found is not None:
                dispute_id, amount_minor, kind = found
                dispute = self._disputes.get(dispute_id)
                require(dispute is not None, f"nobody heard of {dispute_id}")
                assert dispute is not None
                require(STATES[dispute.state] is kind, f"{dispute} is {kind} at the gateway")
                taken = 0 if kind is GatewayEventKind.DISPUTE_WON else amount_minor * unit
            require(payment.disputed_micros == taken, f"{payment} has lost {taken} by dispute")

    def _take_payment(self, payment: Payment) -> int:
        """What more of it is given back than before."""
        before = self.payments.get(payment.payment_id)
        self.payments[payment.payment_id] = payment
        require(
            0 <= payment.refunded_micros <= payment.amount_micros,
            f"{payment} gives back what was never paid",
        )
        if before is None:
            require(not payment.refunded_micros, f"{payment} begins with a refund")
            return 0
        same = (before.account, before.amount_micros, before.currency, before.ordinal)
        now = (payment.account, payment.amount_micros, payment.currency, payment.ordinal)
        require(same == now, f"{before} has become {payment}")
        return payment.refunded_micros - before.refunded_micros

    def _take_refund(self, change: Change, refund: Refund) -> None:
        name = (refund.payment_id, refund.number)
        before = self._refunds.get(name)
        self._refunds[name] = refund
        if before is None:
            assert change.before is not None
            require(refund.state is RefundState.PENDING, f"{refund} was never intended")
            payment = self.payments[refund.payment_id]
            left = payment.amount_micros - payment.refunded_micros - payment.disputed_micros
            require(left >= 0, f"{refund} is more than is left of {payment}")
            rest = change.after.wallet_micros
            require(rest >= 0, f"{refund} gives back what was used: {rest}")
            return
        fixed = (before.amount_micros, before.idempotency_key, before.account)
        now = (refund.amount_micros, refund.idempotency_key, refund.account)
        require(fixed == now, f"{before} has become {refund}")
        if before.state is RefundState.FAILED:
            require(refund.state is RefundState.FAILED, f"{before} has become {refund}")
        self._check_refund(refund)

    def _check_refund(self, refund: Refund) -> None:
        """It has succeeded, or failed, only by the gateway's own word."""
        standing = [
            one
            for one in self._world.gateway.standing_refunds(refund.payment_id)
            if one.metadata.get("refund") == str(refund.number)
        ]
        require(len(standing) <= 1, f"{refund} was made twice: {standing}")
        if refund.state is RefundState.FAILED:
            require(not standing, f"{refund} has failed, and was made: {standing}")
        if refund.state is RefundState.SUCCEEDED:
            lines = self._world.gateway.refunds(refund.payment_id)
            unit = minor_unit_micros(refund.currency)
            made = {one.refund_id: one.amount_minor * unit for one in lines}
            require(
                made.get(refund.refund_id or "") == refund.amount_micros,
                f"{refund} was never made: {made}",
            )

    def _take_dispute(self, dispute: Dispute) -> int:
        """What it takes from the wallet; negative: what it brings back."""
        before = self._disputes.get(dispute.dispute_id)
        self._disputes[dispute.dispute_id] = dispute
        found = self._world.gateway.disputed(dispute.payment_id)
        require(found is not None, f"nobody has disputed {dispute}")
        assert found is not None
        dispute_id, amount_minor, kind = found
        amount_micros = amount_minor * minor_unit_micros(dispute.currency)
        said = (dispute.dispute_id, dispute.amount_micros)
        require(said == (dispute_id, amount_micros), f"{dispute} is {found} at the gateway")
        if dispute.state is not DisputeState.OPEN:
            require(STATES[dispute.state] is kind, f"{dispute} is {kind} at the gateway")
        if before is None:
            require(dispute.state is DisputeState.OPEN, f"{dispute} was never opened")
            return amount_micros
        require(before.state is DisputeState.OPEN, f"{before} has become {dispute}")
        return -amount_micros if dispute.state is DisputeState.WON else 0

    def _check_told(self, change: Change) -> None:
        """A dispute is told as it opens and as it closes."""
        told = Counter(one.type for one in change.events)
        states = Counter(one.state for one in change.records if isinstance(one, Dispute))
        opened = states[DisputeState.OPEN]
        closed = states[DisputeState.WON] + states[DisputeState.LOST]
        said = (told[EventType.PAYMENT_DISPUTED], told[EventType.PAYMENT_DISPUTE_CLOSED])
        require(said == (opened, closed), f"{change.operation} tells {told} of {states}")
