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
from billing.services.activate_deck import ActivateDeck
from billing.services.add_funding_source import AddFundingSource
from billing.services.arrange_sources import ArrangeSources
from billing.services.assign_licences import AssignLicences
from billing.services.authorise_call import AuthoriseCall
from billing.services.begin_source import BeginSource
from billing.services.bill_account import BillAccount
from billing.services.cancel_scheduled import CancelScheduled
from billing.services.change_account import ChangeAccount
from billing.services.change_holds import ChangeHolds
from billing.services.change_members import ChangeMembers
from billing.services.charge_account import ChargeAccount
from billing.services.collect_recharge import CollectRecharge
from billing.services.confirm_source import ConfirmSource
from billing.services.correct_usage import CorrectUsage
from billing.services.credit_invoice import CreditInvoice
from billing.services.diff_decks import DiffDecks
from billing.services.estimate_minutes import EstimateMinutes
from billing.services.fix_parked import FixParked
from billing.services.gauge_storage import GaugeStorage
from billing.services.ingest_events import IngestEvents
from billing.services.lease_ports import LeasePorts
from billing.services.list_audit import ListAudit
from billing.services.list_numbers import ListNumbers
from billing.services.list_usage import ListUsage
from billing.services.manage_numbers import ManageNumbers
from billing.services.open_account import OpenAccount
from billing.services.pay_invoice import PayInvoice
from billing.services.place_order import PlaceOrder
from billing.services.prove_ledger import ProveLedger
from billing.services.quote_order import QuoteOrder
from billing.services.quote_usage import QuoteUsage
from billing.services.read_accounts import ReadAccounts
from billing.services.read_documents import ReadDocuments
from billing.services.read_entitlement import ReadEntitlement
from billing.services.read_held import ReadHeld
from billing.services.read_licences import ReadLicences
from billing.services.read_offers import ReadOffers
from billing.services.read_overview import ReadOverview
from billing.services.read_purchases import ReadPurchases
from billing.services.read_quarantine import ReadQuarantine
from billing.services.read_subscription import ReadSubscription
from billing.services.redeliver_webhook import RedeliverWebhook
from billing.services.refund_payment import RefundPayment
from billing.services.replay_parked import ReplayParked
from billing.services.rerate_usage import RerateUsage
from billing.services.save_catalog import SaveCatalog
from billing.services.save_connection import SaveConnection
from billing.services.save_webhook_endpoints import SaveWebhookEndpoints
from billing.services.set_alerts import SetAlerts
from billing.services.set_auto_recharge import SetAutoRecharge
from billing.services.set_billing_profile import SetBillingProfile
from billing.services.set_contract import SetContract
from billing.services.settle_reservations import SettleReservations
from billing.services.spend_orders import SpendOrders
from billing.services.spends import all_spends
from billing.services.summarise_usage import SummariseUsage
from billing.services.tell_exhausted import TellExhausted
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
            spends=all_spends(self.book, self.catalogs),
        )

    @cached_property
    def bill_account(self) -> BillAccount:
        return BillAccount(
            book=self.book,
            catalogs=self.catalogs,
            clock=self.clock,
            change_account=self.change_account,
        )

    @cached_property
    def pay_invoice(self) -> PayInvoice:
        return PayInvoice(
            book=self.book,
            catalogs=self.catalogs,
            reservations=self.reservations,
            change_account=self.change_account,
            collect_recharge=self.collect_recharge,
        )

    @cached_property
    def charge_account(self) -> ChargeAccount:
        return ChargeAccount(
            book=self.book, catalogs=self.catalogs, change_account=self.change_account
        )

    @cached_property
    def read_documents(self) -> ReadDocuments:
        return ReadDocuments(
            book=self.book, catalogs=self.catalogs, papers=self.papers, printer=self.printer
        )

    @cached_property
    def credit_invoice(self) -> CreditInvoice:
        return CreditInvoice(self.book, self.change_account)

    @cached_property
    def read_purchases(self) -> ReadPurchases:
        return ReadPurchases(self.book, self.clock)

    @cached_property
    def set_billing_profile(self) -> SetBillingProfile:
        return SetBillingProfile(self.book, self.change_account)

    @cached_property
    def set_contract(self) -> SetContract:
        return SetContract(
            book=self.book,
            catalogs=self.catalogs,
            clock=self.clock,
            change_account=self.change_account,
        )

    @cached_property
    def read_held(self) -> ReadHeld:
        return ReadHeld(self.book, self.catalogs)

    @cached_property
    def spend_orders(self) -> SpendOrders:
        return SpendOrders(self.book, self.read_held)

    @cached_property
    def quote_order(self) -> QuoteOrder:
        return QuoteOrder(
            book=self.book,
            quotes=self.quotes,
            read_held=self.read_held,
            bill_account=self.bill_account,
            clock=self.clock,
        )

    @cached_property
    def place_order(self) -> PlaceOrder:
        return PlaceOrder(
            book=self.book,
            catalogs=self.catalogs,
            reservations=self.reservations,
            spend_orders=self.spend_orders,
            collect_recharge=self.collect_recharge,
            change_account=self.change_account,
        )

    @cached_property
    def read_subscription(self) -> ReadSubscription:
        return ReadSubscription(self.book, self.read_held, self.clock)

    @cached_property
    def cancel_scheduled(self) -> CancelScheduled:
        return CancelScheduled(self.read_held, self.change_account)

    @cached_property
    def refund_payment(self) -> RefundPayment:
        return RefundPayment(
            book=self.book,
            gateways=self.gateways,
            reservations=self.reservations,
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
    def set_alerts(self) -> SetAlerts:
        return SetAlerts(self.change_account)

    @cached_property
    def change_members(self) -> ChangeMembers:
        return ChangeMembers(
            members=self.members,
            book=self.book,
            catalogs=self.catalogs,
            change_account=self.change_account,
        )

    @cached_property
    def list_audit(self) -> ListAudit:
        return ListAudit(self.book, self.audit_trail, self.clock)

    @cached_property
    def read_accounts(self) -> ReadAccounts:
        return ReadAccounts(self.directory, self.book, self.reservations, self.clock)

    @cached_property
    def open_account(self) -> OpenAccount:
        return OpenAccount(self.book, self.catalogs, self.clock, self.bill_account)

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
        return SaveCatalog(self.catalogs, self.clock)

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
    def read_offers(self) -> ReadOffers:
        return ReadOffers(self.book, self.catalogs)

    @cached_property
    def read_overview(self) -> ReadOverview:
        return ReadOverview(
            book=self.book,
            catalogs=self.catalogs,
            reservations=self.reservations,
            clock=self.clock,
            read_subscription=self.read_subscription,
            list_numbers=self.list_numbers,
            estimate_minutes=EstimateMinutes(self.summaries),
        )

    @cached_property
    def authorise_call(self) -> AuthoriseCall:
        return AuthoriseCall(
            book=self.book,
            decks=self.decks,
            clock=self.clock,
            change_holds=ChangeHolds(self.reservations),
            read_entitlement=self.read_entitlement,
            tell_exhausted=self.tell_exhausted,
        )

    @cached_property
    def read_entitlement(self) -> ReadEntitlement:
        return ReadEntitlement(book=self.book, catalogs=self.catalogs, members=self.members)

    @cached_property
    def tell_exhausted(self) -> TellExhausted:
        return TellExhausted(self.reservations, self.clock, self.change_account)

    @cached_property
    def gauge_storage(self) -> GaugeStorage:
        return GaugeStorage(
            book=self.book,
            catalogs=self.catalogs,
            members=self.members,
            directory=self.directory,
            clock=self.clock,
            change_account=self.change_account,
            first_account=self.first_account,
        )

    @cached_property
    def list_numbers(self) -> ListNumbers:
        return ListNumbers(self.book, self.catalogs)

    @cached_property
    def manage_numbers(self) -> ManageNumbers:
        return ManageNumbers(
            book=self.book,
            catalogs=self.catalogs,
            reservations=self.reservations,
            change_account=self.change_account,
            collect_recharge=self.collect_recharge,
        )

    @cached_property
    def lease_ports(self) -> LeasePorts:
        return LeasePorts(
            book=self.book,
            clock=self.clock,
            change_holds=ChangeHolds(self.reservations),
            read_entitlement=self.read_entitlement,
            tell_exhausted=self.tell_exhausted,
        )

    @cached_property
    def assign_licences(self) -> AssignLicences:
        return AssignLicences(
            book=self.book,
            change_account=self.change_account,
            read_entitlement=self.read_entitlement,
            lease_ports=self.lease_ports,
        )

    @cached_property
    def read_licences(self) -> ReadLicences:
        return ReadLicences(
            book=self.book,
            reservations=self.reservations,
            clock=self.clock,
            read_entitlement=self.read_entitlement,
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
