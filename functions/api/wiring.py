"""Everything the routes work with, put together from the ports: by bootstrap, and by tests."""

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
    Quarantine,
    Reservations,
    Summaries,
    UsageQueue,
)
from billing.services.activate_deck import ActivateDeck
from billing.services.add_funding_source import AddFundingSource
from billing.services.arrange_sources import ArrangeSources
from billing.services.authorise_call import AuthoriseCall
from billing.services.begin_source import BeginSource
from billing.services.change_account import ChangeAccount
from billing.services.change_holds import ChangeHolds
from billing.services.collect_recharge import CollectRecharge
from billing.services.confirm_source import ConfirmSource
from billing.services.correct_usage import CorrectUsage
from billing.services.diff_decks import DiffDecks
from billing.services.fix_parked import FixParked
from billing.services.ingest_events import IngestEvents
from billing.services.list_usage import ListUsage
from billing.services.open_account import OpenAccount
from billing.services.prove_ledger import ProveLedger
from billing.services.quote_usage import QuoteUsage
from billing.services.read_overview import ReadOverview
from billing.services.read_quarantine import ReadQuarantine
from billing.services.redeliver_webhook import RedeliverWebhook
from billing.services.refund_payment import RefundPayment
from billing.services.replay_parked import ReplayParked
from billing.services.rerate_usage import RerateUsage
from billing.services.save_catalog import SaveCatalog
from billing.services.save_connection import SaveConnection
from billing.services.save_webhook_endpoints import SaveWebhookEndpoints
from billing.services.set_auto_recharge import SetAutoRecharge
from billing.services.settle_reservations import SettleReservations
from billing.services.summarise_usage import SummariseUsage
from billing.services.upload_deck import UploadDeck

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
class Talktime:
    """The ports, and the services over them.

    Args:
        gateway: Who collects, and saves new funding sources, in this deployment; sources saved with
            another keep theirs.
        is_local: Whether this is the local stage.
    """

    settings: Settings
    book: Book
    directory: Directory
    catalogs: Catalogs
    decks: Decks
    deck_uploads: DeckUploads
    connections: Connections
    quarantine: Quarantine
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

    @cached_property
    def change_account(self) -> ChangeAccount:
        return ChangeAccount(self.book, self.clock)

    @cached_property
    def collect_recharge(self) -> CollectRecharge:
        return CollectRecharge(
            book=self.book,
            gateways=self.gateways,
            clock=self.clock,
            change_account=self.change_account,
        )

    @cached_property
    def refund_payment(self) -> RefundPayment:
        return RefundPayment(
            book=self.book,
            gateways=self.gateways,
            clock=self.clock,
            change_account=self.change_account,
        )

    @cached_property
    def add_funding_source(self) -> AddFundingSource:
        return AddFundingSource(self.book, self.change_account)

    @cached_property
    def begin_source(self) -> BeginSource:
        return BeginSource(
            book=self.book,
            gateways=self.gateways,
            clock=self.clock,
            change_account=self.change_account,
        )

    @cached_property
    def confirm_source(self) -> ConfirmSource:
        return ConfirmSource(
            book=self.book,
            gateways=self.gateways,
            change_account=self.change_account,
            begin_source=self.begin_source,
        )

    @cached_property
    def arrange_sources(self) -> ArrangeSources:
        return ArrangeSources(
            book=self.book, gateways=self.gateways, change_account=self.change_account
        )

    @cached_property
    def set_auto_recharge(self) -> SetAutoRecharge:
        return SetAutoRecharge(self.change_account)

    @cached_property
    def open_account(self) -> OpenAccount:
        return OpenAccount(self.book, self.catalogs, self.clock)

    @cached_property
    def upload_deck(self) -> UploadDeck:
        return UploadDeck(self.decks, self.clock)

    @cached_property
    def activate_deck(self) -> ActivateDeck:
        return ActivateDeck(self.decks, self.clock)

    @cached_property
    def diff_decks(self) -> DiffDecks:
        return DiffDecks(self.decks, self.list_usage, self.clock)

    @cached_property
    def quote_usage(self) -> QuoteUsage:
        return QuoteUsage(self.decks, self.clock)

    @cached_property
    def save_catalog(self) -> SaveCatalog:
        return SaveCatalog(self.catalogs)

    @cached_property
    def save_connection(self) -> SaveConnection:
        return SaveConnection(self.book, self.connections, self.clock)

    @cached_property
    def save_webhook_endpoints(self) -> SaveWebhookEndpoints:
        return SaveWebhookEndpoints(self.webhook_endpoints, self.clock, is_local=self.is_local)

    @cached_property
    def redeliver_webhook(self) -> RedeliverWebhook:
        return RedeliverWebhook(self.webhook_deliveries, self.clock)

    @cached_property
    def read_overview(self) -> ReadOverview:
        return ReadOverview(self.book, self.catalogs, self.reservations, self.clock)

    @cached_property
    def authorise_call(self) -> AuthoriseCall:
        return AuthoriseCall(
            book=self.book,
            decks=self.decks,
            clock=self.clock,
            change_holds=ChangeHolds(self.reservations),
        )

    @cached_property
    def settle_reservations(self) -> SettleReservations:
        return SettleReservations(self.book, self.clock, ChangeHolds(self.reservations))

    @cached_property
    def ingest_events(self) -> IngestEvents:
        return IngestEvents(
            book=self.book,
            quarantine=self.quarantine,
            queue=self.usage_queue,
            clock=self.clock,
        )

    @cached_property
    def read_quarantine(self) -> ReadQuarantine:
        return ReadQuarantine(self.quarantine, self.book)

    @cached_property
    def fix_parked(self) -> FixParked:
        return FixParked(self.quarantine, self.book, self.clock)

    @cached_property
    def replay_parked(self) -> ReplayParked:
        return ReplayParked(
            quarantine=self.quarantine,
            book=self.book,
            connections=self.connections,
            queue=self.usage_queue,
            clock=self.clock,
        )

    @cached_property
    def list_usage(self) -> ListUsage:
        return ListUsage(self.book, self.country_of)

    @cached_property
    def summarise_usage(self) -> SummariseUsage:
        return SummariseUsage(self.book, self.summaries, self.clock)

    @cached_property
    def correct_usage(self) -> CorrectUsage:
        return CorrectUsage(book=self.book, decks=self.decks, change_account=self.change_account)

    @cached_property
    def rerate_usage(self) -> RerateUsage:
        return RerateUsage(
            book=self.book,
            decks=self.decks,
            clock=self.clock,
            change_account=self.change_account,
        )

    @cached_property
    def prove_ledger(self) -> ProveLedger:
        return ProveLedger(self.book)

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
