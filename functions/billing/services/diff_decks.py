"""Say what a version of a rate deck would change, before it takes effect."""

from dataclasses import dataclass
from datetime import date, datetime

from billing.domain.account import AccountRef
from billing.domain.deck_diff import CallChange, DeckDiff, DryRun, PastCall, diff_decks, dry_run
from billing.domain.rating import choose_deck
from billing.domain.usage import Call, CallKey
from billing.ports import Clock, Decks, DeckVersion
from billing.services.activate_deck import version_numbered
from billing.services.list_usage import START, ListUsage, Position

MAX_PAST_CALLS = 5_000
"""Calls a dry run prices again: reading them takes most of a request's time."""

_PAGE = 100


@dataclass(frozen=True, slots=True)
class PastUsage:
    """The usage of one account that is priced again: posted from ``begin``, before ``end``."""

    account: AccountRef
    begin: datetime | date
    end: datetime | date | None


@dataclass(frozen=True, slots=True)
class Trial:
    """What both versions would have charged for past usage.

    Args:
        changed: The calls whose price moves most, first, each with its key.
        is_complete: There was no more usage than is priced at once.
    """

    run: DryRun
    changed: tuple[tuple[CallKey, CallChange], ...]
    is_complete: bool


@dataclass(frozen=True, slots=True)
class DeckComparison:
    """One version beside another."""

    before: DeckVersion
    after: DeckVersion
    diff: DeckDiff
    trial: Trial | None


class DiffDecks:
    """Compares two versions of one deck, drafts among them."""

    def __init__(self, decks: Decks, list_usage: ListUsage, clock: Clock) -> None:
        self._decks = decks
        self._list_usage = list_usage
        self._clock = clock

    def diff(
        self, deck_id: str, number: int, against: int | None, past: PastUsage | None
    ) -> DeckComparison:
        """Compare price by price, and on past usage if any is named.

        Args:
            number: The version that would take effect.
            against: The version it is compared with; None: the one in force now.

        Raises:
            NotFoundError: No such version, or no such account.
            NoRateDeckError: None is in force now.
            CurrencyMismatchError: They are in two currencies.
        """
        uploaded = self._decks.uploaded(deck_id)
        after = version_numbered(uploaded, number)
        if against is not None:
            before = version_numbered(uploaded, against)
        else:
            active = [version for version in uploaded if not version.is_draft]
            before = choose_deck(active, self._clock.now())
        one, other = self._decks.load(before), self._decks.load(after)
        diff = diff_decks(one.rates, other.rates)
        if past is None:
            return DeckComparison(before, after, diff, None)
        calls, is_complete = self._past_calls(past)
        used = [call.event for call in calls if call.event.quantity]
        run = dry_run(
            one,
            other,
            [
                PastCall(
                    event.unit,
                    event.direction,
                    event.to_number,
                    event.quantity,
                    event.answered_at or event.ended_at,
                )
                for event in used
            ],
        )
        changed = tuple((used[change.place].key, change) for change in run.examples)
        return DeckComparison(before, after, diff, Trial(run, changed, is_complete))

    def _past_calls(self, past: PastUsage) -> tuple[list[Call], bool]:
        """The calls, and whether these are all of them."""
        calls: list[Call] = []
        start: Position | None = START
        while start is not None and len(calls) < MAX_PAST_CALLS:
            page = self._list_usage.list(
                past.account, begin=past.begin, end=past.end, start=start, limit=_PAGE
            )
            calls += page.calls
            start = page.next
        return calls, start is None
