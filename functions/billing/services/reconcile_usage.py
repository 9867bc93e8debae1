"""Reconcile usage: compare a provider's own list of calls with ours, and park what differs.

Callbacks are lost: Twilio, by default, sends none again that we answered with a 5xx. Its own list
has them all.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice

from billing.domain.account import AccountRef
from billing.domain.callbacks import Ignored, Unreadable
from billing.domain.canonical import Json, digest
from billing.domain.errors import InvalidInputError, NotFoundError, ProviderUnavailableError
from billing.domain.provider_records import (
    ListedCost,
    Place,
    ProviderRecord,
    Reconciliation,
)
from billing.domain.reconciled import Finding, Reconciled, Tally
from billing.domain.reconciling import (
    charge_of,
    difference_of,
    is_early,
    is_of_the_day,
    parked_id_of,
    posting_ids,
    quantity_of,
)
from billing.domain.usage import UsageEvent
from billing.ports import (
    Book,
    Clock,
    Connection,
    Connections,
    Parked,
    ProviderRecords,
    Quarantine,
    UsageQueue,
)
from billing.services.list_usage import Position, first_posted, positions

CLOCKS_APART = timedelta(hours=1)
"""How much wider than the day the provider is asked: what it saw begin before midnight, we may have
seen begin after."""

LATE = timedelta(hours=72)
"""How long after its day usage may still be posted."""

OURS_AT_ONCE = 100
"""Keys one BatchGetItem takes (service quota)."""


class ReconcileUsage:
    """Compares; it never charges. Done twice, it parks the same things, which is once.

    Args:
        replay: Hand what is missing to the usage queue at once, instead of parking it.
    """

    def __init__(
        self,
        *,
        connections: Connections,
        providers: Mapping[str, ProviderRecords],
        book: Book,
        quarantine: Quarantine,
        queue: UsageQueue,
        clock: Clock,
        replay: bool = False,
    ) -> None:
        self._connections = connections
        self._providers = providers
        self._book = book
        self._quarantine = quarantine
        self._queue = queue
        self._clock = clock
        self._replay = replay

    def reconcile(
        self, work: Reconciliation, may_go_on: Callable[[], bool] = lambda: True
    ) -> Reconciled:
        """Compare page by page, until it is done or time is up.

        Args:
            may_go_on: Asked after every page; if not, the result says what is left.

        Raises:
            NotFoundError: No such connection.
            InvalidInputError: Its provider has no list that is read here, the connection maps none
                of its accounts, or the day has not begun.
            ProviderRefusedError: Such as for a wrong secret.
            ProviderUnavailableError: What was compared until then is parked; do it again.
        """
        connection, records = self._asked(work)
        tally = Tally(work)
        accounts = sorted(connection.accounts)
        if work.place is not None:
            accounts = [name for name in accounts if name >= work.place.provider_account]
        for number, account in enumerate(accounts):
            at = work.place if work.place and work.place.provider_account == account else None
            left = self._account(connection, records, account, tally, at, may_go_on)
            if left is None and number + 1 < len(accounts) and not may_go_on():
                left = Place(accounts[number + 1], None)
            if left is not None:
                return tally.result(replace(work, place=left))
        return tally.result(None)

    def _asked(self, work: Reconciliation) -> tuple[Connection, ProviderRecords]:
        connection = self._connections.get(work.connection_id)
        records = self._providers.get(connection.provider)
        if records is None:
            raise InvalidInputError(
                f"no list of {connection.provider} is read here", field="connection"
            )
        if not connection.accounts:
            raise InvalidInputError(
                "the connection maps no account of the provider, so there is none to ask about",
                field="connection",
            )
        if work.begin_at > self._clock.now():
            raise InvalidInputError("that day has not begun yet (UTC)", field="day")
        return connection, records

    def _account(
        self,
        connection: Connection,
        records: ProviderRecords,
        account: str,
        tally: Tally,
        at: Place | None,
        may_go_on: Callable[[], bool],
    ) -> Place | None:
        """Compare one of the provider's accounts.

        Returns:
            Where to go on, if time was up.
        """
        ref = connection.accounts[account]
        begin_at, end_at = tally.work.begin_at - CLOCKS_APART, tally.work.end_at + CLOCKS_APART
        cursor = at.cursor if at else None
        is_whole = cursor is None
        listed: set[str] = set()
        turned: set[str | None] = {cursor}
        while True:
            page = records.page(connection, account, begin_at, end_at, cursor)
            listed.update(record.call_id for record in page.records)
            self._compare(connection, ref, account, page.records, tally)
            cursor = page.next
            if cursor is None:
                break
            if cursor in turned:
                raise ProviderUnavailableError("the provider's pages lead in a circle")
            turned.add(cursor)
            if not may_go_on():
                return Place(account, cursor)
        # Of a list that was read in several goes, this one knows a part alone.
        if not is_whole or not may_go_on() or not self._find_unknown(ref, account, listed, tally):
            tally.uncompared.append(account)
        return None

    def _compare(
        self,
        connection: Connection,
        ref: AccountRef,
        account: str,
        records: Iterable[ProviderRecord],
        tally: Tally,
    ) -> None:
        now = self._clock.now()
        over: list[tuple[UsageEvent, ListedCost | None]] = []
        for record in records:
            if not is_of_the_day(record, tally.work):
                continue
            if record.cost is not None:
                tally.charge(record.cost)
            match record.content:
                case Ignored():
                    tally.counts[Finding.SKIPPED] += 1
                case Unreadable() as unreadable:
                    self._park_unreadable(connection, ref, record.call_id, unreadable)
                    tally.add(Finding.UNREADABLE, account, record.call_id, unreadable.detail)
                case UsageEvent() as event if is_early(event, record.cost, now):
                    tally.counts[Finding.SKIPPED] += 1
                case UsageEvent() as event:
                    over.append((event, record.cost))
        recorded = self._book.current_calls(ref.tenant_id, [event.key for event, _ in over])
        missing: list[tuple[UsageEvent, ListedCost | None]] = []
        for event, cost in over:
            call = recorded.get(event.key)
            if call is None:
                missing.append((event, cost))
            elif call.fingerprint == event.fingerprint:
                tally.counts[Finding.AGREES] += 1
            else:
                detail = difference_of(call, event)
                self._park(ref, Finding.DIFFERS, detail + charge_of(cost), event)
                tally.add(Finding.DIFFERS, account, event.key.call_id, detail)
        self._take_missing(connection, ref, missing, tally)

    def _take_missing(
        self,
        connection: Connection,
        ref: AccountRef,
        missing: Sequence[tuple[UsageEvent, ListedCost | None]],
        tally: Tally,
    ) -> None:
        sent: list[UsageEvent] = []
        known = self._quarantine.get_many(
            parked_id
            for event, _ in missing
            for parked_id in (*posting_ids(ref, event), parked_id_of(ref, Finding.MISSING, event))
        )
        for event, cost in missing:
            if any(parked_id in known for parked_id in posting_ids(ref, event)):
                # Its callback came, and could not be posted: a person has it before him.
                tally.counts[Finding.WAITING] += 1
                continue
            detail = f"the carrier lists {quantity_of(event)}, and no report of it came"
            # What ended under an earlier mapping may be another account's, and what was parked
            # before may have been dismissed: a person decides.
            is_undecided = parked_id_of(ref, Finding.MISSING, event) not in known
            if self._replay and is_undecided and event.ended_at > connection.updated_at:
                sent.append(event)
                tally.add(Finding.QUEUED, event.key.provider_account, event.key.call_id, detail)
                continue
            self._park(ref, Finding.MISSING, detail + charge_of(cost), event)
            tally.add(Finding.MISSING, event.key.provider_account, event.key.call_id, detail)
        if sent:
            self._queue.send(ref, sent)

    def _find_unknown(self, ref: AccountRef, account: str, listed: set[str], tally: Tally) -> bool:
        """Look for calls of ours that the provider does not list.

        Returns:
            Whether there is an account to look in.
        """
        begin_at, end_at = tally.work.begin_at, tally.work.end_at
        try:
            ours = self._book.account(ref)
        except NotFoundError:
            return False
        start = Position(first_posted(self._book, ours, begin_at), 0)
        unlisted = (
            key
            for _, key in positions(self._book, ours, start, end_at + LATE)
            if key.provider_account == account and key.call_id not in listed
        )
        while keys := list(islice(unlisted, OURS_AT_ONCE)):
            calls = self._book.current_calls(ref.tenant_id, keys)
            for call in (calls[key] for key in keys):
                event = call.event
                is_of_the_day = begin_at <= (event.answered_at or event.ended_at) < end_at
                if is_of_the_day and event.connection_id == tally.work.connection_id:
                    detail = f"recorded with {quantity_of(event)} as entry {call.sequence}"
                    tally.add(Finding.UNKNOWN, account, event.key.call_id, detail)
        return True

    def _park(self, ref: AccountRef, reason: Finding, detail: str, event: UsageEvent) -> None:
        self._quarantine.park(
            Parked(
                parked_id=parked_id_of(ref, reason, event),
                reason=reason,
                detail=detail,
                connection_id=event.connection_id,
                account=ref,
                event=event.to_json(),
                parked_at=self._clock.now(),
            )
        )

    def _park_unreadable(
        self, connection: Connection, ref: AccountRef, call_id: str, unreadable: Unreadable
    ) -> None:
        # What names it, where there is such a thing: the rest of it may still change.
        name: Json = [unreadable.provider_account, call_id] if call_id else unreadable.callback
        identity: Json = [unreadable.reason, connection.connection_id, name]
        self._quarantine.park(
            Parked(
                parked_id=digest(identity)[:32],
                reason=unreadable.reason,
                detail=unreadable.detail,
                connection_id=connection.connection_id,
                account=ref,
                event=dict(unreadable.callback),
                parked_at=self._clock.now(),
            )
        )
