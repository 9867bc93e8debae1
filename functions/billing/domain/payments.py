"""What a payment is made with, and what its customer may have to do for it."""

from dataclasses import dataclass
from enum import StrEnum

from billing.domain.canonical import Json


class PaymentMethod(StrEnum):
    """How money is collected."""

    CARD = "card"
    UPI = "upi"

    @property
    def is_slow(self) -> bool:
        """Whether a debit without its customer takes a day: its notice comes first (RBI)."""
        return self is PaymentMethod.UPI


@dataclass(frozen=True, slots=True)
class NextAction:
    """What the customer has to do for a payment to happen.

    Args:
        kind: ``upi`` (open the link in an app, or scan the code) or ``redirect``.
        url: The intent link, or the page to go to.
        qr: What the code says, or where its picture is; None where there is none.
    """

    kind: str
    url: str
    qr: str | None = None

    def to_json(self) -> dict[str, Json]:
        return {"type": self.kind, "url": self.url, "qr": self.qr}
