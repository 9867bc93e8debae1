"""The ports that the API is built on, and what they alone can answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from api.auth import TokenRules
from api.cursors import Cursors
from api.problems import RequestError
from billing.domain.account import AccountRef
from billing.domain.errors import NotFoundError
from billing.domain.summaries import CountryOf
from billing.ports import (
    AuditTrail,
    Book,
    Catalogs,
    Clock,
    Connections,
    Decks,
    DeckUploads,
    Deliveries,
    Directory,
    EndpointStore,
    Gateway,
    Members,
    PaperStore,
    Printer,
    Quarantine,
    Quotes,
    Reservations,
    Summaries,
    UsageQueue,
)

_PAGE = 100


@dataclass(frozen=True, slots=True)
class Settings:
    """What a deployment decides.

    Args:
        public_url: Where clients reach the API, without a slash at the end.
        cors_origins: Browsers' origins that are answered; ``*``: any.
        cursor_key: Signs cursors.
    """

    public_url: str
    cors_origins: frozenset[str]
    token_rules: TokenRules
    cursor_key: Callable[[], bytes]


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Everything the services are made from.

    Args:
        gateway: Who collects, and saves new funding sources, in this deployment; sources saved with
            another keep theirs.
        is_local: Whether this is the local stage.
    """

    settings: Settings
    book: Book
    audit_trail: AuditTrail
    directory: Directory
    members: Members
    catalogs: Catalogs
    decks: Decks
    deck_uploads: DeckUploads
    papers: PaperStore
    printer: Printer
    connections: Connections
    quarantine: Quarantine
    quotes: Quotes
    summaries: Summaries
    webhook_endpoints: EndpointStore
    webhook_deliveries: Deliveries
    reservations: Reservations
    usage_queue: UsageQueue
    gateways: Mapping[str, Gateway]
    country_of: CountryOf
    clock: Clock
    gateway: str = "sandbox"
    is_local: bool = False

    @cached_property
    def cursors(self) -> Cursors:
        return Cursors(self.settings.cursor_key)

    def first_account(self, tenant_id: str) -> AccountRef:
        """The tenant's first account.

        Raises:
            NotFoundError: The tenant has none.
        """
        found = page = self.directory.accounts(tenant_id, None, _PAGE)
        while len(page) == _PAGE:
            page = self.directory.accounts(tenant_id, page[-1].account.account_id, _PAGE)
            found = found + page
        if not found:
            raise NotFoundError(f"tenant {tenant_id!r} has no account")
        return min(found, key=lambda listing: (listing.created_at, listing.account)).account

    def terms_version(self) -> str:
        """The terms an acceptance must name.

        Raises:
            RequestError: ``no_catalog``: nothing can be accepted before there is one.
        """
        try:
            return self.catalogs.current().catalog.terms_version
        except NotFoundError:
            raise RequestError(
                "no_catalog", "The operator has not uploaded a catalogue yet."
            ) from None
