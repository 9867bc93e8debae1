"""A small world with phone numbers: a plan, number types, a card, and workers that renew."""

from dataclasses import replace
from datetime import datetime, timedelta

from billing.domain.audit import By
from billing.domain.authorising import CallWanted
from billing.domain.catalog import Catalog, Plan
from billing.domain.collecting_steps import effect_change
from billing.domain.covering import Destination
from billing.domain.documents import Invoice, LineKind
from billing.domain.effects import Effect
from billing.domain.numbers import NumberState, PhoneNumber
from billing.domain.records import OperationState, PurposeKind, TimerKind
from billing.domain.selling import NumberRule, NumberType, Price
from billing.domain.units import Direction, Unit
from billing.services.bill_account import BillAccount
from billing.services.collect_recharge import CollectRecharge, RechargeRequest
from billing.services.manage_numbers import ManageNumbers, NumberPayment
from billing.services.renew_numbers import RenewNumbers
from billing.services.spend_numbers import SpendNumbers
from builders import ACME, USD, an_operation
from unit.world import OPENED, World

FEE = 3 * USD
RULE = NumberRule(grace_days=5, notice_days=(3, 1))
LOCAL = NumberType(
    "local",
    "Local number",
    ("voice", "sms"),
    up_front=Price((("USD", USD),)),
    recurring=Price((("USD", FEE),)),
)
STARTER = Plan("starter", "Starter")
CATALOG = Catalog("2026-01", {"starter": STARTER}, number_types={"local": LOCAL}, number_rule=RULE)
OPERATOR = By("operator", None)
FIRST = "+14155550100"


class NumberWorld(World):
    """The account holds no number yet; the wallet is empty, and one card is saved."""

    def __init__(self, catalog: Catalog = CATALOG, now: datetime = OPENED) -> None:
        super().__init__(now)
        self.catalogs.save(catalog, 0)
        self.recharges = CollectRecharge(
            book=self.book,
            gateways={"sandbox": self.sandbox},
            clock=self.clock,
            change_account=self.change_account,
            spends={PurposeKind.NUMBERS: SpendNumbers(self.book, self.catalogs)},
        )
        self.bills = BillAccount(
            book=self.book,
            catalogs=self.catalogs,
            clock=self.clock,
            change_account=self.change_account,
        )
        self.renewer = RenewNumbers(
            book=self.book,
            catalogs=self.catalogs,
            reservations=self.reservations,
            change_account=self.change_account,
            gateways={"sandbox"},
            collect_recharge=self.recharges,
        )
        self.numbers = ManageNumbers(
            book=self.book,
            catalogs=self.catalogs,
            reservations=self.reservations,
            change_account=self.change_account,
            collect_recharge=self.recharges,
        )
        self.asked = 0

    def holds(self, e164: str = FIRST, **overrides: object) -> PhoneNumber:
        """The account is given a number, as an order would."""
        number = PhoneNumber(
            account=ACME,
            e164=e164,
            type_id="local",
            capabilities=("voice",),
            state=NumberState.PENDING,
            is_auto_pay=True,
            catalog_version=1,
            ordered_at=self.clock.now(),
        )
        number = replace(number, **overrides)  # type: ignore[arg-type]  # fields by their names
        account = self.account
        operation = replace(
            an_operation(ACME, f"order {e164} {account.version}", self.clock.now()),
            state=OperationState.SUCCEEDED,
        )
        effect = Effect(account, records=(number,), numbers_claimed=(e164,))
        self.book.commit(effect_change(account, effect, operation=operation, now=self.clock.now()))
        return number

    def number(self, e164: str = FIRST) -> PhoneNumber:
        found = self.book.thing(ACME, PhoneNumber, e164)
        assert found is not None
        return found

    def work(self) -> None:
        """What the workers do once the timers have called them."""
        self.bills.bill(ACME)
        self.renewer.renew(ACME)

    def until(self, at: datetime) -> None:
        self.clock.advance(at - self.clock.now())
        self.work()

    def turn(self) -> None:
        """The account's period turns, and the workers do what that brings."""
        self.until(self.account.period.end_at)

    def top_up(self, amount_micros: int) -> None:
        """Somebody fills the wallet at once."""
        operation = replace(
            an_operation(ACME, "top up", self.clock.now()), state=OperationState.PENDING
        )
        self.recharges.request(ACME, RechargeRequest(amount_micros, operation, None))

    def pay(self, e164: str = FIRST, *, source: str | None = None) -> None:
        self.asked += 1
        operation = replace(
            an_operation(ACME, f"pay {self.asked}", self.clock.now()),
            state=OperationState.PENDING,
        )
        self.numbers.pay(
            ACME,
            NumberPayment(
                e164, operation, OPERATOR, is_from_wallet=source is None, source_id=source
            ),
        )

    def billing_due_at(self) -> datetime | None:
        """When the workers are called next, beside the turns of periods."""
        end_of_time = self.clock.now() + timedelta(days=3_660)
        timers = self.book.due(TimerKind.BILLING, end_of_time)
        return next((timer.due_at for timer in timers if timer.account == ACME), None)

    def authorise_for(self, seconds: int) -> None:
        """A call of so many seconds is about to begin."""
        to = Destination(Unit.VOICE_SECONDS, Direction.OUTBOUND, "+14155550199")
        self.authorise_call.authorise(ACME, CallWanted("call", to, seconds))

    @property
    def invoices(self) -> list[Invoice]:
        return self.book.things(ACME, Invoice)

    @property
    def billed(self) -> list[tuple[str, datetime]]:
        """Every renewal that was charged: which number, on which invoice's day."""
        return [
            (line.what, invoice.issued_at)
            for invoice in self.invoices
            for line in invoice.lines
            if line.kind is LineKind.NUMBER
        ]
