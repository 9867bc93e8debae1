"""Stripe's own side, as far as we use it: customers, sources, payments, refunds and disputes.

A model with a book of truth and a clock of its own. It behaves as documented, or as captured, and
knows nothing of the adapter: objects are JSON as Stripe writes them.
"""

import copy
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from contract.gateway_beds import Behaviour

Object = dict[str, Any]

APPROVAL = timedelta(minutes=15)
NOTICE = timedelta(hours=25)
"""From a debit under a mandate to its end: announced for a day, then made."""

UPI_BEHAVIOURS = (Behaviour.UPI_SUCCEEDS, Behaviour.UPI_DECLINES)

CARD_ERRORS: dict[Behaviour, Object] = {
    Behaviour.INSUFFICIENT_FUNDS: {"code": "card_declined", "decline_code": "insufficient_funds"},
    Behaviour.EXPIRED_CARD: {"code": "expired_card", "advice_code": "confirm_card_data"},
    Behaviour.STOLEN: {"code": "card_declined", "decline_code": "stolen_card"},
    Behaviour.NEEDS_ACTION: {
        "code": "authentication_required",
        "decline_code": "authentication_required",
    },
}

UPI_DECLINED = {
    "type": "card_error",
    "code": "payment_intent_payment_attempt_failed",
    "decline_code": "insufficient_funds",
}

UPI_EXPIRED = {
    "type": "invalid_request_error",
    "code": "payment_intent_payment_attempt_expired",
}

CANCELABLE = ("requires_action", "requires_confirmation", "requires_payment_method")


class StripeFaultError(Exception):
    """An answer that is an error.

    Args:
        is_kept: Whether the idempotency key is bound to it: not where parameters were wrong, for
            then nothing was begun.
    """

    def __init__(self, status: int, error: Object, *, is_kept: bool = False) -> None:
        super().__init__(error.get("message", ""))
        self.status = status
        self.error = error
        self.is_kept = is_kept


def invalid(
    message: str, parameter: str = "", code: str = "", status: int = 400
) -> StripeFaultError:
    error: Object = {"type": "invalid_request_error", "message": message}
    if parameter:
        error["param"] = parameter
    if code:
        error["code"] = code
    return StripeFaultError(status, error)


