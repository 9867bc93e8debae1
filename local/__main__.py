"""``make run``: the whole of Talktime on this machine, with a month already behind it."""

import argparse
import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta

from local import demo, identities, purchases, sandbox, seed, stack, statement
from local.api import Api, ApiError
from local.cloud import CloudError, LocalCloud
from local.deploy import DeployError, Outputs
from local.environments import MachineError
from local.paths import DATA, ROOT, STACK_FILE
from local.simulate import Played, Simulation, SimulationError

PLAYED_FILE = DATA / "played.json"

EXPECTED = (ApiError, CloudError, DeployError, MachineError, SimulationError)
"""What can go wrong on somebody's machine; each message says what to do."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument(
        "--exit", action="store_true", help="stop after the statement instead of staying up"
    )
    arguments = parser.parse_args()
    # Stopping a service and pressing Ctrl-C mean the same.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with LocalCloud.kept(port=wanted_port()) as cloud:
            is_proven = run(cloud)
            if not arguments.exit:
                stay_up(cloud)
    except KeyboardInterrupt:
        print("\nStopped; everything is kept.")
        return 0
    except EXPECTED as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0 if is_proven else 1


def run(cloud: LocalCloud) -> bool:
    """Deploy, seed, play what has not been played, and print the statement."""
    say(f"local cloud on {cloud.endpoint}, data in {DATA.relative_to(ROOT)}")
    outputs = cloud.deploy()
    say("deployed infra/template.yaml")
    played = Played.load_or_begin(PLAYED_FILE, datetime.now(UTC))
    played.save(PLAYED_FILE)
    is_new = played.until == played.start
    url = outputs["ApiUrl"]
    operator = Api(url, identities.sign_in(cloud.client, outputs, identities.OPERATOR))
    if is_new:
        # The month's own clock, so that the demo's accounts are as old as the month.
        cloud.clock.move_to(played.start - timedelta(minutes=10))
        seed.seed(operator, played.start)
    tokens = identities.tokens(cloud.client, outputs, "acme", "globex")
    admins = {
        "acme": Api(url, tokens["acme_admin"]),
        "globex": Api(url, tokens["globex_admin"]),
    }
    if is_new:
        seed.prepare_payments(admins)
        say("seeded Acme and Globex: plans, deck, connection, funding sources, auto-recharge")
        purchases.make(operator, admins["acme"], Api(url, tokens["acme_service"]))
        say("invited a member of Acme, ordered licences, a bundle and a number, told its storage")
    leave_behind(cloud, outputs, tokens)
    webhook_url = f"{url}/webhooks/usage/{demo.CONNECTION}"
    simulation = Simulation(cloud.client, outputs, cloud.clock, webhook_url)
    if played.until < played.end:
        say(f"playing {demo.SIMULATED_DAYS} days of Acme's calls as signed Twilio webhooks")
        simulation.play(played, lambda now: now.save(PLAYED_FILE))
    else:
        say("the month was played before; its data is kept (`make clean` removes it)")
    month = statement.read(admins["acme"], cloud.client, outputs, played.start)
    print(f"\n{statement.render(month)}")
    show_way_in(url, tokens)
    return statement.is_proven(month)


def leave_behind(cloud: LocalCloud, outputs: Outputs, tokens: identities.Tokens) -> None:
    """Write .local/stack.json for scripts, browsers and tests."""
    url = outputs["ApiUrl"]
    twilio = stack.Connection(demo.CONNECTION, demo.CONNECTION_SECRET)
    stack.write(
        stack.Stack(
            api_url=url,
            portal_url=f"{url}/docs",
            tokens=tokens,
            connections={"twilio": twilio},
            payment_secrets={"sandbox": sandbox.webhook_secret(cloud.client, outputs)},
            outputs=outputs,
            endpoint_url=cloud.endpoint,
        )
    )


def show_way_in(url: str, tokens: identities.Tokens) -> None:
    print(f"API      {url}")
    print(f"Docs     {url}/docs")
    print(f"Tokens   {STACK_FILE.relative_to(ROOT)} holds them: {', '.join(tokens)}")
    print(
        "\nTry      curl -s -H \"Authorization: Bearer $(python3 -c 'import json; "
        f'print(json.load(open("{STACK_FILE.relative_to(ROOT)}"))["tokens"]["acme_admin"])\')" \\\n'
        f"           {url}/v1/accounts/default"
    )


def stay_up(cloud: LocalCloud) -> None:
    """Until Ctrl-C, or until the cloud is gone."""
    print("\nRunning. Ctrl-C stops it and keeps everything.", flush=True)
    while cloud.running:
        time.sleep(1.0)
    raise CloudError(f"The local cloud stopped by itself; see {cloud.log_file}")


def say(line: str) -> None:
    print(f"- {line}", flush=True)


def wanted_port() -> int | None:
    port = os.environ.get("PORT", "")
    if not port:
        return None
    if not port.isdigit() or not 1 <= int(port) <= 65535:
        raise CloudError(f"PORT={port} is not a port")
    return int(port)


if __name__ == "__main__":
    sys.exit(main())
