"""What must hold of everything that is bought: each Change is looked at once, as it was written."""

from datetime import date, datetime
from functools import cache

from billing.domain.account import AccountRef
from billing.domain.change import Change
from simulation.catalog import CATALOG, Document, later_version
from simulation.document_checker import DocumentChecker
from simulation.errors import require
from simulation.grant_checker import GrantChecker
from simulation.holding_checker import HoldingChecker
from simulation.number_checker import NumberChecker
from simulation.order_checker import OrderChecker
from simulation.tenants import SITES, Site
from simulation.world import World


@cache
def document(version: int) -> Document:
    """What was put as a version; from when it reaches what exists, its prices do not tell."""
    return CATALOG if version == 1 else later_version(version, None)


class Purchases:
    """Whoever checks what one account buys."""

    def __init__(self, site: Site, world: World) -> None:
        self._world = world
        self.orders = OrderChecker(self._ended_at)
        self.documents = DocumentChecker()
        self.holding = HoldingChecker(site, document, self._reaches)
        self.grants = GrantChecker(world.book)

    def check(self, change: Change) -> None:
        self.orders.check(change, self.holding.held)
        self.documents.check(change)
        self.holding.check(change)
        self.grants.check(change)

    def _ended_at(self, version: int) -> datetime | None:
        catalogs = self._world.catalogs
        if version == catalogs.current().version:
            return None
        return catalogs.version(version + 1).catalog.saved_at

    def _reaches(self) -> list[tuple[int, date]]:
        catalogs = self._world.catalogs
        numbers = range(catalogs.current().version, 0, -1)
        found = ((number, catalogs.version(number).catalog.existing_from) for number in numbers)
        return [(number, since) for number, since in found if since is not None]


class BuyingChecker:
    """Reads on in the book's journal, and has each Change checked by whoever knows what it moves.

    None of them asks the code that is being tested what anything costs or becomes.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen = 0
        self._numbers = NumberChecker()
        self._purchases: dict[AccountRef, Purchases] = {
            site.ref: Purchases(site, world) for site in SITES
        }

    def check(self) -> None:
        """
        Raises:
            InvariantError: Something that was written does not hold.
        """
        written = self._world.book.written
        while self._seen < len(written):
            change = written[self._seen]
            self._seen += 1
            _check_whose(change)
            self._purchases[change.after.ref].check(change)
            self._numbers.check(change)

    def is_at_rest(self) -> bool:
        """Everything that has begun is billed, and nothing waits to be done for a number."""
        now = self._world.clock.true_now
        held = [bought.holding.held for bought in self._purchases.values()]
        is_billed = all(one is not None and one.billed_until > now for one in held)
        return is_billed and self._numbers.is_at_rest(now)

    def check_end(self) -> None:
        """Everything is at rest: no order waits, and every number is somewhere for good."""
        for bought in self._purchases.values():
            bought.orders.check_end()
            bought.documents.check_end()
        owners, now = self._world.book.number_owners(), self._world.clock.true_now
        self._numbers.check_end(owners, now)


def _check_whose(change: Change) -> None:
    """A Change of an account writes what is its own, and nothing of anybody else."""
    ref = change.after.ref
    parts = (*change.records, *change.events, *change.timers_set, *change.calls, *change.revisions)
    owners = {getattr(one, "account", ref) for one in parts}
    operations = (change.operation, change.finished)
    owners |= {operation.account for operation in operations if operation is not None}
    require(owners == {ref}, f"{change.operation} of {ref} writes of {owners}")
    member = change.members.after if change.members else None
    is_own = member is None or member.account == ref
    require(is_own, f"{change.operation} of {ref} changes {member}")
