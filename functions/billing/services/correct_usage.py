"""Correct a recorded call: take back what was charged, and charge what should have been."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from billing.domain.account import Account, AccountRef
from billing.domain.canonical import Json, digest
from billing.domain.change import Change
from billing.domain.correcting import Correction, correct_usage, correction_id
from billing.domain.errors import (
    InvalidUsageError,
    NoRateDeckError,
    NotFoundError,
)
from billing.domain.posting import RatedUsage, rate_event
from billing.domain.rating import RateDeck, choose_deck
from billing.domain.records import AuditRecord, Operation, OperationState
from billing.domain.usage import MAX_CLOCK_AHEAD, Call, CallKey, CorrectionSource, UsageEvent
from billing.ports import AlreadyRecordedError, Book, Decks
from billing.services.change_account import ChangeAccount


@dataclass(frozen=True, slots=True)
class CorrectedCall:
    """What stands now.

    Args:
        call: The call's latest revision.
        is_new: This correction was recorded now; a repetition is not, and neither is a report of
            what stands already.
    """

    call: Call
    is_new: bool


class CorrectUsage:
    """Corrects one call at a time, for whoever may."""

    def __init__(self, *, book: Book, decks: Decks, change_account: ChangeAccount) -> None:
        self._book = book
        self._decks = decks
        self._change_account = change_account

    def correct(
        self, ref: AccountRef, event: UsageEvent, source: CorrectionSource
    ) -> CorrectedCall:
        """Give a recorded call the content of ``event``.

        The same correction again changes nothing, whatever has become of the call since: a record
        that a carrier delivers late once more does not undo what an operator has said.

        Args:
            ref: The account the call was charged to.
            event: The call as it should have been reported.
            source: Who says so.

        Raises:
            NotFoundError: No such call is recorded on this account.
            InvalidUsageError: It ends in the future, or is counted in another unit.
            DestinationNotRatedError: The deck has no price for the number.
            DestinationBlockedError: The deck blocks it, and has no price for it.
            NoRateDeckError: No version of the deck was in force.
            CurrencyMismatchError: The deck is in another currency.
            BookBusyError: Nothing was written; try later.
        """
        cause = (correction_id(source, event), digest(event.to_json()))

        def decide(account: Account, now: datetime) -> Change | None:
            correction = self._correction(account, event, now)
            if not correction.changes_anything:
                return None
            operation = _operation(account, cause, now, _answer(correction))
            return correct_usage(account, [correction], source, operation, now)

        try:
            change = self._change_account(ref, decide, cause)
        except AlreadyRecordedError:
            change = None
        if change is not None:
            return CorrectedCall(change.revisions[0], is_new=True)
        return CorrectedCall(self._current(ref, event.key), is_new=False)

    def amend(
        self,
        ref: AccountRef,
        key: CallKey,
        amended: Callable[[UsageEvent], UsageEvent],
        cause: tuple[str, str],
        audit: AuditRecord,
    ) -> CorrectedCall:
        """Carry out an operator's request to correct a call, once.

        Args:
            amended: The call as it should be, from the call as it stands.
            cause: The request's operation id and body hash.
            audit: Recorded with it, even where nothing changes; what stood before is added here.

        Returns:
            The revision that the request led to: the same one for every repetition.

        Raises:
            IdConflictError: The request's id was used for another body.
            NotFoundError, InvalidUsageError, ...: As ``correct``.
        """

        def decide(account: Account, now: datetime) -> Change:
            current = self._current(account.ref, key)
            correction = self._correction(account, amended(current.event), now)
            operation = _operation(account, cause, now, _answer(correction))
            stood = {
                name: value
                for name, value in current.event.to_json().items()
                if name in audit.after
            }
            record = replace(audit, before=stood)
            if correction.changes_anything:
                source = CorrectionSource.OPERATOR
                return correct_usage(account, [correction], source, operation, now, (record,))
            return Change(
                before=account,
                after=account.next_version(),
                operation=operation,
                records=(record,),
            )

        try:
            change = self._change_account(ref, decide, cause)
        except AlreadyRecordedError as error:
            return CorrectedCall(self._answered(ref, key, error.operation.answer), is_new=False)
        assert change is not None
        assert change.operation is not None
        call = self._answered(ref, key, change.operation.answer)
        return CorrectedCall(call, is_new=True)

    def _answered(self, ref: AccountRef, key: CallKey, answer: Json) -> Call:
        assert isinstance(answer, dict), answer
        name = (key, int(str(answer["revision"])))
        return self._book.call_revisions(ref.tenant_id, [name])[name]

    def _correction(self, account: Account, event: UsageEvent, now: datetime) -> Correction:
        current = self._current(account.ref, event.key)
        if event.ended_at > now + MAX_CLOCK_AHEAD:
            raise InvalidUsageError("it ends in the future", field="ended_at")
        return Correction(current, self._rated(account, current, event))

    def _current(self, ref: AccountRef, key: CallKey) -> Call:
        """Read after the account: whoever corrects the call meanwhile moves the account on."""
        call = self._book.current_calls(ref.tenant_id, [key]).get(key)
        if call is None or call.account != ref:
            raise NotFoundError("no such call is recorded on this account")
        return call

    def _rated(self, account: Account, current: Call, event: UsageEvent) -> RatedUsage:
        """The deck version that priced the call prices its correction too: a re-rating stays.

        Where nothing was priced yet, or the call is said to have been answered at another time, the
        version is chosen as for any posting.
        """
        if event.quantity == 0 or event.answered_at is None:
            return RatedUsage(event, None)
        is_priced = current.deck_version and event.answered_at == current.event.answered_at
        deck = (
            load_version(self._decks, current.deck_id, current.deck_version)
            if is_priced
            else self._decks.load(
                choose_deck(self._decks.versions(account.rate_deck), event.answered_at)
            )
        )
        return rate_event(deck, account, event)


def load_version(decks: Decks, deck_id: str, version: int) -> RateDeck:
    """One version of a deck.

    Raises:
        NoRateDeckError: There is none of that number.
    """
    for found in decks.versions(deck_id):
        if found.version == version:
            return decks.load(found)
    raise NoRateDeckError(f"rate deck {deck_id} has no version {version}", field="version")


def _operation(account: Account, cause: tuple[str, str], now: datetime, answer: Json) -> Operation:
    operation_id, body_hash = cause
    return Operation(
        operation_id=operation_id,
        body_hash=body_hash,
        account=account.ref,
        state=OperationState.SUCCEEDED,
        answer=answer,
        recorded_at=now,
    )


def _answer(correction: Correction) -> Json:
    current = correction.current
    revision = current.revision + correction.changes_anything
    return {"call": str(current.event.key), "revision": revision}
