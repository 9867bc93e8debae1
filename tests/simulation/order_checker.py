"""Orders of one account: each delivers exactly what was quoted, whole and once, for its money."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from billing.domain.change import Change
from billing.domain.documents import Invoice, InvoiceState
from billing.domain.ledger import EntryKind
from billing.domain.numbers import NumberState, PhoneNumber
from billing.domain.orders import Order, OrderState, Want, WantKind
from billing.domain.records import PurposeKind, Recharge, RechargeState
from billing.domain.subscription import Subscription
from simulation.catalog import CATALOG
from simulation.document_checker import SALES, check_tax, total_of
from simulation.errors import require
from simulation.faults import MAX_SKEW

BUNDLES = {one["bundle"]: one for one in CATALOG["bundles"]}

FINAL = (OrderState.DELIVERED, OrderState.FAILED)

LEEWAY: timedelta = 2 * MAX_SKEW
"""By how much two workers disagree on the time."""


class OrderChecker:
    """Follows the orders of one account from Change to Change.

    Args:
        version_ended_at: When a version of the catalogue stopped being current; None: it is.
    """

    def __init__(self, version_ended_at: Callable[[int], datetime | None]) -> None:
        self.orders: dict[str, Order] = {}
        self._version_ended_at = version_ended_at

    def check(self, change: Change, held: Subscription | None) -> None:
        """
        Args:
            held: The subscription as it was before.

        Raises:
            InvariantError: Something is delivered that was not ordered or not paid, or the reverse.
        """
        delivered = None
        for record in change.records:
            if isinstance(record, Order):
                before = self._took(record)
                if before is None:
                    self._check_placed(change, record)
                if record.state is OrderState.DELIVERED:
                    require(delivered is None, f"two orders in {change.operation}")
                    delivered = record
                else:
                    self._check_nothing_sold(change, record)
        _check_bundles(change, delivered)
        if delivered is not None:
            self._check_money(change, delivered)
            _check_pinned(change, delivered, held)
            _check_whole(change, delivered)
        for record in change.records:
            if isinstance(record, Recharge):
                self._check_payment(change, record)

    def check_end(self) -> None:
        waiting = [one for one in self.orders.values() if one.state is OrderState.PENDING]
        require(not waiting, f"orders still wait: {waiting}")

    def _took(self, order: Order) -> Order | None:
        before = self.orders.get(order.order_id)
        self.orders[order.order_id] = order
        if before is not None:
            require(before.state not in FINAL, f"{before} was settled, and now is {order.state}")
            kept = (before.quote, before.placed_at, before.recharge)
            now = (order.quote, order.placed_at, order.recharge)
            require(kept == now, f"{before} has become {order}")
        return before

    def _check_placed(self, change: Change, order: Order) -> None:
        quote = order.quote
        require(quote.account == order.account == change.after.ref, f"whose is {order}?")
        require(order.placed_at < quote.expires_at, f"{order} is by a quote that has expired")
        ended_at = self._version_ended_at(quote.catalog_version)
        is_current = ended_at is None or order.placed_at < ended_at + LEEWAY
        require(is_current, f"{order} is at prices of before {ended_at}")
        require(total_of(quote.lines) >= 0, f"{order} gives money away")
        require(order.state is not OrderState.FAILED, f"{order} was never tried")
        for line in quote.lines:
            check_tax(line, quote.currency)
        if order.state is OrderState.PENDING:
            asked = [one for one in change.records if isinstance(one, Recharge)]
            require(len(asked) == 1, f"{order} waits for {asked}")
            (recharge,) = asked
            require(recharge.amount_micros == total_of(quote.lines), f"{order} asks {recharge}")
            purpose = recharge.purpose
            is_for_it = purpose is not None and (purpose.kind, purpose.name) == (
                PurposeKind.ORDER,
                order.order_id,
            )
            require(is_for_it and recharge.ordinal == order.recharge, f"{recharge}: whose?")

    def _check_nothing_sold(self, change: Change, order: Order) -> None:
        sold = [entry for entry in change.entries if entry.kind in SALES]
        require(not sold, f"{order} is charged {sold}")
        bought = [one for one in change.records if isinstance(one, Subscription | PhoneNumber)]
        require(not bought, f"{order} is {order.state}, and brings {bought}")

    def _check_money(self, change: Change, order: Order) -> None:
        """Charged as quoted, by money that is there."""
        total = total_of(order.quote.lines)
        sold = sum(one.wallet_change_micros for one in change.entries if one.kind in SALES)
        require(sold == -total, f"{order} is charged {-sold}, was quoted {total}")
        paid = [entry for entry in change.entries if entry.kind is EntryKind.RECHARGE]
        if order.recharge is None:
            require(not paid, f"{order} is paid by the wallet, and by {paid}")
            if total:
                holds = change.holds
                require(holds is not None, f"{order} does not look at what is set aside")
                assert holds is not None
                aside = holds.reserved_micros(order.placed_at + LEEWAY)
                left = change.after.wallet_micros
                require(left >= aside, f"{order} leaves {left} in the wallet, {aside} set aside")
        else:
            amounts = [entry.amount_micros for entry in paid]
            require(amounts == [total], f"{order} is paid by {amounts}, not by {total}")
        invoices = [one for one in change.records if isinstance(one, Invoice)]
        require(len(invoices) == bool(order.quote.lines), f"{order} has {invoices}")
        for invoice in invoices:
            said = (invoice.number, invoice.lines, invoice.state)
            due = (order.invoice, order.quote.lines, InvoiceState.PAID)
            require(said == due, f"{order} is on {invoice}")

    def _check_payment(self, change: Change, recharge: Recharge) -> None:
        """A payment for an order that has come is spent on it, or the order has failed; one that
        has not leaves it failed."""
        purpose = recharge.purpose
        if purpose is None or purpose.kind is not PurposeKind.ORDER:
            return
        order = self.orders.get(purpose.name)
        require(order is not None, f"{recharge} is for no order")
        assert order is not None
        is_final = recharge.state in (RechargeState.SUCCEEDED, RechargeState.FAILED)
        require(is_final == (order.state in FINAL), f"{order} with {recharge}")
        if recharge.state is RechargeState.FAILED:
            require(order.state is OrderState.FAILED, f"{order} without {recharge}")


def _check_pinned(change: Change, order: Order, held: Subscription | None) -> None:
    """Nothing that it was computed from is another by the time it is delivered."""
    quote, before = order.quote, change.before
    require(held is not None and before is not None, f"{order} of an account without anything")
    assert held is not None
    assert before is not None
    found = (held.revision, before.period.start_at)
    pinned = (quote.subscription_revision, quote.period_start_at)
    require(found == pinned, f"{order} was quoted on {pinned}, and is delivered on {found}")


def _check_bundles(change: Change, delivered: Order | None) -> None:
    """Lots that are bought once come with an order, as many as it says; never otherwise."""
    known = {lot.grant_id for lot in change.before.grants} if change.before else set()
    new = Counter(
        (lot.grant_id.partition(":")[0], lot.total, lot.remaining)
        for lot in change.after.grants
        if lot.recurring_id is None and lot.grant_id not in known
    )
    bought = Counter[tuple[str, int, int]]()
    for want in delivered.quote.wants if delivered else ():
        if want.kind is WantKind.BUNDLE:
            whole = BUNDLES[want.what]["quantity"] * want.quantity
            bought[want.what, whole, whole] += 1
    require(new == bought, f"{change.operation} brings {new}, not {bought}")


def _check_whole(change: Change, order: Order) -> None:
    """Each want of it is done."""
    held = [one for one in change.records if isinstance(one, Subscription)]
    require(len(held) == 1, f"{order} changes nothing")
    (after,) = held
    for want in order.quote.wants:
        require(_is_done(want, order, after, change), f"{order} leaves out {want}: {after}")


def _is_done(want: Want, order: Order, after: Subscription, change: Change) -> bool:
    match want.kind:
        case WantKind.PLAN:
            coming = after.next_plan
            plan = coming.plan_id if coming else after.plan_id
            interval = coming.interval if coming else after.interval
            is_term = want.interval is None or interval is want.interval
            return plan == want.what and is_term
        case WantKind.UNITS:
            item = after.unit(want.what)
            if want.what == "crm":
                return max(item.quantity, _included(after, want.what)) >= want.quantity
            return want.quantity == (
                item.created if item.next_created is None else item.next_created
            )
        case WantKind.PACKAGE:
            item = after.package(want.what)
            return want.quantity == (
                item.created if item.next_created is None else item.next_created
            )
        case WantKind.NUMBER:
            return any(
                (one.e164, one.type_id, one.state) == (want.e164, want.what, NumberState.PENDING)
                for one in change.records
                if isinstance(one, PhoneNumber)
            )
        case WantKind.PRODUCT:
            return any(
                (line.what, line.quantity) == (want.what, want.quantity)
                for line in order.quote.lines
            )
    # Bundles are looked at with the lots.
    return True


def _included(held: Subscription, kind: str) -> int:
    """Units that the plan's fee pays for: they may be used, and are not among those paid for."""
    (plan,) = (one for one in CATALOG["plans"] if one["plan"] == held.plan_id)
    return sum(one.get("included", 0) for one in plan["units"] if one["licence"] == kind)
