"""Fix or dismiss what is parked: a person's decision, kept with who made it and when."""

from collections.abc import Mapping

from billing.domain.account import AccountRef
from billing.domain.canonical import Json
from billing.domain.errors import InvalidInputError, NotFoundError
from billing.domain.quarantine import ACCOUNT, Parked, dismiss, fix
from billing.ports import Book, Clock, Quarantine
from billing.services.read_quarantine import ReadQuarantine


class FixParked:
    """Decides on the item as it stands, and stores the decision under the version that was seen."""

    def __init__(self, quarantine: Quarantine, book: Book, clock: Clock) -> None:
        self._quarantine = quarantine
        self._book = book
        self._clock = clock
        self._read = ReadQuarantine(quarantine, book)

    def fix(self, seen: Parked, changes: Mapping[str, Json], actor: str) -> Parked:
        """Change fields of the event, or whose it is.

        Args:
            seen: As it was read.
            changes: See ``billing.domain.quarantine.fix``.

        Raises:
            InvalidInputError: Names the field. That may be the account, where the call is recorded
                with another tenant, who would stay billed.
            ItemClosedError: It was posted or dismissed.
            ConflictError: It was changed since.
        """
        fixed = fix(seen, changes, actor, self._clock.now())
        if fixed.account != seen.account:
            self._require_movable(seen, fixed)
        if fixed is not seen:
            self._quarantine.save(fixed, seen.version)
        return fixed

    def dismiss(self, parked_id: str, reason: str, actor: str) -> Parked:
        """Decide that it will never be posted.

        Raises:
            NotFoundError: There is no such item.
            ItemClosedError: It has been posted.
            ConflictError: It was changed at the same time.
        """
        seen = self._read.get(parked_id)
        dismissed = dismiss(seen, reason, actor, self._clock.now())
        if dismissed is not seen:
            self._quarantine.save(dismissed, seen.version)
        return dismissed

    def _require_movable(self, seen: Parked, fixed: Parked) -> None:
        if fixed.account is not None:
            self._require_account(fixed.account)
        key = seen.key()
        if seen.account is None or key is None:
            return
        tenant_id = seen.account.tenant_id
        is_leaving = fixed.account is None or fixed.account.tenant_id != tenant_id
        if is_leaving and self._book.calls(tenant_id, [key]):
            raise InvalidInputError(
                f"this call is recorded with tenant {tenant_id!r}; moved, it would be billed twice",
                field=ACCOUNT,
            )

    def _require_account(self, ref: AccountRef) -> None:
        try:
            self._book.account(ref)
        except NotFoundError:
            raise InvalidInputError(
                f"there is no account {ref.account_id!r} of tenant {ref.tenant_id!r}",
                field=ACCOUNT,
            ) from None
