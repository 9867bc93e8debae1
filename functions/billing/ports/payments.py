"""Payment gateways."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """What a gateway is asked to collect.

    Args:
        idempotency_key: Derived from the saga; repeated, it can never charge twice.
        amount_minor: Whole minor units.
        source_token: The gateway's own token.
    """

    idempotency_key: str
    amount_minor: int
    currency: str
    source_token: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Captured:
    """The gateway has the money."""

    payment_id: str


@dataclass(frozen=True, slots=True)
class Declined:
    """The gateway definitely did not, and will not under this key."""

    code: str


class Gateway(Protocol):
    """Collects payments. Only its own word makes a payment known."""

    name: str

    def charge(self, request: ChargeRequest) -> Captured | Declined:
        """Collect once per idempotency key; the same key again answers the same.

        Raises:
            PaymentUnknownError: It did not answer; it may have charged.
        """
        ...

    def find(self, idempotency_key: str) -> Captured | Declined | None:
        """What became of that key; None: the gateway never charged under it and no longer will.

        Raises:
            PaymentUnknownError: It did not answer.
        """
        ...
