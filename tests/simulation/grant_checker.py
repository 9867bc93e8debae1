"""Lots of one account: where they come from, and that each gives what it holds and no more."""

from collections import Counter
from collections.abc import Mapping

from billing.domain.change import Change
from billing.domain.documents import Invoice
from billing.domain.grants import Grant
from billing.domain.ledger import EntryKind
from billing.domain.orders import Order, OrderState
from billing.domain.subscription import Subscription
from simulation.catalog import CATALOG
from simulation.errors import require
from simulation.journal import JournalledBook

Lots = Mapping[str, Grant]

QUANTITIES = {
    (owner[key], grant["grant"]): grant.get("quantity", 0)
    for key in ("plan", "package")
    for owner in CATALOG[f"{key}s"]
    for grant in owner["grants"]
}
"""What a plan or a package grants for a whole period (0: without a limit); every version of the
catalogue says so."""

CARRIED = {
    (plan["plan"], grant["grant"]): grant.get("rollover_limit", 0)
    for plan in CATALOG["plans"]
    for grant in plan["grants"]
}
MOST_HELD = 2
"""As often as anybody wants a package."""

MOST: Counter[str] = Counter()
"""The most that one of them is worth, by grant."""
for (_, _name), _quantity in QUANTITIES.items():
    MOST[_name] = max(MOST[_name], _quantity)


class GrantChecker:
    """Follows the lots of one account from Change to Change."""

    def __init__(self, book: JournalledBook) -> None:
        self._book = book
        self._burned: Counter[str] = Counter()
        self._worth: Counter[str] = Counter()
        self._forgiven: Counter[str] = Counter()
        self._packages: Mapping[str, int] = {}

    def check(self, change: Change) -> None:
        """
        Raises:
            InvariantError: A lot gives more than it holds, or comes from nowhere.
        """
        before, after = change.before, change.after
        ids = [lot.grant_id for lot in after.grants]
        require(len(set(ids)) == len(ids), f"two lots of {after.ref} have one id: {ids}")
        for lot in after.grants:
            require(0 <= lot.remaining <= lot.total, f"{lot} holds what it cannot")
        held = {lot.grant_id: lot for lot in before.grants} if before else {}
        holds = {lot.grant_id: lot for lot in after.grants}
        burned, back = self._used(change)
        if burned or back:
            _check_burned(held, holds, burned, back)
        elif before is None or before.period != after.period:
            self._check_begun(change, held, holds)
        elif holds != held:
            self._check_changed(change, held, holds)
        for record in change.records:
            if isinstance(record, Subscription):
                self._packages = {one.kind: one.created for one in record.packages}
        self._check_worth(after.ref, holds, burned, back)

    def _used(self, change: Change) -> tuple[Counter[str], Counter[str]]:
        """What usage took of each lot, and what corrections gave back to it first."""
        burned: Counter[str] = Counter()
        back: Counter[str] = Counter()
        for call in (*change.calls, *change.revisions):
            burned.update(dict(call.granted))
        for entry in change.entries:
            if entry.kind is EntryKind.REVERSAL:
                names = zip(entry.usage.calls, entry.usage.revisions, strict=True)
                taken_back = self._book.call_revisions(change.after.ref.tenant_id, names)
                for call in taken_back.values():
                    back.update(dict(call.granted))
        return burned, back

    def _check_begun(self, change: Change, held: Lots, holds: Lots) -> None:
        """A period begins: its lots are the plan's and the packages', whole, and nothing else."""
        account = change.after
        for name, lot in holds.items():
            grant, of_plan = lot.recurring_id or "", (account.plan.plan_id, lot.recurring_id or "")
            if name not in held and not name.endswith(":left"):
                wholes = {QUANTITIES[of_plan]} if of_plan in QUANTITIES else self._packed(grant)
                is_whole = lot.total == lot.remaining and lot.total in wholes
                require(is_whole, f"{lot} is none of {wholes}")
            elif lot.rolled_over and not held[name].rolled_over:
                most = max(limit for (_, one), limit in CARRIED.items() if one == grant)
                require(lot.remaining <= most, f"{lot} carries more than {most}")
        for name, lot in held.items():
            parts = [one for one in (holds.get(name), holds.get(f"{name}:left")) if one]
            if parts:
                left = sum(one.remaining for one in parts)
                require(left == lot.remaining, f"{lot} holds {left} after the turn")
            elif lot.remaining:
                ended = lot.expires_at is not None and lot.expires_at < account.period.start_at
                require(ended, f"{lot} is gone before it expires")

    def _packed(self, grant: str) -> set[int]:
        """What packages grant: as often as one is held, or fewer times where it was reduced."""
        return {
            quantity * count
            for (package, one), quantity in QUANTITIES.items()
            if one == grant
            for count in range(1, self._packages.get(package, 0) + 1)
        }

    def _check_changed(self, change: Change, held: Lots, holds: Lots) -> None:
        """Only what is bought, billed or paid for changes lots."""
        may_change = any(
            isinstance(one, Invoice | Subscription)
            or (isinstance(one, Order) and one.state is OrderState.DELIVERED)
            for one in change.records
        )
        require(may_change, f"{change.operation} changes lots from {held} to {holds}")
        for name, lot in held.items():
            if name in holds and not lot.unlimited:
                beyond = lot.total - lot.remaining - holds[name].total
                self._forgiven[origin(name)] += max(0, beyond)
        for name, lot in holds.items():
            if lot.recurring_id is None:
                require(lot == held.get(name, lot), f"bundle {lot} was {held.get(name)}")
                continue
            most = MOST[lot.recurring_id] * MOST_HELD
            require(lot.total <= most, f"{lot} has grown beyond {most}")

    def _check_worth(
        self, ref: object, holds: Lots, burned: Counter[str], back: Counter[str]
    ) -> None:
        """Whatever became of a lot, it never gave more than it was ever worth, apart from what a
        smaller quota found used already."""
        worth = self._forgiven.copy()
        for lot in holds.values():
            worth[origin(lot.grant_id)] += lot.total
        for name, total in worth.items():
            self._worth[name] = max(self._worth[name], total)
        limited = {name for name, lot in holds.items() if not lot.unlimited}
        for name in burned.keys() | back.keys():
            self._burned[origin(name)] += burned[name] - back[name]
        for name in burned.keys() & limited:
            given, most = self._burned[origin(name)], self._worth[origin(name)]
            require(given <= most, f"{name} of {ref} gave {given} of {most}")


def _check_burned(held: Lots, holds: Lots, burned: Counter[str], back: Counter[str]) -> None:
    require(held.keys() == holds.keys(), f"usage changes lots from {held} to {holds}")
    for name, lot in held.items():
        if lot.unlimited:
            require(holds[name] == lot, f"{lot} has changed to {holds[name]}")
            continue
        room = lot.total - lot.remaining
        kept = max(0, back[name] - room)
        left = lot.remaining + min(room, back[name]) - burned[name]
        now = holds[name]
        require(
            now.total == lot.total and left <= now.remaining <= left + min(kept, burned[name]),
            f"{name} holds {now.remaining} of {now.total}, not {left} of {lot.total}",
        )


def origin(lot: str) -> str:
    """The lot as it was granted, whatever part of it rolled over."""
    return lot.removesuffix(":left")
