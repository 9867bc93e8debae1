"""Prove many ledgers: a part of all accounts each night, or every one of a table."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from billing.domain.account import AccountRef
from billing.domain.canonical import digest
from billing.ports import Clock, Directory
from billing.services.prove_ledger import ProveLedger, Proven

NIGHTS = 28
"""Every account's turn comes once in so many nights, whatever the month."""

PAGE = 100
"""Tenants, and accounts of one, listed at once."""


@dataclass(frozen=True, slots=True)
class ProofRun:
    """What a run found.

    Args:
        proven: Accounts whose ledger was walked.
        entries: How many entries that were.
        faulty: Those of the accounts that could not be proven sound.
        left: Accounts that time did not reach.
    """

    proven: int
    entries: int
    faulty: tuple[Proven, ...]
    left: int


class ProveLedgers:
    """Reads, and changes nothing. A run that happens twice, or never, harms nobody.

    Whole ledgers, because a proof that builds on an earlier one proves nothing. That is affordable:
    a ledger of 100,000 entries is some 12,000 read units, and is walked once in four weeks.
    """

    def __init__(self, directory: Directory, prove_ledger: ProveLedger, clock: Clock) -> None:
        self._directory = directory
        self._prove_ledger = prove_ledger
        self._clock = clock

    def prove_tonight(self, until: datetime) -> ProofRun:
        """Prove the accounts whose night it is, until time is up; in another order each time, so
        that it is not always the same ones that time does not reach."""
        night = self._clock.now().date()
        refs = [ref for ref in self.accounts() if is_turn(ref, night)]
        refs.sort(key=lambda ref: digest([ref.tenant_id, ref.account_id, night.isoformat()]))
        return self.prove(refs, until)

    def prove(self, refs: Iterable[AccountRef], until: datetime | None = None) -> ProofRun:
        """
        Args:
            until: Begin no other ledger after it; None: prove all of them.

        Raises:
            NotFoundError: There is no such account.
        """
        proven = entries = left = 0
        faulty: list[Proven] = []
        for ref in refs:
            if until is not None and self._clock.now() >= until:
                left += 1
                continue
            found = self._prove_ledger.prove(ref)
            proven += 1
            entries += found.proof.entries
            if not found.proof.is_sound:
                faulty.append(found)
        return ProofRun(proven, entries, tuple(faulty), left)

    def accounts(self) -> Iterator[AccountRef]:
        """Every account of every tenant."""
        tenant_id: str | None = None
        while tenants := self._directory.tenants(tenant_id, PAGE):
            for tenant in tenants:
                yield from self._accounts_of(tenant.tenant_id)
            tenant_id = tenants[-1].tenant_id

    def _accounts_of(self, tenant_id: str) -> Iterator[AccountRef]:
        account_id: str | None = None
        while listings := self._directory.accounts(tenant_id, account_id, PAGE):
            for listing in listings:
                yield listing.account
            account_id = listings[-1].account.account_id


def is_turn(ref: AccountRef, night: date) -> bool:
    """Whether an account is proven on this night (UTC): spread evenly, and the same for ever."""
    place = int(digest([ref.tenant_id, ref.account_id])[:8], 16)
    return place % NIGHTS == night.toordinal() % NIGHTS
