"""What a gateway's signed webhook says, whichever gateway it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from billing.domain.declines import DeclineGroup


class GatewayEventKind(StrEnum):
    """What happened at the gateway."""

    CAPTURED = "captured"
    DECLINED = "declined"
    PROCESSING = "processing"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"
    DISPUTED = "disputed"
    DISPUTE_WON = "dispute_won"
    DISPUTE_LOST = "dispute_lost"
    SOURCE_SAVED = "source_saved"
    SOURCE_FAILED = "source_failed"
    SOURCE_REVOKED = "source_revoked"


@dataclass(frozen=True, slots=True)
class GatewayEvent:
    """One fact, told at least once and in no particular order.

    Args:
        event_id: The gateway's own id of the event.
        occurred_at: Aware UTC.
        payment_id: Of all but setups.
        amount_minor: Captured: the whole payment. Disputed: what is disputed.
        refunded_total_minor: Refunded: everything given back of the payment so far, a running
            total; None: not said.
        metadata: What we had said of the payment, the refund or the setup; empty: it is not ours.
        reference: The refund's, the dispute's or the setup's own id; the token of a revoked source.
        code: Why, of a decline, a dispute or a failure.
    """

    event_id: str
    kind: GatewayEventKind
    occurred_at: datetime
    payment_id: str = ""
    amount_minor: int = 0
    currency: str = ""
    refunded_total_minor: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    reference: str = ""
    code: str = ""
    group: DeclineGroup = DeclineGroup.RETRY_LATER
