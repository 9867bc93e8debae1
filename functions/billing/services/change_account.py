"""Change an account: load, bring current, decide, commit; again, if somebody else was faster.

This loop is written here and nowhere else.
"""

import time
from collections.abc import Callable
from datetime import datetime

from billing.domain import alerts, rolling, turning
from billing.domain.account import Account, AccountRef
from billing.domain.change import Change
from billing.domain.errors import (
    BookBusyError,
    BookContendedError,
    IdConflictError,
    StaleAccountError,
    TalktimeError,
)
from billing.domain.records import Operation
from billing.ports import AlreadyRecordedError, Book, Clock
from billing.services.racing import MAX_ATTEMPTS, wait_seconds

Decision = Callable[[Account, datetime], Change | None]


class ChangeAccount:
    """The one way an account is changed.

    Args:
        book: Where accounts are.
        clock: Read once per attempt, after the account, so that a decision is never older than
            what it was decided from.
        sleep: Waits so many seconds.
        on_written: Is given every Change, once it is written.
    """

    def __init__(
        self,
        book: Book,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
        on_written: Callable[[Change], None] | None = None,
    ) -> None:
        self._book = book
        self._clock = clock
        self._sleep = sleep
        self._on_written = on_written

    def __call__(
        self, ref: AccountRef, decide: Decision, operation: tuple[str, str] | None = None
    ) -> Change | None:
        """Decide on the current account and write the decision.

        Every period that has ended is rolled first, each in a Change of its own, so that no
        decision is ever made in a period that is over. Each Change also tells the alerts that it
        begins.

        Args:
            ref: Which account.
            decide: Pure. Called with the account and the time, again after every lost race; None
                decides that there is nothing to do.
            operation: Id and body hash of a cause that may have been here before. It is read after
                the account and before deciding: what is recorded is answered, not decided again.
                Where ``decide`` refuses it is read once more: of two requests at once, the second
                is not refused for what the first has done.

        Returns:
            The Change that was written, or None.

        Raises:
            NotFoundError: No such account.
            AlreadyRecordedError: The operation is recorded with the same body.
            IdConflictError: The operation is recorded with another body.
            CallsRecordedError: See ``Book.commit``.
            BookBusyError: Every attempt was lost. Nothing was written.
            TalktimeError: Whatever ``decide`` refuses with. Nothing was written.
        """
        lost = 0
        while lost < MAX_ATTEMPTS:
            account = self._book.account(ref)
            if operation is not None:
                self._refuse_recorded(ref, *operation)
            now = self._clock.now()
            is_turning = turning.is_due(account, now)
            change = (
                rolling.roll(account, now)
                if is_turning
                else self._decided(account, decide, operation, now)
            )
            if change is None:
                return None
            # What is told of a balance or a grant follows from any Change, whoever decided it.
            change = alerts.told(change, now)
            try:
                self._book.commit(change)
            except (StaleAccountError, BookContendedError):
                lost += 1
                if lost < MAX_ATTEMPTS:
                    self._sleep(wait_seconds(lost))
            except AlreadyRecordedError:
                # Somebody rolled the same period between our read and our write.
                if not is_turning:
                    raise
            else:
                if self._on_written is not None:
                    self._on_written(change)
                if not is_turning:
                    return change
        raise _busy()

    def by_version(self, ref: AccountRef, decide: Decision) -> Change | None:
        """The same, for a decision whose operation is named by the account's version.

        Who finds that name recorded was overtaken from the very same version by another one of his
        kind: a lost race, and decided again on what that one has left.

        Raises:
            NotFoundError: No such account.
            BookBusyError: Every attempt was lost. Nothing was written.
            TalktimeError: Whatever ``decide`` refuses with. Nothing was written.
        """
        for _ in range(MAX_ATTEMPTS):
            try:
                return self(ref, decide)
            except (AlreadyRecordedError, IdConflictError):
                continue
        raise _busy()

    def bring_current(self, ref: AccountRef) -> Account:
        """Roll every period that has ended, and return the account."""
        self(ref, lambda _account, _now: None)
        return self._book.account(ref)

    def _decided(
        self,
        account: Account,
        decide: Decision,
        operation: tuple[str, str] | None,
        now: datetime,
    ) -> Change | None:
        try:
            return decide(account, now)
        except TalktimeError:
            if operation is not None:
                self._refuse_recorded(account.ref, *operation)
            raise

    def _refuse_recorded(self, ref: AccountRef, operation_id: str, body_hash: str) -> None:
        recorded = self._book.operation(ref, operation_id)
        if recorded is not None:
            raise recorded_error(recorded, body_hash)


def _busy() -> BookBusyError:
    return BookBusyError("the account is busy; nothing was written, try again shortly")


def recorded_error(recorded: Operation, body_hash: str) -> AlreadyRecordedError | IdConflictError:
    """How to answer an operation that is in the book already."""
    if recorded.body_hash == body_hash:
        return AlreadyRecordedError(recorded)
    return IdConflictError(
        "this id was used for another request; send the same body again, or choose a new key",
        field="Idempotency-Key",
    )
