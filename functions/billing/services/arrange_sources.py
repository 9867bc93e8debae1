"""Arrange funding sources: which is asked first, which then, and which never again."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from billing.domain import arranging
from billing.domain.account import Account, AccountRef
from billing.domain.audit import By
from billing.domain.change import Change
from billing.domain.errors import NotFoundError
from billing.domain.records import FundingSource, SourceState
from billing.ports import AlreadyRecordedError, Book, Gateway
from billing.services.change_account import ChangeAccount, Decision


class ArrangeSources:
    """What a person decides about sources that are saved.

    Args:
        gateways: By name; a source names its own.
    """

    def __init__(
        self, *, book: Book, gateways: Mapping[str, Gateway], change_account: ChangeAccount
    ) -> None:
        self._book = book
        self._gateways = gateways
        self._change_account = change_account

    def make_default(self, ref: AccountRef, source_id: str, by: By) -> None:
        """Ask this source first; automatic recharge goes on. Done already: nothing changes.

        Raises:
            NotFoundError: There is no such source, or it is removed.
            SourceNotActiveError: It is not saved yet, or has expired.
        """

        def decide(account: Account, now: datetime) -> Change | None:
            sources = self._sources(ref)
            source = sources.get(source_id)
            if source is None or source.state is SourceState.REMOVED:
                raise NotFoundError("there is no such funding source")
            return arranging.made_default(account, source, sources, by, now)

        self._change(ref, decide)

    def reorder(self, ref: AccountRef, source_ids: Sequence[str], by: By) -> None:
        """Ask the backups in this order. Done already: nothing changes.

        Raises:
            InvalidInputError: ``sources`` is not every backup once; says what is missing or
                unknown.
        """
        self._change(ref, lambda account, now: arranging.reordered(account, source_ids, by, now))

    def remove(self, ref: AccountRef, source_id: str, by: By) -> None:
        """Remove a source, then have its gateway forget it; safe to repeat, and then finishes both.

        Raises:
            NotFoundError: There is no such source.
            SourceInUseError: A payment from it is open.
            DefaultSourceError: It is the default, and there is another or automatic recharge is on.
            PaymentUnknownError: It is removed, but its gateway did not answer; call again.
        """

        def decide(account: Account, now: datetime) -> Change | None:
            sources = self._sources(ref)
            if source_id not in sources:
                raise NotFoundError("there is no such funding source")
            return arranging.removed(account, sources[source_id], sources, by, now)

        self._change(ref, decide)
        source = self._book.funding_source(ref, source_id)
        if source.token:
            self._gateways[source.gateway].forget_source(source.token)
            self._change(ref, lambda account, now: self._forgotten(account, source_id, now))

    def _forgotten(self, account: Account, source_id: str, now: datetime) -> Change | None:
        source = self._book.funding_source(account.ref, source_id)
        return arranging.forgotten(account, source, now)

    def _change(self, ref: AccountRef, decide: Decision) -> None:
        # Somebody else has done the same from the same version.
        with suppress(AlreadyRecordedError):
            self._change_account(ref, decide)

    def _sources(self, ref: AccountRef) -> dict[str, FundingSource]:
        return {source.source_id: source for source in self._book.funding_sources(ref)}
