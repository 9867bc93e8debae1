"""Begin to save a funding source in its gateway's hosted fields: a saga, finished by its customer.

A pending source is written before the gateway is asked, and what the gateway answers after. The
gateway is asked under a key that derives from the source, so asking again, whoever does and however
often, begins nothing new and gives the same client secret, which is kept nowhere here.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from billing.domain import funding
from billing.domain.account import Account, AccountRef
from billing.domain.change import Change
from billing.domain.collecting import KEY_KEPT
from billing.domain.errors import InvalidInputError
from billing.domain.money import minor_units
from billing.domain.records import AuditRecord, FundingSource, SourceState
from billing.domain.sources import limit_micros
from billing.ports import AlreadyRecordedError, Book, Clock, Gateway, Setup, SetupRequest
from billing.services.add_funding_source import NewSource, asked
from billing.services.change_account import ChangeAccount

SETUP_REFUSED = "setup_refused"
"""What a source failed of that its gateway would not even begin to save."""


class BeginSource:
    """Runs the saga from wherever it stands.

    Args:
        gateways: By name.
    """

    def __init__(
        self,
        *,
        book: Book,
        gateways: Mapping[str, Gateway],
        clock: Clock,
        change_account: ChangeAccount,
    ) -> None:
        self._book = book
        self._gateways = gateways
        self._clock = clock
        self._change_account = change_account

    def begin(
        self,
        ref: AccountRef,
        wanted: NewSource,
        *,
        operation_id: str,
        body_hash: str,
        audit: AuditRecord,
    ) -> None:
        """Write the pending source; ``setup`` goes on from there.

        Raises:
            AlreadyRecordedError: The same request was here before.
            IdConflictError: The key was used for another request.
            InvalidInputError: See ``funding.validate_new``.
            TooManySourcesError: The account has as many as it may.
        """

        def decide(account: Account, now: datetime) -> Change:
            funding.validate_new(account, wanted.method, wanted.limit)
            sources = {one.source_id: one for one in self._book.funding_sources(ref)}
            known = [
                one
                for one in sources.values()
                if one.gateway == wanted.gateway and one.customer_token
            ]
            # One customer for all that an account saves; fixed here, as a part of what is asked.
            first = min(known, key=lambda one: (one.created_at, one.source_id), default=None)
            customer_token = first.customer_token if first else None
            source = replace(wanted.at(ref, now), customer_token=customer_token)
            operation = asked(ref, operation_id, body_hash, now)
            return funding.begun(account, source, sources, operation, audit, now)

        self._change_account(ref, decide, (operation_id, body_hash))

    def setup(self, ref: AccountRef, source_id: str) -> Setup | None:
        """What its customer needs to save a source, the first time as later.

        Returns:
            None where there is nothing to finish: it is saved or removed, or was begun so long ago
            that the gateway may have forgotten the key.

        Raises:
            NotFoundError: There is no such source.
            InvalidInputError: The gateway will not save such a source, which is removed.
            PaymentUnknownError: The gateway did not answer; ask again.
        """
        source = self._book.funding_source(ref, source_id)
        if source.blocked_code == SETUP_REFUSED:
            raise InvalidInputError("the gateway will not save such a source", field="method")
        if source.state is not SourceState.PENDING or self.is_lapsed(source):
            return None
        request = _request(source, self._book.account(ref).currency)
        try:
            setup = self._gateways[source.gateway].begin_setup(request)
        except InvalidInputError:
            self._fail(ref, source_id)
            raise
        if source.setup_id != setup.setup_id:
            self._keep(ref, source_id, setup)
        return setup

    def is_lapsed(self, source: FundingSource) -> bool:
        """Whether the gateway may no longer know the key the source was begun under."""
        return self._clock.now() >= source.created_at + KEY_KEPT

    def _keep(self, ref: AccountRef, source_id: str, setup: Setup) -> None:
        def decide(account: Account, now: datetime) -> Change | None:
            source = self._book.funding_source(ref, source_id)
            return funding.setup_known(account, source, setup.setup_id, setup.customer_token, now)

        # Whoever asked at the same time was told, and has written, the same.
        with suppress(AlreadyRecordedError):
            self._change_account(ref, decide)

    def _fail(self, ref: AccountRef, source_id: str) -> None:
        def decide(account: Account, now: datetime) -> Change | None:
            source = self._book.funding_source(ref, source_id)
            return funding.failed(account, source, SETUP_REFUSED, now)

        with suppress(AlreadyRecordedError):
            self._change_account(ref, decide)


def _request(source: FundingSource, currency: str) -> SetupRequest:
    ref = source.account
    limit = limit_micros(source)
    return SetupRequest(
        idempotency_key=f"source/{ref.tenant_id}/{ref.account_id}/{source.source_id}",
        method=source.method,
        currency=currency,
        limit_minor=None if limit is None else minor_units(limit, currency),
        metadata={
            "tenant": ref.tenant_id,
            "account": ref.account_id,
            "source": source.source_id,
        },
        customer_token=source.customer_token,
    )
