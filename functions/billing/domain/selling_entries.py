"""Booking a sale: the wallet pays each kind's revenue, and each tax."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from billing.domain.account import Account
from billing.domain.documents import Line
from billing.domain.ledger import WALLET, EntryKind, LedgerEntry, post


def book_sale(
    account: Account, lines: Iterable[Line], cause: str, now: datetime
) -> tuple[Account, tuple[LedgerEntry, ...]]:
    """Debit the wallet what lines come to, tax included.

    One entry for each ledger account: ``revenue:<line kind>``, and ``tax:<code>``. Lines that give
    back are netted with the others of theirs; where more is given back than charged, the entry is
    a credit. What comes to nothing books nothing.

    Args:
        account: As it is before; whether it holds as much has been seen to.
        cause: The operation that charges.
        now: Aware UTC.
    """
    owed: Counter[str] = Counter()
    for one in lines:
        owed[f"revenue:{one.kind}"] += one.amount_micros
        owed[f"tax:{one.tax_code}"] += one.tax_micros
    entries: list[LedgerEntry] = []
    # What is given back comes first: the wallet is never lower than it is in the end.
    for name, micros in sorted(owed.items(), key=lambda item: (item[1], item[0])):
        if not micros:
            continue
        is_credit = micros < 0
        account, entry = post(
            account,
            kind=EntryKind.CREDIT if is_credit else EntryKind.SALE,
            cause=cause,
            debit=name if is_credit else WALLET,
            credit=WALLET if is_credit else name,
            amount_micros=abs(micros),
            now=now,
        )
        entries.append(entry)
    return account, tuple(entries)
