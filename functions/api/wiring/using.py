"""What is used: price decks, calls, licences and ports, and the usage that is told."""

from functools import cached_property

from api.wiring.selling import Selling
from billing.services.activate_deck import ActivateDeck
from billing.services.assign_licences import AssignLicences
from billing.services.authorise_call import AuthoriseCall
from billing.services.change_holds import ChangeHolds
from billing.services.correct_usage import CorrectUsage
from billing.services.diff_decks import DiffDecks
from billing.services.fix_parked import FixParked
from billing.services.ingest_events import IngestEvents
from billing.services.lease_ports import LeasePorts
from billing.services.list_usage import ListUsage
from billing.services.prove_ledger import ProveLedger
from billing.services.quote_usage import QuoteUsage
from billing.services.read_entitlement import ReadEntitlement
from billing.services.read_licences import ReadLicences
from billing.services.read_quarantine import ReadQuarantine
from billing.services.replay_parked import ReplayParked
from billing.services.rerate_usage import RerateUsage
from billing.services.save_connection import SaveConnection
from billing.services.settle_reservations import SettleReservations
from billing.services.summarise_usage import SummariseUsage
from billing.services.tell_exhausted import TellExhausted
from billing.services.upload_deck import UploadDeck


class Using(Selling):
    """Services that let calls happen, rate them, and look at them."""

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
    def save_connection(self) -> SaveConnection:
        return SaveConnection(self.book, self.connections, self.clock)

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
