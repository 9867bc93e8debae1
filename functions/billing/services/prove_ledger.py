"""Prove an account's ledger: gapless, chained, in order of time, and summing to its wallet."""

from dataclasses import dataclass

from billing.domain.account import Account, AccountRef
from billing.domain.ledger import Proof, prove
from billing.ports import Book


@dataclass(frozen=True, slots=True)
class Proven:
    """A proof, and the account state it is about."""

    account: Account
    proof: Proof


class ProveLedger:
    """Walks the whole ledger, every time: a proof that is remembered proves nothing."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def prove(self, ref: AccountRef) -> Proven:
        """
        Raises:
            NotFoundError: No such account.
        """
        account = self._book.account(ref)
        return Proven(account, prove(account, self._book.entries(account)))
