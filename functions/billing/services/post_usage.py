"""Post usage: rate what a provider reported, and charge it to the account, each call once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from billing.domain.account import Account, AccountRef
from billing.domain.change import Change
from billing.domain.errors import (
    CurrencyMismatchError,
    DestinationBlockedError,
    DestinationNotRatedError,
    InvalidUsageError,
    NoRateDeckError,
    NotFoundError,
    TalktimeError,
)
from billing.domain.posting import MAX_CALLS, RatedUsage, post_usage, rate_event
from billing.domain.quarantine import posting_id
from billing.domain.rating import choose_deck
from billing.domain.usage import MAX_CLOCK_AHEAD, Call, CallKey, UsageEvent
from billing.ports import Book, CallsRecordedError, Clock, Decks, Parked, Quarantine
from billing.services.change_account import ChangeAccount
from billing.services.settle_reservations import SettleReservations


class ConflictingReportError(TalktimeError):
    """The same call came with other billable content, from a source that may not correct it."""

    code = "conflicting_report"


UNPLACEABLE = (
    CurrencyMismatchError,
    DestinationBlockedError,
    DestinationNotRatedError,
    InvalidUsageError,
    NoRateDeckError,
)
"""Refusals that concern one event, not its batch: it is parked and the others go on."""


class PostUsage:
    """Posts the usage of one account, in batches that are each complete by themselves."""

    def __init__(
        self,
        *,
        book: Book,
        decks: Decks,
        quarantine: Quarantine,
        clock: Clock,
        change_account: ChangeAccount,
        settle_reservations: SettleReservations,
    ) -> None:
        self._book = book
        self._decks = decks
        self._quarantine = quarantine
        self._clock = clock
        self._change_account = change_account
        self._settle_reservations = settle_reservations

    def post(
        self, ref: AccountRef, events: Sequence[UsageEvent], *, redelivered: bool = False
    ) -> int:
        """Charge every event that is not recorded yet; park every one that cannot be placed.

        Args:
            ref: Whose usage it is.
            events: In any order, with any repetitions.
            redelivered: The queue has delivered them before: then what is recorded is read first,
                because one duplicate cancels a whole transaction and bills it all the same.

        Returns:
            How many calls this posted.

        Raises:
            BookBusyError: Some batches may be posted, none by half; deliver all again.
        """
        distinct = self._distinct(ref, events)
        if redelivered:
            distinct = self._unrecorded(ref, distinct, self._recorded(ref, distinct))
        return sum(self._post_batch(ref, batch) for batch in _batches(distinct, MAX_CALLS))

    def _post_batch(self, ref: AccountRef, events: list[UsageEvent]) -> int:
        """Post one batch, dropping what turns out to be recorded, until the rest is written."""
        while events:
            refused: list[tuple[UsageEvent, TalktimeError]] = []
            try:
                change = self._change_account(ref, self._decision(events, refused))
            except CallsRecordedError as error:
                events = self._unrecorded(ref, events, error.calls)
                continue
            except NotFoundError as error:
                refused = [(event, error) for event in events]
                change = None
            for event, refusal in refused:
                self._park(ref, event, refusal)
            if change is None:
                return 0
            # After the commit: a crash in between leaves the reservations to expire.
            self._settle_reservations.posted(ref, [call.event.key for call in change.calls])
            return len(change.calls)
        return 0

    def _decision(
        self, events: list[UsageEvent], refused: list[tuple[UsageEvent, TalktimeError]]
    ) -> Callable[[Account, datetime], Change | None]:
        """Rate with the deck the account has when it is decided; ``refused`` tells what was not."""

        def decide(account: Account, now: datetime) -> Change | None:
            refused.clear()
            usage: list[RatedUsage] = []
            for event in events:
                try:
                    usage.append(self._rate(account, event, now))
                except UNPLACEABLE as error:
                    refused.append((event, error))
            return post_usage(account, usage, now) if usage else None

        return decide

    def _rate(self, account: Account, event: UsageEvent, now: datetime) -> RatedUsage:
        if event.ended_at > now + MAX_CLOCK_AHEAD:
            raise InvalidUsageError("it ends in the future", field="ended_at")
        if event.quantity == 0 or event.answered_at is None:
            return RatedUsage(event, None)
        versions = self._decks.versions(account.rate_deck)
        return rate_event(
            self._decks.load(choose_deck(versions, event.answered_at)), account, event
        )

    def _distinct(self, ref: AccountRef, events: Iterable[UsageEvent]) -> list[UsageEvent]:
        """The first report of each call; a second one that disagrees is parked."""
        first: dict[CallKey, UsageEvent] = {}
        for event in events:
            kept = first.setdefault(event.key, event)
            if kept.fingerprint != event.fingerprint:
                self._park_conflict(ref, event)
        return list(first.values())

    def _recorded(self, ref: AccountRef, events: Sequence[UsageEvent]) -> tuple[Call, ...]:
        return tuple(self._book.calls(ref.tenant_id, (event.key for event in events)).values())

    def _unrecorded(
        self, ref: AccountRef, events: Sequence[UsageEvent], recorded: Sequence[Call]
    ) -> list[UsageEvent]:
        """Drop what is in the book: silently where it agrees, visibly where it does not.

        A report agrees with the call as it was first posted or as it was corrected since.
        """
        first = {call.event.key: call.fingerprint for call in recorded}
        differing = [e for e in events if first.get(e.key, e.fingerprint) != e.fingerprint]
        current = self._book.current_calls(ref.tenant_id, [event.key for event in differing])
        for event in differing:
            if current[event.key].fingerprint != event.fingerprint:
                self._park_conflict(ref, event)
        return [event for event in events if event.key not in first]

    def _park_conflict(self, ref: AccountRef, event: UsageEvent) -> None:
        self._park(
            ref,
            event,
            ConflictingReportError("this call is recorded with other billable content"),
        )

    def _park(self, ref: AccountRef, event: UsageEvent, error: TalktimeError) -> None:
        self._quarantine.park(
            Parked(
                parked_id=posting_id(ref, error.code, event),
                reason=error.code,
                detail=error.detail,
                connection_id=event.connection_id,
                account=ref,
                event=event.to_json(),
                parked_at=self._clock.now(),
            )
        )


def _batches(events: list[UsageEvent], size: int) -> Iterator[list[UsageEvent]]:
    for start in range(0, len(events), size):
        yield events[start : start + size]
