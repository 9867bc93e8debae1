"""Effects: what a purchase, an invoice or its payment does to an account, before it is a Change.

A payment's capture and an order from the wallet end in the same effect; whoever makes the Change
adds its cause and levels its timers, once, on what the last effect leaves behind.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from billing.domain.account import Account
from billing.domain.ledger import LedgerEntry
from billing.domain.records import Event, Record, Timer, TimerKind


@dataclass(frozen=True, slots=True)
class Effect:
    """What is done, in order.

    Args:
        account: As it is left behind; its version is still the one before.
        entries: Ledger entries, in sequence.
        numbers_claimed: Phone numbers that the account now has.
        numbers_freed: Phone numbers that nobody has from now on.
        is_refused: The money came, and what it was for could not be done; it stays in the wallet.
    """

    account: Account
    entries: tuple[LedgerEntry, ...] = ()
    records: tuple[Record, ...] = ()
    timers_set: tuple[Timer, ...] = ()
    timers_cleared: tuple[TimerKind, ...] = ()
    events: tuple[Event, ...] = ()
    numbers_claimed: tuple[str, ...] = ()
    numbers_freed: tuple[str, ...] = ()
    is_refused: bool = False

    def then(self, later: "Effect") -> "Effect":
        """Both, the later one decided on the account that this one leaves behind. A record or a
        timer that both write is the later one's."""
        written = {_identity(one) for one in later.records}
        timed = {one.kind for one in later.timers_set} | set(later.timers_cleared)
        return replace(
            later,
            entries=(*self.entries, *later.entries),
            records=(
                *(one for one in self.records if _identity(one) not in written),
                *later.records,
            ),
            timers_set=(
                *(one for one in self.timers_set if one.kind not in timed),
                *later.timers_set,
            ),
            timers_cleared=(
                *(one for one in self.timers_cleared if one not in timed),
                *later.timers_cleared,
            ),
            events=(*self.events, *later.events),
            numbers_claimed=(*self.numbers_claimed, *later.numbers_claimed),
            numbers_freed=(*self.numbers_freed, *later.numbers_freed),
            is_refused=self.is_refused or later.is_refused,
        )


Spend = Callable[[Account], Effect]
"""What becomes of a payment once its money is, or is definitely not, in the wallet."""


def _identity(record: Record) -> tuple[str, object]:
    name = getattr(record, "thing_name", None)
    return (type(record).__name__, id(record) if name is None else name)
