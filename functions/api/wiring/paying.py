"""Money: who pays, what is collected, what is owed, and the paper for it."""

from functools import cached_property

from api.wiring.ports import Ports
from billing.services.add_funding_source import AddFundingSource
from billing.services.arrange_sources import ArrangeSources
from billing.services.begin_source import BeginSource
from billing.services.bill_account import BillAccount
from billing.services.change_account import ChangeAccount
from billing.services.charge_account import ChargeAccount
from billing.services.collect_recharge import CollectRecharge
from billing.services.confirm_source import ConfirmSource
from billing.services.credit_invoice import CreditInvoice
from billing.services.pay_invoice import PayInvoice
from billing.services.read_documents import ReadDocuments
from billing.services.read_purchases import ReadPurchases
from billing.services.refund_payment import RefundPayment
from billing.services.set_auto_recharge import SetAutoRecharge
from billing.services.set_billing_profile import SetBillingProfile
from billing.services.spends import all_spends


class Paying(Ports):
    """Services that move money, and the readings they share."""

    @cached_property
    def change_account(self) -> ChangeAccount:
        return ChangeAccount(self.book, self.clock)

    @cached_property
    def collect_recharge(self) -> CollectRecharge:
        return CollectRecharge(
            book=self.book,
            gateways=self.gateways,
            clock=self.clock,
            change_account=self.change_account,
            spends=all_spends(self.book, self.catalogs),
        )

    @cached_property
    def refund_payment(self) -> RefundPayment:
        return RefundPayment(
            book=self.book,
            gateways=self.gateways,
            reservations=self.reservations,
            clock=self.clock,
            change_account=self.change_account,
        )

    @cached_property
    def add_funding_source(self) -> AddFundingSource:
        return AddFundingSource(self.book, self.change_account)

    @cached_property
    def begin_source(self) -> BeginSource:
        return BeginSource(
            book=self.book,
            gateways=self.gateways,
            clock=self.clock,
            change_account=self.change_account,
        )

    @cached_property
    def confirm_source(self) -> ConfirmSource:
        return ConfirmSource(
            book=self.book,
            gateways=self.gateways,
            change_account=self.change_account,
            begin_source=self.begin_source,
        )

    @cached_property
    def arrange_sources(self) -> ArrangeSources:
        return ArrangeSources(
            book=self.book, gateways=self.gateways, change_account=self.change_account
        )

    @cached_property
    def set_auto_recharge(self) -> SetAutoRecharge:
        return SetAutoRecharge(self.change_account)

    @cached_property
    def bill_account(self) -> BillAccount:
        return BillAccount(
            book=self.book,
            catalogs=self.catalogs,
            clock=self.clock,
            change_account=self.change_account,
        )

    @cached_property
    def pay_invoice(self) -> PayInvoice:
        return PayInvoice(
            book=self.book,
            catalogs=self.catalogs,
            reservations=self.reservations,
            change_account=self.change_account,
            collect_recharge=self.collect_recharge,
        )

    @cached_property
    def charge_account(self) -> ChargeAccount:
        return ChargeAccount(
            book=self.book, catalogs=self.catalogs, change_account=self.change_account
        )

    @cached_property
    def credit_invoice(self) -> CreditInvoice:
        return CreditInvoice(self.book, self.change_account)

    @cached_property
    def read_documents(self) -> ReadDocuments:
        return ReadDocuments(
            book=self.book, catalogs=self.catalogs, papers=self.papers, printer=self.printer
        )

    @cached_property
    def read_purchases(self) -> ReadPurchases:
        return ReadPurchases(self.book, self.clock)

    @cached_property
    def set_billing_profile(self) -> SetBillingProfile:
        return SetBillingProfile(self.book, self.change_account)
