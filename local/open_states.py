"""``make states``: open a tenant in each state that an account can be in, on the running stack.

Time is moved for everybody: back by 16 days, and forward again to now in half days, while the
schedules are fired. Whoever was there before is older than that and finds nothing due. Each time
opens tenants of new names, so that it can be stopped and run again.
"""

import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.error import URLError

from local import identities, paths, schedules, stack, states, states_table
from local.api import Api, ApiError
from local.cloud import CloudError, LocalCloud
from local.deploy import Outputs
from local.simulate import Progress, Simulation, SimulationError
from local.twilio import signed_callback

SWEEPS = ("CatchUpSchedule", "RechargeSchedule")

MISSING = "No local stack is running: start it with `make run`, and leave it up."

EXPECTED = (ApiError, CloudError, SimulationError, schedules.ScheduleFailedError)


@dataclass
class LocalStage:
    """The running stack; implements ``states.Stage``."""

    cloud: LocalCloud
    outputs: Outputs
    operator: Api

    def __post_init__(self) -> None:
        self._admins: dict[str, Api] = {}
        clock = self.cloud.clock
        self._simulation = Simulation(self.cloud.client, self.outputs, clock, "")

    def admin(self, tenant: str) -> Api:
        if tenant not in self._admins:
            person = identities.Person(f"{tenant}_admin", "billing-admin", tenant)
            token = identities.sign_in(self.cloud.client, self.outputs, person)
            self._admins[tenant] = Api(self.operator.url, token)
        return self._admins[tenant]

    def now(self) -> datetime:
        return self.cloud.clock.now()

    def move_to(self, moment: datetime) -> None:
        self.cloud.clock.move_to(moment)

    def work(self) -> None:
        self._simulation.settle()
        for name in SWEEPS:
            schedules.fire(self.cloud.client, self.outputs[name])
            self._simulation.settle()

    def post(self, connection: str, secret: str, params: Mapping[str, str]) -> None:
        url = f"{self.operator.url}/webhooks/usage/{connection}"
        headers, body = signed_callback(url, secret, params)
        request = urllib.request.Request(url, body, headers, method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            if answer.status // 100 != 2:
                raise SimulationError(f"a webhook was answered {answer.status}")


def main() -> int:
    try:
        found = running()
        show(found, opened(found))
    except KeyboardInterrupt:
        print("\nStopped; the clock tells real time again. `make states` begins anew.")
        return 1
    except EXPECTED as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


def running() -> stack.Stack:
    """What ``make run`` has left behind, if it still is there.

    Raises:
        CloudError: It is not.
    """
    try:
        found = stack.read()
        with urllib.request.urlopen(f"{found.endpoint_url}/_ministack/ready", timeout=2):
            return found
    except (OSError, URLError) as error:
        raise CloudError(MISSING) from error


def opened(found: stack.Stack) -> dict[str, states.Tenant]:
    """Play the states on the stack. The clock ends where it was, however that went."""
    cloud = LocalCloud.kept()
    operator = Api(
        found.api_url, identities.sign_in(cloud.client, found.outputs, identities.OPERATOR)
    )
    stage = LocalStage(cloud, found.outputs, operator)
    end = datetime.now(UTC)
    progress = Progress(end - states.DAYS * 2 * states.TICK, end, "half days")
    print("- playing 16 days; the clock of the whole stack is moved meanwhile", flush=True)
    ticks = 0

    def told(moment: datetime) -> None:
        nonlocal ticks
        ticks += 1
        progress.show(moment, ticks, 2 * states.DAYS + 1)

    run = f"{end:%d%H%M%S}"
    try:
        tenants = states.play(stage, end, lambda state: f"{state.name}-{run}", told)
    finally:
        cloud.clock.set_offset(0)
    progress.end()
    return tenants


def show(found: stack.Stack, tenants: Mapping[str, states.Tenant]) -> None:
    """Print each state with what its overview says, and leave the tokens in stack.json."""
    shown = [(state, tenants[state.name].overview()) for state in states.STATES]
    print()
    print("\n".join(states_table.table(shown)))
    tokens = dict(found.tokens)
    for state in states.STATES:
        tenant = tenants[state.name]
        admin = tenant.stage.admin(tenant.name)
        assert isinstance(admin, Api)
        tokens[f"{state.name}_admin"] = admin.token
    stack.write(replace(found, tokens=tokens))
    file = paths.STACK_FILE.relative_to(paths.ROOT)
    print(f"\nURL      {found.api_url}/v1/accounts/default")
    print(f"Tokens   {file} holds them: {', '.join(f'{name}_admin' for name in tenants)}")


if __name__ == "__main__":
    sys.exit(main())
