"""A small world for services: one account, a deck, a gateway, and time that stands still."""

from collections.abc import Callable
from datetime import UTC, datetime

from billing.adapters.gateways.sandbox import SUCCEEDS
from billing.domain import opening
from billing.domain.account import Account, AccountRef, PlanTerms
from billing.domain.audit import By
from billing.domain.change import Change
from billing.domain.decks import deck_digest, parse_deck, serialise_deck
from billing.domain.grants import RecurringGrant
from billing.domain.ledger import prove
from billing.domain.recharging import RechargeMode, RechargePolicy
from billing.domain.records import Operation, TimerKind
from billing.domain.units import Unit
from billing.ports import DeckVersion, Gateway, Parked, Reservations
from billing.services.add_funding_source import AddFundingSource, NewSource
from billing.services.assign_licences import AssignLicences
from billing.services.authorise_call import AuthoriseCall
from billing.services.change_account import ChangeAccount
from billing.services.change_holds import ChangeHolds
from billing.services.collect_recharge import CollectRecharge
from billing.services.lease_ports import LeasePorts
from billing.services.post_usage import PostUsage
from billing.services.read_entitlement import ReadEntitlement
from billing.services.read_licences import ReadLicences
from billing.services.set_auto_recharge import SetAutoRecharge, policy_etag
from billing.services.settle_reservations import SettleReservations
from billing.services.tell_exhausted import TellExhausted
from builders import ACME, USD, a_credit, a_tenant, an_audit_record, an_operation
from fakes.book import InMemoryBook
from fakes.reservations import InMemoryReservations
from fakes.stores import InMemoryCatalogs, InMemoryDecks, InMemoryQuarantine
from fakes.world import FixedClock, InMemorySandbox

OPENED = datetime(2026, 3, 1, tzinfo=UTC)
BY_THE_SECOND = """\
prefix,destination,rate,first_increment_seconds,next_increment_seconds
1,North America,0.60,1,1
"""
"""A cent a second to +1, and no price for anywhere else."""


class RacedBook(InMemoryBook):
    """A book where something may happen between a worker's read and its write."""

    def __init__(self, reservations: InMemoryReservations | None = None) -> None:
        super().__init__(reservations)
        self.races: list[Callable[[], object]] = []
        self.committed: list[Change] = []
        self.attempts = 0

    def commit(self, change: Change) -> None:
        self.attempts += 1
        if self.races:
            self.races.pop(0)()
        super().commit(change)
        self.committed.append(change)


