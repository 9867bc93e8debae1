"""What must hold of everything that is paid: each Change is looked at once, as it was written."""

from billing.domain.account import AccountRef
from billing.domain.ledger import EntryKind
from billing.domain.records import Event, EventType
from simulation.bus import Outbox, is_same
from simulation.dunning_checker import DunningChecker
from simulation.errors import require
from simulation.giving_back_checker import GivingBackChecker
from simulation.tenants import SITES
from simulation.world import World


class PayingChecker:
    """Reads on in the journal, and has each Change checked by whoever knows what it moves."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen = 0
        self._dunning = {site.ref: DunningChecker(site) for site in SITES}
        self._giving_back = GivingBackChecker(world)
        self._events: dict[tuple[AccountRef, str], Event] = {}

    def check(self) -> None:
        """
        Raises:
            InvariantError: Something that was written does not hold.
        """
        written = self._world.book.written
        while self._seen < len(written):
            change = written[self._seen]
            self._seen += 1
            self._dunning[change.after.ref].check(change)
            self._giving_back.check(change)
            for event in change.events:
                name = (event.account, event.event_id)
                first = self._events.setdefault(name, event)
                is_again = (
                    first is not event and event.type is not EventType.GRANT_THRESHOLD_REACHED
                )
                require(not is_again, f"{event} happens as {first} did")

    def check_end(self, outbox: Outbox) -> None:
        """Everything is at rest."""
        for dunning in self._dunning.values():
            dunning.check_end(self._world.clock.true_now)
        self._giving_back.check_end()
        self._check_bus(outbox)
        self._check_summaries(outbox)

    def _check_bus(self, outbox: Outbox) -> None:
        """What has happened was told, as it was written; and nothing else was."""
        told = outbox.bus.told
        untold = [event for name, event in self._events.items() if name not in told]
        require(not untold, f"never told: {untold[:3]}")
        for name, event in told.items():
            happened = self._events.get(name)
            require(
                happened is not None and is_same(happened, event),
                f"{event} was told, and never happened",
            )

    def _check_summaries(self, outbox: Outbox) -> None:
        """What is summed by day comes to what the ledger says, entry by entry."""
        for site in SITES:
            account = self._world.book.account(site.ref)
            ledger = [0, 0, 0, 0, 0]
            for entry in self._world.book.entries(account):
                sign = {EntryKind.USAGE: 1, EntryKind.REVERSAL: -1}.get(entry.kind, 0)
                usage = entry.usage
                counted = (
                    usage.voice_seconds,
                    usage.granted_voice_seconds,
                    usage.messages,
                    usage.granted_messages,
                    entry.amount_micros,
                )
                ledger = [sum_ + sign * one for sum_, one in zip(ledger, counted, strict=True)]
            summed = outbox.sums(site.ref)
            require(summed == ledger, f"{site.ref} is summed up as {summed}, not {ledger}")
