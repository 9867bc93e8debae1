"""A tenant's URLs, as the API takes them: what can only be wrong is refused, nothing is kept."""

from integration.api.client import ACME, ADMIN, seeded
from integration.api.test_isolation import HOOKS
from unit.adapters.ssrf_corpus import ALLOWED_URLS, PRIVATE_ADDRESSES, REFUSED_URLS

PATH = "/v1/accounts/main/webhook-endpoints"


def test_no_url_that_leads_inside_is_kept() -> None:
    world = seeded()
    written = (
        f"https://{at}/" if ":" not in at else f"https://[{at}]/" for at in PRIVATE_ADDRESSES
    )
    for url in (*REFUSED_URLS, *written, *(url.replace("https", "http") for url in ALLOWED_URLS)):
        body = {"endpoints": [*HOOKS["endpoints"], {"url": url, "events": ["*"]}]}
        found = world.call("PUT", PATH, body, token=ADMIN, headers={"If-Match": '"0"'})
        assert (found.status, found.code) == (422, "invalid_input"), url
        assert found.body["errors"][0]["pointer"].startswith("/endpoints/1/url"), url
    assert world.webhook_endpoints.get(ACME).endpoints == ()
