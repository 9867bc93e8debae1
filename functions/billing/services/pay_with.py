"""Who pays for what somebody asked for: the wallet, or one payment of just that amount."""

from dataclasses import dataclass

from billing.domain.errors import InvalidInputError
from billing.domain.records import AuditRecord, Operation
from billing.services.collect_recharge import RechargeRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class PayWith:
    """A request to pay says who does: one of three.

    Args:
        is_from_wallet: The wallet pays.
        source_id: This funding source does.
        one_off: A gateway the customer pays through once, with nothing saved.
    """

    is_from_wallet: bool = False
    source_id: str | None = None
    one_off: str | None = None

    def payment(
        self, amount_micros: int, operation: Operation, audit: AuditRecord | None
    ) -> RechargeRequest:
        """The payment to ask for, where the wallet does not pay.

        Raises:
            InvalidInputError: Nobody is named who pays.
        """
        if self.source_id is None and self.one_off is None:
            raise InvalidInputError("say who pays what is due", field="pay_with")
        return RechargeRequest(
            amount_micros, operation, audit, source_id=self.source_id, one_off=self.one_off
        )
