"""A Change in the making: entries one after another, then whatever follows from the wallet."""

from dataclasses import replace
from datetime import datetime

from billing.domain.account import Account
from billing.domain.change import Change
from billing.domain.collecting_steps import leveled
from billing.domain.ledger import EntryKind, LedgerEntry, post
from billing.domain.recharging import Recharging
from billing.domain.records import Event, Operation, Record
from billing.domain.reservations import Holds


class Draft:
    """Moves money by entries of one cause.

    Args:
        account: As it is before the Change.
        recharging: As the Change leaves it.
    """

    def __init__(
        self, account: Account, recharging: Recharging, operation: Operation, now: datetime
    ) -> None:
        self._before = account
        self._after = replace(account, recharging=recharging)
        self._operation = operation
        self._entries: tuple[LedgerEntry, ...] = ()
        self._now = now

    def move(self, kind: EntryKind, debit: str, credit: str, amount_micros: int) -> None:
        """Post an entry; of nothing, none."""
        if not amount_micros:
            return
        self._after, entry = post(
            self._after,
            kind=kind,
            cause=self._operation.operation_id,
            debit=debit,
            credit=credit,
            amount_micros=amount_micros,
            now=self._now,
        )
        self._entries = (*self._entries, entry)

    def change(
        self,
        *,
        finished: Operation | None = None,
        records: tuple[Record, ...] = (),
        events: tuple[Event, ...] = (),
        holds: Holds | None = None,
    ) -> Change:
        """The whole of it: the timers agree with what the wallet holds now.

        Args:
            finished: The pending operation that this answers.
            holds: What was set aside, where money is debited by request.
        """
        timers = leveled(self._before, self._after, self._now)
        return Change(
            before=self._before,
            after=timers.account.next_version(),
            operation=self._operation,
            finished=finished,
            entries=self._entries,
            records=records,
            timers_set=timers.timers_set,
            timers_cleared=timers.timers_cleared,
            events=(*events, *timers.events),
            holds=holds,
        )
