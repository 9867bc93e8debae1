"""Receipts of payments: one for each, whatever the money was for."""

from billing.domain.account import Account
from billing.domain.documents import DocumentNumbers, Receipt, receipted
from billing.domain.effects import Effect, Spend
from billing.domain.payments import PaymentMethod
from billing.domain.receipting import with_receipt
from billing.domain.recharging import RechargeReason
from billing.domain.records import Attempt, Recharge, RechargeState
from builders import ACME, NOON, USD, an_account

NUMBERS = DocumentNumbers(ACME, invoices=4, receipts=7)
PAYMENT = ("stripe", "pi_1")
RECHARGE = Recharge(
    account=ACME,
    ordinal=1,
    amount_micros=25 * USD,
    currency="USD",
    reason=RechargeReason.REQUESTED,
    state=RechargeState.PENDING,
    started_at=NOON,
    attempts=(Attempt(1, "card-1", "stripe", PaymentMethod.CARD, "key", NOON),),
)


def after(spend: Spend | None) -> Effect:
    return with_receipt(spend, RECHARGE, PAYMENT, NUMBERS, "Visa", NOON)(an_account())


def receipts(effect: Effect) -> list[Receipt]:
    return [one for one in effect.records if isinstance(one, Receipt)]


def test_money_that_fills_the_wallet_has_a_receipt_of_its_own() -> None:
    effect = after(None)
    (receipt,) = receipts(effect)
    assert (receipt.number, receipt.amount_micros, receipt.invoice) == (8, 25 * USD, None)
    assert (receipt.gateway, receipt.payment_id, receipt.source_label) == (*PAYMENT, "Visa")
    assert receipt.cause == "main/payment/stripe/pi_1"
    assert DocumentNumbers(ACME, invoices=4, receipts=8) in effect.records
    assert effect.account == an_account()


def test_what_was_paid_for_has_written_one_already() -> None:
    def spend(account: Account) -> Effect:
        numbers, receipt = receipted(
            NUMBERS, amount_micros=1, currency="USD", cause="c", now=NOON, invoice=4
        )
        return Effect(account, records=(numbers, receipt))

    assert after(spend) == spend(an_account())


def test_money_that_could_not_be_spent_has_one_and_no_number_is_lost() -> None:
    def refused(account: Account) -> Effect:
        credited = DocumentNumbers(ACME, invoices=4, credit_notes=1, receipts=7)
        return Effect(account, records=(credited,), is_refused=True)

    effect = after(refused)
    assert effect.is_refused
    assert [one.number for one in receipts(effect)] == [8]
    numbers = [one for one in effect.records if isinstance(one, DocumentNumbers)]
    assert numbers == [DocumentNumbers(ACME, invoices=4, credit_notes=1, receipts=8)]
