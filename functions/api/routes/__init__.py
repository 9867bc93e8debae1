"""The table of all endpoints. What is not in it is not served, and not described."""

from api.endpoint import Endpoint
from api.routes import (
    accounts,
    auto_recharge,
    catalog,
    connections,
    corrections,
    deck_versions,
    funding_sources,
    ledger,
    meta,
    operations,
    quarantine,
    rate_decks,
    recharges,
    rerating,
    tenants,
    usage,
    usage_events,
    usage_summary,
)

ENDPOINTS: tuple[Endpoint, ...] = (
    *catalog.ENDPOINTS,
    *rate_decks.ENDPOINTS,
    *deck_versions.ENDPOINTS,
    *tenants.ENDPOINTS,
    *connections.ENDPOINTS,
    *quarantine.ENDPOINTS,
    *accounts.ENDPOINTS,
    *ledger.ENDPOINTS,
    *usage.ENDPOINTS,
    *usage_events.ENDPOINTS,
    *usage_summary.ENDPOINTS,
    *corrections.ENDPOINTS,
    *rerating.ENDPOINTS,
    *auto_recharge.ENDPOINTS,
    *recharges.ENDPOINTS,
    *operations.ENDPOINTS,
    *funding_sources.ENDPOINTS,
    *meta.endpoints(lambda: ENDPOINTS),
)
