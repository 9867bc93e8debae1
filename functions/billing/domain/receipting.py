"""Receipts for money that stays in the wallet: every payment that is collected has one.

Source of the rules: docs/documents.md, "Receipts".
"""

from datetime import datetime

from billing.domain.account import Account
from billing.domain.documents import DocumentNumbers, Receipt, receipted
from billing.domain.effects import Effect, Spend
from billing.domain.records import Recharge


def with_receipt(
    spend: Spend | None,
    recharge: Recharge,
    payment: tuple[str, str],
    numbers: DocumentNumbers,
    source_label: str,
    now: datetime,
) -> Spend:
    """What a payment is spent on, and the receipt that it leaves where nothing else wrote one.

    Args:
        spend: None: the payment fills the wallet.
        payment: The gateway's name and its id of the payment.
        numbers: What has been issued so far.
        source_label: What the customer calls the source; empty: it has no name here.
    """
    gateway, payment_id = payment

    def spent(account: Account) -> Effect:
        effect = spend(account) if spend else Effect(account)
        if any(isinstance(one, Receipt) for one in effect.records):
            return effect
        written = [one for one in effect.records if isinstance(one, DocumentNumbers)]
        after, receipt = receipted(
            written[-1] if written else numbers,
            amount_micros=recharge.amount_micros,
            currency=recharge.currency,
            cause=f"{account.ref.account_id}/payment/{gateway}/{payment_id}",
            now=now,
            payment=payment,
            source_label=source_label,
        )
        return effect.then(Effect(effect.account, records=(after, receipt)))

    return spent
