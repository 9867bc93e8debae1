"""What the gateway contract asks of a bed's gateway, and what it counts afterwards."""

from collections.abc import Mapping
from datetime import timedelta

from billing.domain.payments import PaymentMethod
from billing.ports import Captured, ChargeRequest, RefundRequest, SetupRequest, SourceSaved
from contract.gateway_beds import Behaviour, Capability, GatewayBed, Truth

METADATA = {"tenant": "acme", "account": "main", "recharge": "1"}
CHARGE_KEY = "charge:acme/main/1/1"
REFUND_KEY = "refund:acme/main/1/1"
SETUP_KEY = "setup:acme/main/1"

KEY_GONE = timedelta(hours=25)
"""By then no gateway keeps a key any longer."""

UPI_BEHAVIOURS = (Behaviour.UPI_SUCCEEDS, Behaviour.UPI_DECLINES)

NEEDS = {
    Behaviour.INSUFFICIENT_FUNDS: Capability.DECLINE_CODES,
    Behaviour.EXPIRED_CARD: Capability.EXPIRED_CARD,
    Behaviour.STOLEN: Capability.STOLEN,
    Behaviour.NEEDS_ACTION: Capability.NEEDS_ACTION,
    Behaviour.UPI_SUCCEEDS: Capability.UPI,
    Behaviour.UPI_DECLINES: Capability.UPI,
}


def asking(
    bed: GatewayBed, behaviour: Behaviour = Behaviour.SUCCEEDS, key: str = CHARGE_KEY
) -> ChargeRequest:
    """25.00 of a saved source: dollars from a card, rupees under a mandate."""
    is_upi = behaviour in UPI_BEHAVIOURS
    return ChargeRequest(
        idempotency_key=key,
        amount_minor=2_500,
        currency="INR" if is_upi else "USD",
        source_token=bed.token(behaviour),
        metadata=METADATA,
        asked_at=bed.now(),
        customer_token=bed.customer,
        method=PaymentMethod.UPI if is_upi else PaymentMethod.CARD,
    )


def asking_once(bed: GatewayBed, key: str = CHARGE_KEY) -> ChargeRequest:
    """25.00 rupees that the customer approves, with nothing saved."""
    return ChargeRequest(
        idempotency_key=key,
        amount_minor=2_500,
        currency="INR",
        source_token=None,
        metadata=METADATA,
        asked_at=bed.now(),
        customer_token=bed.customer,
        method=PaymentMethod.UPI,
    )


def asking_from(bed: GatewayBed, source: SourceSaved, key: str = CHARGE_KEY) -> ChargeRequest:
    """25.00 of a source that was saved here, without its customer."""
    return ChargeRequest(
        idempotency_key=key,
        amount_minor=2_500,
        currency="INR" if source.method is PaymentMethod.UPI else "USD",
        source_token=source.token,
        metadata=METADATA,
        asked_at=bed.now(),
        customer_token=source.customer_token,
        method=source.method,
    )


def refunding(
    bed: GatewayBed, payment_id: str, amount_minor: int = 2_500, key: str = REFUND_KEY
) -> RefundRequest:
    return RefundRequest(
        idempotency_key=key,
        payment_id=payment_id,
        amount_minor=amount_minor,
        currency="USD",
        metadata={**METADATA, "refund": key},
        asked_at=bed.now(),
    )


def saving(
    bed: GatewayBed, method: PaymentMethod = PaymentMethod.CARD, key: str = SETUP_KEY
) -> SetupRequest:
    is_upi = method is PaymentMethod.UPI
    return SetupRequest(
        idempotency_key=key,
        method=method,
        currency="INR" if is_upi else "USD",
        limit_minor=1_500_000 if is_upi else None,
        metadata={"tenant": "acme", "account": "main", "setup": key},
        customer_token=bed.customer,
    )


def captured(bed: GatewayBed, key: str = CHARGE_KEY) -> str:
    """A payment that is captured; its id."""
    answer = bed.gateway.charge(asking(bed, key=key))
    assert isinstance(answer, Captured), answer
    return answer.payment_id


def saved(
    bed: GatewayBed, method: PaymentMethod = PaymentMethod.CARD, key: str = SETUP_KEY
) -> SourceSaved:
    """A source that its customer has saved."""
    setup = bed.gateway.begin_setup(saving(bed, method, key))
    bed.finish_setup(setup.setup_id, method)
    found = bed.gateway.find_setup(setup.setup_id)
    assert isinstance(found, SourceSaved), found
    return found


def amounts(bed: GatewayBed) -> list[int]:
    return [truth.amount_minor for truth in bed.captured()]


def refunded(bed: GatewayBed) -> list[int]:
    return [truth.refunded_minor for truth in bed.captured()]


def says(metadata: Mapping[str, str]) -> bool:
    """Whether what came back holds what we had said; a gateway may add to it."""
    return METADATA.items() <= metadata.items()


def the_truth(bed: GatewayBed) -> Truth:
    (truth,) = bed.captured()
    return truth
