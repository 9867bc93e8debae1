"""Everything the routes work with, put together from the ports: by bootstrap, and by tests."""

from functools import cached_property

from api.wiring.ports import Settings
from api.wiring.using import Using
from billing.services.change_members import ChangeMembers
from billing.services.estimate_minutes import EstimateMinutes
from billing.services.list_audit import ListAudit
from billing.services.open_account import OpenAccount
from billing.services.read_accounts import ReadAccounts
from billing.services.read_overview import ReadOverview
from billing.services.redeliver_webhook import RedeliverWebhook
from billing.services.save_webhook_endpoints import SaveWebhookEndpoints
from billing.services.set_alerts import SetAlerts

__all__ = ["Settings", "Talktime"]


class Talktime(Using):
    """The ports, and the services over them."""

    @cached_property
    def open_account(self) -> OpenAccount:
        return OpenAccount(self.book, self.catalogs, self.clock, self.bill_account)

    @cached_property
    def read_accounts(self) -> ReadAccounts:
        return ReadAccounts(self.directory, self.book, self.reservations, self.clock)

    @cached_property
    def read_overview(self) -> ReadOverview:
        return ReadOverview(
            book=self.book,
            catalogs=self.catalogs,
            reservations=self.reservations,
            clock=self.clock,
            read_subscription=self.read_subscription,
            list_numbers=self.list_numbers,
            estimate_minutes=EstimateMinutes(self.summaries),
        )

    @cached_property
    def change_members(self) -> ChangeMembers:
        return ChangeMembers(
            members=self.members,
            book=self.book,
            catalogs=self.catalogs,
            change_account=self.change_account,
        )

    @cached_property
    def list_audit(self) -> ListAudit:
        return ListAudit(self.book, self.audit_trail, self.clock)

    @cached_property
    def set_alerts(self) -> SetAlerts:
        return SetAlerts(self.change_account)

    @cached_property
    def save_webhook_endpoints(self) -> SaveWebhookEndpoints:
        return SaveWebhookEndpoints(self.webhook_endpoints, self.clock, is_local=self.is_local)

    @cached_property
    def redeliver_webhook(self) -> RedeliverWebhook:
        return RedeliverWebhook(self.webhook_deliveries, self.clock)
