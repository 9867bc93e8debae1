"""An account, its payment gateway, and the webhooks that gateway sends."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from billing.adapters.gateways.sandbox import SandboxGateway
from billing.domain.errors import PaymentNotCreditedError, PaymentUnknownError
from billing.domain.gateway_events import GatewayEvent, GatewayEventKind
from billing.domain.payments import PaymentMethod
from billing.domain.records import OperationState, Recharge, RechargeState
from billing.services.add_funding_source import AddFundingSource, NewSource
from billing.services.begin_source import BeginSource
from billing.services.collect_recharge import RechargeRequest
from billing.services.confirm_source import ConfirmSource
from billing.services.refund_payment import RefundOrder, RefundPayment
from billing.services.take_gateway_event import TakeGatewayEvent, Taken
from builders import ACME, USD, an_audit_record, an_operation
from fakes.world import RecordingWorkQueue
from unit.world import World


class SilentGateway:
    """The sandbox, whose answers are lost while it is told to be silent."""

    name = "sandbox"

    def __init__(self, behind: SandboxGateway) -> None:
        self._behind = behind
        self.is_silent = False

    def __getattr__(self, name: str) -> Any:
        def asked(*args: Any, **kwargs: Any) -> Any:
            answer = getattr(self._behind, name)(*args, **kwargs)
            if self.is_silent:
                raise PaymentUnknownError("the answer was lost")
            return answer

        return asked


class Told(World):
    """An account, and the webhooks of its payment gateway."""

    def __init__(self, *tokens: str, currency: str = "USD") -> None:
        super().__init__()
        self.queue = RecordingWorkQueue()
        self.line: Any = SilentGateway(self.sandbox)
        self.use_gateway(self.line)
        kept: dict[str, Any] = {
            "book": self.book,
            "gateways": {"sandbox": self.line},
            "clock": self.clock,
            "change_account": self.change_account,
        }
        self.refunds = RefundPayment(**kept, reservations=self.reservations)
        self.begin_source = BeginSource(**kept)
        self.webhooks = TakeGatewayEvent(
            book=self.book,
            change_account=self.change_account,
            collect_recharge=self.recharges,
            refund_payment=self.refunds,
            confirm_source=ConfirmSource(
                book=self.book,
                gateways=kept["gateways"],
                change_account=self.change_account,
                begin_source=self.begin_source,
            ),
            queue=self.queue,
        )
        self.open(currency=currency)
        for number, token in enumerate(tokens, 1):
            self.add(token, f"card-{number}")

    def add(self, token: str, source_id: str) -> None:
        is_upi = token.startswith("upi")
        method = PaymentMethod.UPI if is_upi else PaymentMethod.CARD
        AddFundingSource(self.book, self.change_account).add(
            ACME,
            NewSource(source_id, "sandbox", token, token, method),
            operation_id=f"add {source_id}",
            body_hash="b",
            audit=an_audit_record(operation_id=f"add {source_id}"),
        )

    def ask(self, name: str = "asked", **overrides: Any) -> Recharge:
        """An immediate recharge of 20; as it stands once its requester was answered, or not."""
        operation = an_operation(operation_id=name, state=OperationState.PENDING, answer=None)
        request = RechargeRequest(20 * USD, operation, an_audit_record(operation_id=name))
        try:
            return self.recharges.request(ACME, replace(request, **overrides))
        except PaymentUnknownError:
            return self.book.recharge(ACME, self.account.recharging.ordinal)

    def lose(self, name: str = "asked", **overrides: Any) -> Recharge:
        """The same, and the gateway's answer is lost."""
        self.line.is_silent = True
        recharge = self.ask(name, **overrides)
        self.line.is_silent = False
        assert recharge.state is RechargeState.UNKNOWN
        return recharge

    def refund(self, amount_micros: int, name: str = "refund") -> None:
        operation = an_operation(operation_id=name, state=OperationState.PENDING, answer=None)
        order = RefundOrder("sandbox", self.payment_id, amount_micros, operation, None)
        try:
            self.refunds.refund(ACME, order)
        except PaymentUnknownError:
            assert self.line.is_silent

    @property
    def payment_id(self) -> str:
        (charge,) = self.sandbox.captured()
        return charge.payment_id

    @property
    def recharge(self) -> Recharge:
        return self.book.recharge(ACME, self.account.recharging.ordinal)

    def event(self, kind: GatewayEventKind) -> GatewayEvent:
        """The last event of that kind."""
        return [event for event in self.sandbox.events() if event.kind is kind][-1]

    def tell(self, kind: GatewayEventKind, **overrides: Any) -> Taken:
        return self.webhooks.take("sandbox", replace(self.event(kind), **overrides))

    def deliver(self, events: Iterable[GatewayEvent]) -> None:
        """Each until it is taken, as a gateway does that is told to come again."""
        waiting = list(events)
        for _ in range(len(waiting) + 1):
            late = []
            for event in waiting:
                try:
                    self.webhooks.take("sandbox", event)
                except PaymentNotCreditedError:
                    late.append(event)
            waiting = late
        assert not waiting

    def standing(self) -> dict[str, Any]:
        """What must be the same, whatever came first."""
        gateway, payment_id = "sandbox", self.payment_id
        payment = self.book.payment(ACME, gateway, payment_id)
        refunds = self.book.refunds(ACME, gateway, payment_id)
        dispute = self.book.dispute(ACME, gateway, f"{payment_id}_dispute")
        return {
            "wallet": self.account.wallet_micros,
            "refunded": payment.refunded_micros,
            "disputed": payment.disputed_micros,
            "refunds": [(one.number, one.state, one.amount_micros) for one in refunds],
            "dispute": dispute.state if dispute else None,
            "recharge": self.recharge.state,
        }
