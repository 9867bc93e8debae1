"""Set whom an account's documents name as the buyer."""

from datetime import datetime

from billing.domain.account import Account, AccountRef
from billing.domain.audit import By
from billing.domain.billing_profiles import BillingProfile, ProfileWanted, set_profile
from billing.domain.change import Change
from billing.domain.documents import DocumentNumbers
from billing.domain.errors import ConflictError, IdConflictError
from billing.ports import AlreadyRecordedError, Book
from billing.services.change_account import ChangeAccount


class SetBillingProfile:
    """Adds a revision; what was issued before keeps the one it was issued under."""

    def __init__(self, book: Book, change_account: ChangeAccount) -> None:
        self._book = book
        self._change_account = change_account

    def read(self, ref: AccountRef) -> BillingProfile | None:
        """The profile as it is; None: there is none yet.

        Raises:
            NotFoundError: No such account.
        """
        self._book.account(ref)
        return self._current(ref)

    def set(self, ref: AccountRef, wanted: ProfileWanted, *, seen_etag: str, by: By) -> None:
        """Replace the profile, if it is still the one the caller has seen.

        Args:
            seen_etag: From ``profile_etag``.

        Raises:
            NotFoundError: No such account.
            ConflictError: Somebody else changed it since.
            InvalidInputError: Names the field.
            BookBusyError: Nothing was written; try later.
        """

        def decide(account: Account, now: datetime) -> Change:
            numbers = self._book.thing(ref, DocumentNumbers) or DocumentNumbers(ref)
            return set_profile(account, self._current(ref), wanted, numbers, seen_etag, by, now)

        try:
            self._change_account(ref, decide)
        except (AlreadyRecordedError, IdConflictError) as error:
            # Somebody else made the revision that this would have been.
            raise ConflictError("the profile has changed since; read it again") from error

    def _current(self, ref: AccountRef) -> BillingProfile | None:
        found = self._book.things(ref, BillingProfile, before="", limit=1)
        return found[0] if found else None
