"""Ask a gateway whether its customer has finished saving a funding source."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from billing.domain import funding
from billing.domain.account import Account, AccountRef
from billing.domain.change import Change
from billing.domain.money import minor_unit_micros
from billing.domain.records import FundingSource, SourceState
from billing.ports import AlreadyRecordedError, Book, Gateway, SetupFailed, SourceSaved
from billing.services.begin_source import BeginSource
from billing.services.change_account import ChangeAccount


class ConfirmSource:
    """Only the gateway's own word makes a source chargeable.

    Args:
        gateways: By name; a source names its own.
    """

    def __init__(
        self,
        *,
        book: Book,
        gateways: Mapping[str, Gateway],
        change_account: ChangeAccount,
        begin_source: BeginSource,
    ) -> None:
        self._book = book
        self._gateways = gateways
        self._change_account = change_account
        self._begin_source = begin_source

    def confirm(self, ref: AccountRef, source_id: str) -> FundingSource:
        """Take over what became of a source that was begun; safe to repeat.

        Returns:
            The source as it stands now: active; removed, with its code, where it came to nothing;
            or pending still.

        Raises:
            NotFoundError: There is no such source.
            InvalidInputError: The gateway would not even begin to save it.
            PaymentUnknownError: The gateway did not answer; nothing has changed.
        """
        source = self._book.funding_source(ref, source_id)
        if source.state is SourceState.ACTIVE:
            return source
        gateway = self._gateways[source.gateway]
        setup_id = source.setup_id or self._setup_id(ref, source_id)
        found = gateway.find_setup(setup_id) if setup_id else None
        if found is None:
            return source
        self._settle(ref, source_id, found)
        standing = self._book.funding_source(ref, source_id)
        if isinstance(found, SourceSaved) and standing.state is SourceState.REMOVED:
            # It was removed while its customer was still saving it.
            gateway.forget_source(found.token)
        return standing

    def _setup_id(self, ref: AccountRef, source_id: str) -> str | None:
        """What was lost between the gateway's answer and our writing it down."""
        setup = self._begin_source.setup(ref, source_id)
        return setup.setup_id if setup else None

    def _settle(self, ref: AccountRef, source_id: str, found: SourceSaved | SetupFailed) -> None:
        def decide(account: Account, now: datetime) -> Change | None:
            sources = {one.source_id: one for one in self._book.funding_sources(ref)}
            source = sources[source_id]
            if isinstance(found, SetupFailed):
                return funding.failed(account, source, found.code, now)
            told = _told(source, found, account.currency)
            return funding.saved(account, told, sources, now)

        # The route and the gateway's webhook may come to it at once.
        with suppress(AlreadyRecordedError):
            self._change_account(ref, decide)


def _told(source: FundingSource, saved: SourceSaved, currency: str) -> FundingSource:
    limit_micros = source.limit_micros
    if saved.limit_minor is not None:
        limit_micros = saved.limit_minor * minor_unit_micros(currency)
    return replace(
        source,
        token=saved.token,
        customer_token=saved.customer_token or source.customer_token,
        method=saved.method,
        brand=saved.brand,
        last4=saved.last4,
        expires_on=saved.expires_on,
        limit_micros=limit_micros,
    )
