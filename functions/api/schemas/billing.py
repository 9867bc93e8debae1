"""One-off charges, contracts, and what is paid of an invoice by hand."""

from typing import Annotated, Any, Literal

from pydantic import Field

from api.schemas.base import Acceptance, Day, Id, MoneyIn, MoneyOut, Name, Schema
from api.schemas.orders import OrderPayWith
from api.schemas.recharges import RechargeOut
from billing.domain.canonical import canonical_json
from billing.domain.charging import MOST_CHARGES
from billing.domain.contracting import MOST_UNITS
from billing.domain.subscription import Contract, UnitCommitment
from billing.services.set_contract import ContractView


class InvoicePayIn(Schema):
    """Who pays the whole of an open invoice: the ``wallet``; a saved ``source``; or ``upi``, once,
    approved in an app."""

    pay_with: OrderPayWith
    acceptance: Acceptance | None = None


class InvoicePaymentOut(Schema):
    """An invoice that was paid. ``recharge`` is the payment that paid it; null: the wallet did."""

    invoice: int
    amount: MoneyOut
    recharge: RechargeOut | None

    @staticmethod
    def recorded(invoice: int, answer: Any) -> "InvoicePaymentOut":
        """As it was kept with the operation."""
        if "recharge" not in answer:
            amount = MoneyOut.model_validate(answer["amount"])
            return InvoicePaymentOut(invoice=invoice, amount=amount, recharge=None)
        recharge = RechargeOut.recorded(answer)
        return InvoicePaymentOut(invoice=invoice, amount=recharge.amount, recharge=recharge)


class ChargeIn(Schema):
    """One line: what for, how much without tax, and by which of the catalogue's rates it is taxed;
    by none where it is left out."""

    text: Name
    amount: MoneyIn
    tax: Id | None = None


class ChargesIn(Schema):
    """One-off lines. ``now`` raises an invoice, which is collected at once; ``next`` puts them on
    the one that the next period brings."""

    lines: Annotated[list[ChargeIn], Field(min_length=1, max_length=MOST_CHARGES)]
    invoice: Literal["now", "next"] = "now"


class ChargeOut(Schema):
    """One line as it is charged."""

    text: str
    amount: MoneyOut
    tax: MoneyOut


class ChargesOut(Schema):
    """What was charged. ``invoice`` is null where the lines wait for the next one."""

    invoice: int | None
    total: MoneyOut
    lines: list[ChargeOut]

    @staticmethod
    def recorded(answer: Any) -> "ChargesOut":
        """As it was kept with the operation."""
        return ChargesOut.model_validate_json(canonical_json(answer))


Commitment = Literal["period", "contract"]


class ContractIn(Schema):
    """What is agreed on beyond the catalogue, from ``starts_on`` up to, and not including,
    ``ends_on``. A kind that ``minimums`` does not name keeps the catalogue's. Under ``contract``,
    units that are added cannot be reduced before it ends. ``now``: what is missing of the minimums
    is added and charged at once; otherwise they count from the next term on."""

    starts_on: Day
    ends_on: Day
    minimums: dict[Id, Annotated[int, Field(ge=0, le=MOST_UNITS)]] = {}
    unit_commitment: Commitment = "period"
    now: bool = False

    def contract(self) -> Contract:
        return Contract(
            self.starts_on,
            self.ends_on,
            tuple(sorted(self.minimums.items())),
            UnitCommitment(self.unit_commitment),
        )


class ContractOut(Schema):
    """The contract; all of it is null where there is none. ``billed_at_least`` says today's minimum
    of every kind that the plan sells, by the contract or by the catalogue."""

    starts_on: Day | None
    ends_on: Day | None
    minimums: dict[str, int] | None
    unit_commitment: Commitment | None
    billed_at_least: dict[str, int]

    @staticmethod
    def of(view: ContractView) -> "ContractOut":
        contract = view.contract
        return ContractOut(
            starts_on=contract.starts_on if contract else None,
            ends_on=contract.ends_on if contract else None,
            minimums=dict(contract.minimums) if contract else None,
            unit_commitment=contract.unit_commitment.value if contract else None,
            billed_at_least=dict(view.minimums),
        )
