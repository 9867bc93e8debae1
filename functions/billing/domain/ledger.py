"""The double-entry ledger of one account: gapless, chained, and provable.

The wallet is what we owe the tenant, so crediting it adds: ``balance = Σ credits - Σ debits`` of
the ledger account ``wallet``. The hash covers call keys, seconds and money; personal fields lie
outside it and can be blanked without breaking the chain.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

from billing.domain.account import Account, AccountRef, LedgerHead
from billing.domain.canonical import Json, digest
from billing.domain.units import Metered
from billing.domain.usage import CallKey

WALLET = "wallet"
USAGE_REVENUE = "revenue:usage"


class EntryKind(StrEnum):
    """Why money moved."""

    USAGE = "usage"
    REVERSAL = "reversal"
    RECHARGE = "recharge"
    REFUND = "refund"
    REFUND_RETURNED = "refund_returned"
    DISPUTE = "dispute"
    DISPUTE_RETURNED = "dispute_returned"
    SALE = "sale"
    CREDIT = "credit"


@dataclass(frozen=True, slots=True)
class UsageSubtotals:
    """The calls one posting names, and what they came to.

    Args:
        revisions: Which revision of each call is reversed, or charged anew; empty where they are
            posted for the first time.
        metered: Units other than seconds and messages.
    """

    calls: tuple[CallKey, ...] = ()
    voice_seconds: int = 0
    granted_voice_seconds: int = 0
    messages: int = 0
    granted_messages: int = 0
    revisions: tuple[int, ...] = ()
    metered: Metered = ()


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One immutable posting: debit one ledger account, credit another.

    Args:
        sequence: 1 and up, without gaps, within the account.
        posted_at: Aware UTC; never before the entry before it, whatever the workers' clocks say.
        kind: Why.
        cause: The operation, payment or posting it derives from.
        debit: Ledger account the amount comes from.
        credit: Ledger account the amount goes to.
        amount_micros: Zero or more. Zero where grants covered all of it.
        balance_micros: The wallet afterwards.
        previous_hash: The hash of the entry before, or of the account's own beginning.
        hash: SHA-256 over all of the above.
        usage: The calls it charges, or takes back.
    """

    sequence: int
    posted_at: datetime
    kind: EntryKind
    cause: str
    debit: str
    credit: str
    amount_micros: int
    currency: str
    balance_micros: int
    previous_hash: str
    hash: str = ""
    usage: UsageSubtotals = field(default_factory=UsageSubtotals)

    @property
    def wallet_change_micros(self) -> int:
        return self.amount_micros * ((self.credit == WALLET) - (self.debit == WALLET))


def opening_head(ref: AccountRef, created_at: datetime) -> LedgerHead:
    """The head of an empty ledger: the chain starts from the account's own name."""
    return LedgerHead(0, digest(["talktime", ref.tenant_id, ref.account_id]), created_at)


def post(
    account: Account,
    *,
    kind: EntryKind,
    cause: str,
    debit: str,
    credit: str,
    amount_micros: int,
    now: datetime,
    usage: UsageSubtotals | None = None,
) -> tuple[Account, LedgerEntry]:
    """Append one entry.

    Args:
        account: As it is before the entry.
        now: Aware UTC. A worker whose clock is behind posts at the head's time instead, so that
            time never runs backwards in a ledger.

    Returns:
        The account with its new wallet and ledger head, and the entry.
    """
    assert amount_micros >= 0, amount_micros
    assert now.tzinfo is UTC, now
    entry = LedgerEntry(
        sequence=account.head.sequence + 1,
        posted_at=max(now, account.head.posted_at),
        kind=kind,
        cause=cause,
        debit=debit,
        credit=credit,
        amount_micros=amount_micros,
        currency=account.currency,
        balance_micros=0,
        previous_hash=account.head.hash,
        usage=usage or UsageSubtotals(),
    )
    wallet = account.wallet_micros + entry.wallet_change_micros
    entry = replace(entry, balance_micros=wallet)
    entry = replace(entry, hash=entry_hash(entry))
    head = LedgerHead(entry.sequence, entry.hash, entry.posted_at)
    return replace(account, wallet_micros=wallet, head=head), entry


def entry_hash(entry: LedgerEntry) -> str:
    """What the entry's ``hash`` must be."""
    calls: list[Json] = [str(key) for key in entry.usage.calls]
    # Only where there are any: what was posted before calls could be corrected has its hash.
    revisions: list[Json] = [list(entry.usage.revisions)] if entry.usage.revisions else []
    # The same for units of the operator's own. Lists of lists cannot be taken for revisions.
    metered: list[Json] = [list(map(list, entry.usage.metered))] if entry.usage.metered else []
    return digest(
        [
            entry.sequence,
            entry.posted_at.isoformat(timespec="microseconds"),
            entry.kind,
            entry.cause,
            entry.debit,
            entry.credit,
            entry.amount_micros,
            entry.currency,
            entry.balance_micros,
            entry.previous_hash,
            calls,
            entry.usage.voice_seconds,
            entry.usage.granted_voice_seconds,
            entry.usage.messages,
            entry.usage.granted_messages,
            *revisions,
            *metered,
        ]
    )


