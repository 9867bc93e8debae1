"""Re-rate calls that were posted: price a range of them at a given version of a deck.

A dry run says what would change and writes nothing. Applying it corrects the calls in steps, each
one Change under an id of its own: whoever was interrupted sends the same request again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice, takewhile

from billing.domain import turning
from billing.domain.account import Account, AccountRef
from billing.domain.canonical import digest
from billing.domain.change import Change
from billing.domain.correcting import Correction, correct_usage
from billing.domain.errors import (
    CurrencyMismatchError,
    InvalidInputError,
    TalktimeError,
)
from billing.domain.posting import MAX_CALLS, rate_event
from billing.domain.rating import RateDeck
from billing.domain.records import AuditRecord, Operation, OperationState
from billing.domain.rerating import RatedAnew, RerateFigures
from billing.domain.usage import Call, CallKey, CorrectionSource
from billing.ports import AlreadyRecordedError, Book, Clock, Decks
from billing.services.change_account import ChangeAccount
from billing.services.correct_usage import load_version
from billing.services.list_usage import Bound, Position, first_posted, instant, positions
from billing.services.post_usage import UNPLACEABLE

STEP_CALLS = MAX_CALLS
PAGE_STEPS = 10
"""Steps of one request: a few hundred calls, about a second, well inside an API's patience."""


