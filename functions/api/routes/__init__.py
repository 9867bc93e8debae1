"""The table of all endpoints. What is not in it is not served, and not described."""

from api.endpoint import Endpoint
from api.routes import (
    accounts,
    auto_recharge,
    catalog,
    connections,
    funding_sources,
    ledger,
    meta,
    operations,
    quarantine,
    rate_decks,
    recharges,
    tenants,
    usage,
)

ENDPOINTS: tuple[Endpoint, ...] = (
    *catalog.ENDPOINTS,
    *rate_decks.ENDPOINTS,
    *tenants.ENDPOINTS,
    *connections.ENDPOINTS,
    *quarantine.ENDPOINTS,
    *accounts.ENDPOINTS,
    *ledger.ENDPOINTS,
    *usage.ENDPOINTS,
    *auto_recharge.ENDPOINTS,
    *recharges.ENDPOINTS,
    *operations.ENDPOINTS,
    *funding_sources.ENDPOINTS,
    *meta.endpoints(lambda: ENDPOINTS),
)
