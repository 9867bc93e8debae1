"""What we say of a payment, a refund or a setup at a gateway, as it comes back: strictly read.

A charge says tenant, account, recharge and attempt; a refund tenant, account, payment and refund; a
setup tenant, account and source. Whoever may write at the gateway may write anything there, so what
is not in our own form names nothing.
"""

from collections.abc import Mapping

from billing.domain.account import AccountRef, require_id
from billing.domain.errors import InvalidInputError

MAX_DIGITS = 9
"""Of a number; the longest ordinal has as many."""


def named_account(metadata: Mapping[str, str]) -> AccountRef | None:
    """The account that is named; None: none is."""
    try:
        return AccountRef(
            require_id(metadata["tenant"], "tenant"), require_id(metadata["account"], "account")
        )
    except (KeyError, InvalidInputError):
        return None


def named_number(metadata: Mapping[str, str], name: str) -> int | None:
    """The positive number under that name; None: there is none."""
    text = metadata.get(name, "")
    is_number = text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS
    return (int(text) or None) if is_number else None