@dataclass(frozen=True, slots=True)
class Rerating:
    """What is to be re-rated, and how.

    Args:
        begin: The first posting, by its sequence in the ledger or by when it was posted.
        end: The first posting that is left out.
        deck_id: The deck; it need not be the account's own.
        version: Which version of it, whenever that takes effect.
    """

    ref: AccountRef
    begin: int | Bound
    end: int | Bound
    deck_id: str
    version: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request goes on: the number of the next step, and the first call of it."""

    step: int
    position: Position


FIRST = Place(1, Position(0, 0))


@dataclass(frozen=True, slots=True)
class Rerated:
    """One request's worth.

    Args:
        rows: Every call of a dry run, in posting order; none where it was applied.
        next: Where the next request goes on; None: the range is done.
        replayed: Applied: every step had been taken before.
    """

    figures: RerateFigures
    currency: str
    rows: tuple[RatedAnew, ...]
    next: Place | None
    replayed: bool = False


AuditOf = Callable[[str], AuditRecord]
"""The audit record of the step with that operation id."""


class RerateUsage:
    """Re-rates a page of a range at a time."""

    def __init__(
        self, *, book: Book, decks: Decks, clock: Clock, change_account: ChangeAccount
    ) -> None:
        self._book = book
        self._decks = decks
        self._clock = clock
        self._change_account = change_account

    def dry_run(self, rerating: Rerating, start: Place = FIRST) -> Rerated:
        """Say what ``apply`` would do now. Writes nothing.

        Each step is decided on what the one before would leave, exactly as when it is applied; a
        page is decided on the account as it is.

        Raises:
            NotFoundError: No such account.
            NoRateDeckError: No such version of the deck.
            CurrencyMismatchError: The deck is in another currency.
            InvalidInputError: Names the field: the range is empty, or not over.
        """
        account, deck, steps, following = self._page(rerating, start)
        now = self._clock.now()
        state = turning.at(account, now)
        rows: list[RatedAnew] = []
        for keys in steps:
            plan = self._plan(state, deck, keys)
            if plan.corrections:
                operation = _operation(state.ref, "dry run", "", now)
                change = self._corrected(state, plan, operation, now, ())
                rows += plan.rows(change.revisions)
                state = change.after
            else:
                rows += plan.rows(())
        return Rerated(RerateFigures.of(rows), account.currency, tuple(rows), following)

    def apply(
        self, rerating: Rerating, job_id: str, audit: AuditOf, start: Place = FIRST
    ) -> Rerated:
        """Correct one page of calls, step by step.

        A step is named by the job and its number, so that it is taken once: whoever repeats a page
        gets the figures of the first time for every step that was taken, and takes the others. A
        job begun anew under another id finds the calls that are done, and changes nothing of them.

        Args:
            job_id: The request; the same for every page of a range.
            audit: Makes the audit record that each step is written with.

        Raises:
            IdConflictError: The job's id was used for another range or version.
            BookBusyError: Some steps may be taken, none by half; send the page again.
        """
        account, deck, steps, following = self._page(rerating, start)
        body_hash = digest([str(rerating.begin), str(rerating.end), deck.deck_id, deck.version])
        figures, taken = RerateFigures(), 0
        for number, keys in enumerate(steps, start.step):
            operation_id = f"{job_id}/{number}"
            found, is_new = self._take(
                rerating.ref, deck, keys, (operation_id, body_hash), audit(operation_id)
            )
            figures = figures.plus(found)
            taken += is_new
        replayed = bool(steps) and not taken
        return Rerated(figures, account.currency, (), following, replayed)

    def _take(
        self,
        ref: AccountRef,
        deck: RateDeck,
        keys: Sequence[CallKey],
        cause: tuple[str, str],
        audit: AuditRecord,
    ) -> tuple[RerateFigures, bool]:
        """Take one step, unless it was taken before."""

        def decide(account: Account, now: datetime) -> Change:
            plan = self._plan(account, deck, keys)
            operation = _operation(account.ref, *cause, now)
            if plan.corrections:
                change = self._corrected(account, plan, operation, now, (audit,))
            else:
                # Recorded all the same: taken later, the step could find other calls to change.
                change = Change(
                    before=account,
                    after=account.next_version(),
                    operation=operation,
                    records=(audit,),
                )
            figures = RerateFigures.of(plan.rows(change.revisions))
            return replace(change, operation=replace(operation, answer=figures.to_json()))

        try:
            change = self._change_account(ref, decide, cause)
        except AlreadyRecordedError as error:
            return RerateFigures.from_json(error.operation.answer), False
        assert change is not None
        assert change.operation is not None
        return RerateFigures.from_json(change.operation.answer), True

    def _page(
        self, rerating: Rerating, start: Place
    ) -> tuple[Account, RateDeck, list[list[CallKey]], Place | None]:
        """The calls of one request, step by step, and where the next request goes on.

        Postings are never changed, so the same range always falls into the same steps.
        """
        account = self._book.account(rerating.ref)
        deck = load_version(self._decks, rerating.deck_id, rerating.version)
        if deck.currency != account.currency:
            raise CurrencyMismatchError(
                f"the deck is in {deck.currency}, the account in {account.currency}", field="deck"
            )
        begin, end = self._range(account, rerating)
        first = max(start.position, Position(begin, 0))
        size = STEP_CALLS * PAGE_STEPS
        within = takewhile(
            lambda found: found[0].sequence < end, positions(self._book, account, first, None)
        )
        found = list(islice(within, size + 1))
        keys = [key for _, key in found[:size]]
        steps = [keys[at : at + STEP_CALLS] for at in range(0, len(keys), STEP_CALLS)]
        is_last = len(found) <= size
        following = None if is_last else Place(start.step + PAGE_STEPS, found[size][0])
        return account, deck, steps, following

    def _range(self, account: Account, rerating: Rerating) -> tuple[int, int]:
        """The range in sequences. What could still be posted into it would move its steps."""
        begin = self._sequence(account, rerating.begin, "from")
        end = self._sequence(account, rerating.end, "to")
        if not 0 < begin < end:
            raise InvalidInputError("nothing was posted in this range", field="to")
        return begin, end

    def _sequence(self, account: Account, bound: int | Bound, field: str) -> int:
        if isinstance(bound, int):
            if bound > account.head.sequence + 1:
                raise InvalidInputError("nothing has this sequence yet", field=field)
            return bound
        at = instant(account, bound)
        if at > self._clock.now():
            raise InvalidInputError("the range lies in the past", field=field)
        return first_posted(self._book, account, at)

    def _plan(self, account: Account, deck: RateDeck, keys: Sequence[CallKey]) -> "_Plan":
        calls = self._book.current_calls(account.ref.tenant_id, keys)
        assert len(calls) == len(keys), "what the ledger names is recorded"
        plan = _Plan([calls[key] for key in keys])
        for call in plan.calls:
            try:
                correction = Correction(call, rate_event(deck, account, call.event))
            except UNPLACEABLE as error:
                plan.refused[call.event.key] = error
            else:
                if correction.changes_anything:
                    plan.corrections.append(correction)
        return plan

    def _corrected(
        self,
        account: Account,
        plan: "_Plan",
        operation: Operation,
        now: datetime,
        records: tuple[AuditRecord, ...],
    ) -> Change:
        return correct_usage(
            account, plan.corrections, CorrectionSource.RERATING, operation, now, records
        )


class _Plan:
    """The calls of one step: which are to be corrected, and which the deck has no price for."""

    def __init__(self, calls: list[Call]) -> None:
        self.calls = calls
        self.corrections: list[Correction] = []
        self.refused: dict[CallKey, TalktimeError] = {}

    def rows(self, revised: Sequence[Call]) -> list[RatedAnew]:
        becomes = {call.event.key: call for call in revised}
        return [
            RatedAnew(call, becomes.get(key := call.event.key, call), self.refused.get(key))
            for call in self.calls
        ]


def _operation(ref: AccountRef, operation_id: str, body_hash: str, now: datetime) -> Operation:
    return Operation(
        operation_id=operation_id,
        body_hash=body_hash,
        account=ref,
        state=OperationState.SUCCEEDED,
        answer=None,
        recorded_at=now,
    )
