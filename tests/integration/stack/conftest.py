"""The whole stack on the local cloud, with IAM enforced: what a function may not do, it cannot."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local import demo, identities, schedules, seed
from local.api import Api
from local.cloud import LocalCloud
from local.simulate import Simulation

ACCOUNT = "/v1/accounts/default"


@dataclass(frozen=True)
class Stack:
    """Acme and Globex, open for business since an hour ago."""

    cloud: LocalCloud
    outputs: dict[str, str]
    tokens: dict[str, str]

    @property
    def url(self) -> str:
        return self.outputs["ApiUrl"]

    @property
    def webhook_url(self) -> str:
        return f"{self.url}/webhooks/usage/{demo.CONNECTION}"

    def api(self, who: str) -> Api:
        return Api(self.url, self.tokens[who])

    def settle(self) -> None:
        """Wait until every queue is empty and its workers are done."""
        clock = self.cloud.clock
        Simulation(self.cloud.client, self.outputs, clock, self.webhook_url).settle()

    def fire(self, schedule: str) -> Any:
        """Invoke a schedule's own target, and wait for the work it enqueued."""
        answer = schedules.fire(self.cloud.client, self.outputs[schedule])
        self.settle()
        return answer

    def balance(self, who: str = "acme_admin") -> str:
        settled: str = self.api(who).get(ACCOUNT).body["balance"]["settled"]["amount"]
        return settled


@pytest.fixture(scope="session")
def stack(cloud: LocalCloud) -> Stack:
    outputs = dict(cloud.deploy())
    operator_token = identities.sign_in(cloud.client, outputs, identities.OPERATOR)
    opened_at = datetime.now(UTC) - timedelta(hours=1)
    cloud.clock.move_to(opened_at)
    seed.seed(Api(outputs["ApiUrl"], operator_token), opened_at)
    tokens = dict(identities.tokens(cloud.client, outputs, "acme", "globex"))
    stack = Stack(cloud, outputs, tokens)
    seed.prepare_payments({"acme": stack.api("acme_admin"), "globex": stack.api("globex_admin")})
    cloud.clock.set_offset(0)
    return stack