@dataclass(frozen=True, slots=True)
class Proof:
    """What walking the whole ledger showed.

    Args:
        entries: How many were read.
        balance_micros: Their sum.
        problems: One sentence per fault, the first few; empty means proven.
    """

    entries: int
    balance_micros: int
    problems: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        return not self.problems


MAX_PROBLEMS = 20


def prove(account: Account, entries: Iterable[LedgerEntry]) -> Proof:
    """Check that the ledger is gapless, chained, time-ordered, and sums to the wallet, and that
    whatever was reversed was charged anew.

    Args:
        account: The state to prove, read *before* the entries.
        entries: From the first on. Entries younger than the state's head are left out: they were
            posted while the ledger was being read.
    """
    problems: list[str] = []
    head = opening_head(account.ref, account.created_at)
    corrections = _Corrections()
    balance = 0
    count = 0
    for entry in entries:
        if entry.sequence > account.head.sequence:
            break
        count += 1
        balance += entry.wallet_change_micros
        problems += _faults(entry, head, balance)
        problems += corrections.faults(entry)
        head = LedgerHead(entry.sequence, entry.hash, entry.posted_at)
    problems += corrections.faults(None)
    if (head.sequence, head.hash) != (account.head.sequence, account.head.hash):
        problems.append(
            f"the ledger ends at entry {head.sequence}, the account at {account.head.sequence}"
        )
    if balance != account.wallet_micros:
        problems.append(f"the entries sum to {balance}, the wallet holds {account.wallet_micros}")
    return Proof(count, balance, tuple(problems[:MAX_PROBLEMS]))


def _faults(entry: LedgerEntry, head: LedgerHead, balance_micros: int) -> list[str]:
    checks = {
        f"entry {entry.sequence} follows {head.sequence}": entry.sequence == head.sequence + 1,
        f"entry {entry.sequence} does not chain to the one before": (
            entry.previous_hash == head.hash
        ),
        f"entry {entry.sequence} is not what its hash says": entry.hash == entry_hash(entry),
        f"entry {entry.sequence} goes back in time": entry.posted_at >= head.posted_at,
        f"entry {entry.sequence} says {entry.balance_micros}, the sum is {balance_micros}": (
            entry.balance_micros == balance_micros
        ),
    }
    return [fault for fault, holds in checks.items() if not holds]


class _Corrections:
    """Follows corrected calls through a ledger: a reversal takes back the revision that stands, and
    the very next entry charges the one after it."""

    def __init__(self) -> None:
        self._standing: dict[CallKey, int] = {}
        self._reversal: LedgerEntry | None = None

    def faults(self, entry: LedgerEntry | None) -> list[str]:
        """What is wrong with the next entry; None: the ledger ends here."""
        reversal, self._reversal = self._reversal, None
        if reversal is not None and (entry is None or _named(entry) != _expected(reversal)):
            return [f"entry {reversal.sequence} reverses what no entry charges anew"]
        if entry is None or not (entry.usage.revisions or entry.kind is EntryKind.REVERSAL):
            return []
        if entry.kind is EntryKind.REVERSAL:
            self._reversal = entry
            return self._reversal_faults(entry)
        if reversal is None:
            return [f"entry {entry.sequence} charges anew what no entry reversed"]
        self._standing |= zip(entry.usage.calls, entry.usage.revisions, strict=False)
        return []

    def _reversal_faults(self, entry: LedgerEntry) -> list[str]:
        standing = tuple(self._standing.get(key, 0) for key in entry.usage.calls)
        checks = {
            f"entry {entry.sequence} reverses a revision that does not stand": (
                entry.usage.revisions == standing
            ),
            f"entry {entry.sequence} reverses in the wrong direction": (
                (entry.debit, entry.credit) == (USAGE_REVENUE, WALLET)
            ),
        }
        return [fault for fault, holds in checks.items() if not holds]


def _named(entry: LedgerEntry) -> tuple[Json, ...]:
    usage = entry.usage
    return (entry.kind, entry.cause, [str(key) for key in usage.calls], list(usage.revisions))


def _expected(reversal: LedgerEntry) -> tuple[Json, ...]:
    """What the entry after a reversal names."""
    usage = reversal.usage
    calls: list[Json] = [str(key) for key in usage.calls]
    return (EntryKind.USAGE, reversal.cause, calls, [one + 1 for one in usage.revisions])