class World:
    """Everything a use case needs. Its sleeps are counted and not slept."""

    def __init__(self, now: datetime = OPENED, gateway: Gateway | None = None) -> None:
        reservations = InMemoryReservations()
        self.book = RacedBook(reservations)
        self.clock = FixedClock(now)
        self.decks = InMemoryDecks()
        self.catalogs = InMemoryCatalogs()
        self.quarantine = InMemoryQuarantine()
        self.sandbox = InMemorySandbox(self.clock)
        self.slept: list[float] = []
        self.change_account = ChangeAccount(self.book, self.clock, self.slept.append)
        self.use_reservations(reservations)
        self.use_gateway(gateway or self.sandbox)

    def use_reservations(
        self, reservations: Reservations, sleep: Callable[[float], None] | None = None
    ) -> None:
        self.reservations = reservations
        self.book.use_reservations(reservations)
        change_holds = ChangeHolds(reservations, sleep or self.slept.append)
        self.settle_reservations = SettleReservations(self.book, self.clock, change_holds)
        read_entitlement = ReadEntitlement(
            book=self.book, catalogs=self.catalogs, members=self.book.members
        )
        tell_exhausted = TellExhausted(reservations, self.clock, self.change_account)
        self.authorise_call = AuthoriseCall(
            book=self.book,
            decks=self.decks,
            clock=self.clock,
            change_holds=change_holds,
            read_entitlement=read_entitlement,
            tell_exhausted=tell_exhausted,
        )
        self.lease_ports = LeasePorts(
            book=self.book,
            clock=self.clock,
            change_holds=change_holds,
            read_entitlement=read_entitlement,
            tell_exhausted=tell_exhausted,
        )
        self.assign_licences = AssignLicences(
            book=self.book,
            change_account=self.change_account,
            read_entitlement=read_entitlement,
            lease_ports=self.lease_ports,
        )
        self.read_licences = ReadLicences(
            book=self.book,
            reservations=reservations,
            clock=self.clock,
            read_entitlement=read_entitlement,
        )
        self.post_usage = PostUsage(
            book=self.book,
            decks=self.decks,
            quarantine=self.quarantine,
            clock=self.clock,
            change_account=self.change_account,
            settle_reservations=self.settle_reservations,
        )

    def use_gateway(self, gateway: Gateway) -> None:
        self.recharges = CollectRecharge(
            book=self.book,
            gateways={"sandbox": gateway},
            clock=self.clock,
            change_account=self.change_account,
        )

    @property
    def account(self) -> Account:
        return self.book.account(ACME)

    @property
    def parked(self) -> list[Parked]:
        return self.quarantine.parked(None, 100)

    @property
    def parked_reasons(self) -> list[str]:
        return sorted(parked.reason for parked in self.parked)

    @property
    def told(self) -> list[str]:
        return [str(event.type) for event in self.book.outbox()]

    def is_recharge_due(self) -> bool:
        return self._is_due(TimerKind.RECHARGE)

    def is_payment_due(self) -> bool:
        """Whether a payment that is open has to be looked after."""
        return self._is_due(TimerKind.PAYMENT)

    def _is_due(self, kind: TimerKind) -> bool:
        return ACME in [timer.account for timer in self.book.due(kind, self.clock.now())]

    def is_proven(self) -> bool:
        return prove(self.account, self.book.entries(self.account)).is_sound

    def open(self, ref: AccountRef = ACME, *, seconds: int = 0, currency: str = "USD") -> Account:
        """Opens the account and its tenant, with so many seconds a month."""
        recurring = (RecurringGrant("minutes", Unit.VOICE_SECONDS, seconds),) if seconds else ()
        now = self.clock.now()
        account = opening.new_account(
            ref,
            currency=currency,
            time_zone="UTC",
            billing_day=1,
            plan=PlanTerms("starter", 1, recurring),
            rate_deck="standard",
            now=now,
        )
        operation = an_operation(ref, "open", now)
        tenant = a_tenant(ref.tenant_id)
        self.book.commit(opening.open_account(account, "Main", operation, tenant, now))
        return self.book.account(ref)

    def upload(
        self,
        csv: str = BY_THE_SECOND,
        *,
        version: int = 1,
        effective_at: datetime = OPENED,
        currency: str = "USD",
    ) -> None:
        table = parse_deck(csv)
        body = serialise_deck(table)
        self.decks.store(
            DeckVersion(
                deck_id="standard",
                version=version,
                currency=currency,
                effective_at=effective_at,
                rounding="up",
                decimals=6,
                digest=deck_digest(body),
                rates=len(table),
                uploaded_at=OPENED,
            ),
            body,
        )

    def credit(self, micros: int, operation_id: str = "credit") -> None:
        self.book.commit(a_credit(self.account, micros, operation_id, self.clock.now()))

    def add_source(self, token: str = SUCCEEDS, source_id: str = "card-1") -> None:
        AddFundingSource(self.book, self.change_account).add(
            ACME,
            NewSource(source_id, "sandbox", token, "Visa ending in 4242"),
            operation_id=f"add {source_id}",
            body_hash="b",
            audit=an_audit_record(operation_id=f"add {source_id}"),
        )

    def set_policy(self, policy: RechargePolicy) -> Account:
        return SetAutoRecharge(self.change_account).set(
            ACME,
            policy,
            seen_etag=policy_etag(self.account.recharging.policy),
            by=By("sub", None),
        )

    def watch(self, token: str = SUCCEEDS, *, currency: str = "USD") -> None:
        """An empty account that recharges to 50 when it falls below 10."""
        self.open(currency=currency)
        self.add_source(token)
        self.set_policy(RechargePolicy(RechargeMode.TARGET, 10 * USD, target_micros=50 * USD))

    def operation(self, operation_id: str) -> Operation:
        found = self.book.operation(ACME, operation_id)
        assert found is not None
        return found


def raising(error: Exception) -> Callable[[], object]:
    def race() -> object:
        raise error

    return race