class StripeBook:
    """Everything Stripe knows of one account."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.customers: dict[str, Object] = {}
        self.sources: dict[str, Object] = {}
        self.intents: dict[str, Object] = {}
        self.charges: dict[str, Object] = {}
        self.refunds: dict[str, Object] = {}
        self.disputes: dict[str, Object] = {}
        self.setups: dict[str, Object] = {}
        self.events: list[Object] = []
        self._behaviours: dict[str, Behaviour] = {}
        self._revoked: set[str] = set()
        self._due: dict[str, datetime] = {}
        self._count = 0

    def advance(self, by: timedelta) -> None:
        """Let time pass: codes expire, and announced debits are made."""
        self.now += by
        for payment_id, due_at in sorted(self._due.items(), key=lambda item: item[1]):
            if due_at > self.now:
                continue
            del self._due[payment_id]
            intent = self.intents[payment_id]
            if intent["status"] == "processing":
                declines = self._behaviours[intent["payment_method"]] is Behaviour.UPI_DECLINES
                self._fail(intent, UPI_DECLINED) if declines else self._collect(intent)
            elif intent["status"] == "requires_action":
                self._fail(
                    intent,
                    {
                        "type": "invalid_request_error",
                        "code": "payment_intent_payment_attempt_expired",
                    },
                )

    def new(self, prefix: str, kind: str, **fields: Any) -> Object:
        self._count += 1
        created = int(self.now.timestamp())
        return {"id": f"{prefix}_{self._count:06}", "object": kind, "created": created, **fields}

    def tell(self, kind: str, about: Object, before: Object | None = None) -> None:
        """Send an event to whoever listens."""
        data: Object = {"object": copy.deepcopy(about)}
        if before is not None:
            data["previous_attributes"] = before
        self.events.append(self.new("evt", "event", type=kind, data=data, livemode=False))

    def add_customer(self, metadata: Mapping[str, str]) -> Object:
        customer = self.new("cus", "customer", metadata=dict(metadata))
        self.customers[customer["id"]] = customer
        return customer

    def add_source(self, behaviour: Behaviour, customer: str) -> Object:
        """A source of a customer, saved."""
        is_upi = behaviour in UPI_BEHAVIOURS
        source = self.new("pm", "payment_method", customer=customer, metadata={})
        if is_upi:
            source |= {"type": "upi", "upi": {"vpa": "someone@okbank"}}
        else:
            card = {"brand": "visa", "last4": "4242", "exp_month": 2, "exp_year": 2032}
            source |= {"type": "card", "card": card}
        self.sources[source["id"]] = source
        self._behaviours[source["id"]] = behaviour
        return source

    def add_intent(self, fields: Mapping[str, Any]) -> Object:
        """A payment that nobody has confirmed."""
        intent = self.new(
            "pi",
            "payment_intent",
            amount=fields["amount"],
            amount_received=0,
            currency=fields["currency"],
            customer=fields.get("customer"),
            payment_method=fields.get("payment_method"),
            payment_method_types=list(fields["payment_method_types"]),
            metadata=dict(fields.get("metadata", {})),
            cancellation_reason=None,
            last_payment_error=None,
            next_action=None,
            latest_charge=None,
            status="requires_confirmation"
            if fields.get("payment_method")
            else "requires_payment_method",
        )
        intent["client_secret"] = f"{intent['id']}_secret"
        self.intents[intent["id"]] = intent
        self.tell("payment_intent.created", intent)
        return intent

    def confirm(self, intent: Object) -> None:
        """Try to collect without the customer, or ask the one who is there.

        Raises:
            StripeFaultError: 402, or a mandate that has ended. The payment stays, not paid.
        """
        token = intent["payment_method"]
        if token is None:
            self._ask_customer(intent)
            return
        if token in self._revoked:
            error = {
                "type": "invalid_request_error",
                "code": "payment_intent_mandate_invalid",
                "message": "The mandate is no longer valid.",
            }
            self._fail(intent, error)
            raise StripeFaultError(400, error | {"payment_intent": intent}, is_kept=True)
        behaviour = self._behaviours[token]
        if behaviour in UPI_BEHAVIOURS:
            intent["status"] = "processing"
            self._due[intent["id"]] = self.now + NOTICE
            self.tell("payment_intent.processing", intent)
        elif behaviour is Behaviour.SUCCEEDS:
            self._collect(intent)
        else:
            error = {"type": "card_error", "message": "Declined.", **CARD_ERRORS[behaviour]}
            self._fail(intent, error)
            raise StripeFaultError(402, error | {"payment_intent": intent}, is_kept=True)

    def _ask_customer(self, intent: Object) -> None:
        expires_at = self.now + APPROVAL
        page = f"https://payments.stripe.com/upi/instructions/{intent['id']}"
        intent["status"] = "requires_action"
        intent["next_action"] = {
            "type": "upi_handle_redirect_or_display_qr_code",
            "upi_handle_redirect_or_display_qr_code": {
                "hosted_instructions_url": page,
                "qr_code": {
                    "expires_at": int(expires_at.timestamp()),
                    "image_url_png": f"{page}.png",
                    "image_url_svg": f"{page}.svg",
                },
            },
        }
        self._due[intent["id"]] = expires_at
        self.tell("payment_intent.requires_action", intent)

    def _collect(self, intent: Object) -> None:
        charge = self.new(
            "ch",
            "charge",
            amount=intent["amount"],
            amount_refunded=0,
            currency=intent["currency"],
            disputed=False,
            metadata=dict(intent["metadata"]),
            payment_intent=intent["id"],
        )
        self.charges[charge["id"]] = charge
        intent |= {
            "status": "succeeded",
            "amount_received": intent["amount"],
            "last_payment_error": None,
            "latest_charge": charge["id"],
            "next_action": None,
        }
        self.tell("charge.succeeded", charge)
        self.tell("payment_intent.succeeded", intent)

    def _fail(self, intent: Object, error: Object) -> None:
        intent |= {
            "status": "requires_payment_method",
            "last_payment_error": dict(error),
            "next_action": None,
            "payment_method": None,
        }
        self.tell("payment_intent.payment_failed", intent)

    def cancel(self, intent: Object) -> None:
        if intent["status"] not in CANCELABLE:
            raise invalid(
                f"You cannot cancel this PaymentIntent because it has a status of"
                f" {intent['status']}.",
                code="payment_intent_unexpected_state",
            )
        intent |= {"status": "canceled", "next_action": None}
        self.tell("payment_intent.canceled", intent)

    def approve(self, payment_id: str) -> None:
        intent = self.intents[payment_id]
        if intent["status"] == "requires_action":
            self._collect(intent)

    def abandon(self, payment_id: str) -> None:
        intent = self.intents[payment_id]
        if intent["status"] == "requires_action":
            error = {"type": "card_error", "code": "payment_method_customer_decline"}
            self._fail(intent, error)

    def charge_of(self, payment_id: str) -> Object | None:
        intent = self.intents.get(payment_id)
        return None if intent is None else self.charges.get(intent["latest_charge"])

    def add_refund(self, payment_id: str, amount: int, metadata: Mapping[str, str]) -> Object:
        """Give back a part of a payment.

        Raises:
            StripeFaultError: There is not so much left, or the payment is disputed.
        """
        charge = self.charge_of(payment_id)
        if payment_id not in self.intents:
            raise invalid("No such payment_intent", "payment_intent", "resource_missing", 404)
        if charge is None:
            raise invalid("This PaymentIntent has no successful charge.", "payment_intent")
        if charge["disputed"]:
            raise invalid("The charge is disputed.", code="charge_disputed")
        left = charge["amount"] - charge["amount_refunded"]
        if left == 0:
            raise invalid("Charge has already been refunded.", code="charge_already_refunded")
        if amount > left:
            raise invalid("Refund amount is greater than unrefunded amount on charge.", "amount")
        refund = self.new(
            "re",
            "refund",
            amount=amount,
            charge=charge["id"],
            currency=charge["currency"],
            metadata=dict(metadata),
            payment_intent=payment_id,
            status="succeeded",
        )
        self.refunds[refund["id"]] = refund
        charge["amount_refunded"] += amount
        self.tell("refund.created", refund)
        self.tell("charge.refunded", charge)
        return refund

    def fail_refund(self, refund_id: str) -> None:
        refund = self.refunds[refund_id]
        refund |= {"status": "failed", "failure_reason": "expired_or_canceled_card"}
        self.charges[refund["charge"]]["amount_refunded"] -= refund["amount"]
        for kind in ("refund.failed", "refund.updated", "charge.refund.updated"):
            self.tell(kind, refund)

    def add_dispute(self, payment_id: str, status: str = "needs_response") -> Object:
        charge = self.charge_of(payment_id)
        assert charge is not None
        charge["disputed"] = True
        dispute = self.new(
            "dp",
            "dispute",
            amount=charge["amount"],
            charge=charge["id"],
            currency=charge["currency"],
            metadata={},
            payment_intent=payment_id,
            reason="fraudulent",
            status=status,
        )
        self.disputes[dispute["id"]] = dispute
        self.tell("charge.dispute.created", dispute)
        return dispute

    def close_dispute(self, dispute_id: str, status: str) -> None:
        dispute = self.disputes[dispute_id]
        dispute["status"] = status
        self.tell("charge.dispute.closed", dispute)

    def escalate(self, dispute_id: str) -> None:
        """An inquiry becomes a dispute."""
        dispute = self.disputes[dispute_id]
        before = {"status": dispute["status"]}
        dispute["status"] = "needs_response"
        self.tell("charge.dispute.updated", dispute, before)

    def add_setup(self, fields: Mapping[str, Any]) -> Object:
        setup = self.new(
            "seti",
            "setup_intent",
            customer=fields.get("customer"),
            cancellation_reason=None,
            last_setup_error=None,
            metadata=dict(fields.get("metadata", {})),
            payment_method=None,
            payment_method_options=fields.get("payment_method_options", {}),
            payment_method_types=list(fields["payment_method_types"]),
            status="requires_payment_method",
            usage=fields.get("usage"),
        )
        setup["client_secret"] = f"{setup['id']}_secret"
        self.setups[setup["id"]] = setup
        return setup

    def finish_setup(self, setup_id: str, behaviour: Behaviour | None) -> None:
        """The customer fills in the hosted fields; None: in vain."""
        setup = self.setups[setup_id]
        if behaviour is None:
            setup["last_setup_error"] = {
                "type": "invalid_request_error",
                "code": "setup_intent_authentication_failure",
            }
            self.tell("setup_intent.setup_failed", setup)
            return
        source = self.add_source(behaviour, setup["customer"])
        setup |= {"status": "succeeded", "payment_method": source["id"], "last_setup_error": None}
        self.tell("setup_intent.succeeded", setup)

    def detach(self, source: Object) -> None:
        before = {"customer": source["customer"]}
        source["customer"] = None
        self.tell("payment_method.detached", source, before)

    def revoke(self, token: str) -> None:
        """The customer ends the mandate at their bank; of a card, it is let go of."""
        source = self.sources[token]
        if source["type"] != "upi":
            self.detach(source)
            return
        self._revoked.add(token)
        mandate = self.new("mandate", "mandate", payment_method=token, status="inactive")
        self.tell("mandate.updated", mandate, {"status": "active"})
