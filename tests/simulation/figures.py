"""What histories came to, in figures."""

from collections import Counter

from billing.domain.documents import CreditNote, Invoice
from billing.domain.orders import Order, OrderState
from billing.domain.records import ClosedPeriod, Dispute, Refund, RefundState
from billing.domain.reservations import Holds
from simulation.holds_journal import Saved
from simulation.operations import Simulation

FAULTS = ("crashes", "errors", "lost answers", "interruptions", "duplicates")


def figures_of(simulation: Simulation, operations: int) -> Counter[str]:
    """Of one history that has come to its end."""
    world = simulation.world
    figures = Counter(
        {
            "operations": operations,
            "histories": 1,
            "simulated days": (world.clock.true_now - world.began_at).days,
            "payments captured": len(world.gateway.captured()),
            "changes committed": len(world.book.written),
            "facts compared": simulation.checker.replay.compared,
            **{name: world.faults.counts[name] for name in FAULTS},
        }
    )
    invoices: set[tuple[object, int]] = set()
    disputes: set[tuple[object, str]] = set()
    for change in world.book.written:
        figures["calls and messages posted"] += len(change.calls)
        figures["calls corrected"] += len(change.revisions)
        figures["ledger entries"] += len(change.entries)
        for record in change.records:
            match record:
                case Order() if record.state is OrderState.DELIVERED:
                    figures["orders delivered"] += 1
                case Invoice():
                    invoices.add((record.account, record.number))
                case CreditNote():
                    figures["credit notes"] += 1
                case Refund() if record.state is RefundState.SUCCEEDED:
                    figures["refunds"] += 1
                case Dispute():
                    disputes.add((record.account, record.dispute_id))
                case ClosedPeriod():
                    figures["periods closed"] += 1
                case _:
                    pass
    figures["invoices"] = len(invoices)
    figures["disputes"] = len(disputes)
    figures["reservations"] = sum(map(_is_admission, world.reservations.saved))
    return figures


def _is_admission(saved: Saved) -> bool:
    return bool(_names(saved.after) - _names(saved.before))


def _names(holds: Holds) -> set[str]:
    return {one.reservation_id for one in holds.reservations}
