"""Roll the periods of one account that have ended."""

from billing.domain.account import AccountRef
from billing.services.change_account import ChangeAccount


class RollPeriod:
    """Closes what has ended and begins what follows; rolls nothing twice.

    Args:
        change_account: It brings every account current before it decides anything else, which is
            all there is to do here.
    """

    def __init__(self, change_account: ChangeAccount) -> None:
        self._change_account = change_account

    def roll(self, ref: AccountRef) -> None:
        """Bring the account's period up to now.

        Raises:
            NotFoundError: No such account.
            BookBusyError: Try later.
        """
        self._change_account.bring_current(ref)
