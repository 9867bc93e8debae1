"""What a debit that is asked for may take: it never overdraws, and leaves running calls theirs.

Usage is a fact, and may leave a debt; an order, an invoice from the wallet, a number's renewal and
a refund are asked for. Their Change carries the holds they were decided on (``Change.holds``).
"""

from datetime import datetime

from billing.domain.account import Account
from billing.domain.reservations import Holds


def spendable_micros(account: Account, holds: Holds, now: datetime) -> int:
    """What of the wallet is neither set aside for calls in progress nor a debt; never negative.

    Args:
        holds: Read after the account, and written with it in the debit's Change.
    """
    return max(0, account.wallet_micros - holds.reserved_micros(now))
