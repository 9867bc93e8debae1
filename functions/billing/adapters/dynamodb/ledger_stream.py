"""The ledger as the table's stream brings it: a nudge that an account has a new entry."""

import base64
from dataclasses import dataclass

from billing.adapters.dynamodb import items, keys
from billing.adapters.dynamodb.items import Raw
from billing.domain.account import AccountRef
from billing.domain.ledger import LedgerEntry


@dataclass(frozen=True, slots=True)
class NewEntry:
    """Which entry there is. What it says is read from the ledger, by whoever wants to know."""

    account: AccountRef
    sequence: int


def new_entry(stored: Raw) -> NewEntry | None:
    """What a stream record's keys name; None if it is no ledger entry.

    The stream's filter lets nothing else through where it is heeded.
    """
    pk, sk = str(stored["pk"]["S"]), str(stored["sk"]["S"])
    return NewEntry(keys.ledger_account(pk), int(sk)) if keys.is_ledger(pk) else None


def posted(image: Raw) -> LedgerEntry:
    """The entry of a stream record's new image, in which Lambda writes bytes as base64."""
    return items.entry_of(
        {
            name: {"B": base64.b64decode(value["B"])} if "B" in value else value
            for name, value in image.items()
        }
    )
