"""Every payment gateway there is: one line for each."""

from collections.abc import Callable, Mapping

from billing.adapters.gateways.sandbox import NAME as SANDBOX
from billing.adapters.gateways.sandbox import SandboxGateway
from billing.adapters.gateways.sandbox_table import TableSandboxBook
from billing.adapters.gateways.sandbox_webhooks import SandboxWebhooks
from billing.adapters.gateways.stripe import StripeGateway
from billing.adapters.gateways.stripe_webhooks import StripeWebhooks
from billing.ports import Clock, Gateway, GatewayWebhooks

WEBHOOKS: Mapping[str, GatewayWebhooks] = {
    dialect.name: dialect for dialect in (SandboxWebhooks(), StripeWebhooks())
}


def gateways(
    *, in_use: str, sandbox_table: str, stripe_key: Callable[[], str], clock: Clock
) -> dict[str, Gateway]:
    """Those that may collect, by name: a saved source keeps its own.

    The sandbox is there only where it is in use. Beside a gateway that moves money, whoever saved
    one of its test tokens would be given credit for nothing.

    Args:
        in_use: Which one saves new sources in this deployment.
    """
    found: list[Gateway] = [StripeGateway(stripe_key)]
    if in_use == SANDBOX:
        found.append(SandboxGateway(TableSandboxBook(sandbox_table), clock))
    return {gateway.name: gateway for gateway in found}
