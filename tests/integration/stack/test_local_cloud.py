"""What the local cloud promises: on loopback alone, told once and kept, its code shared."""

import socket
import time
import urllib.error
import urllib.request

import pytest

from integration.stack.conftest import Stack
from local.cloud import LocalCloud
from local.server import SNAPSHOT_INTERVAL_SECONDS

pytestmark = pytest.mark.cloud

TABLE = {
    "TableName": "kept",
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


def kept(cloud: LocalCloud) -> int:
    count: int = cloud.client("dynamodb").scan(TableName="kept")["Count"]
    return count


def put(cloud: LocalCloud, name: str) -> None:
    cloud.client("dynamodb").put_item(TableName="kept", Item={"pk": {"S": name}})


def test_a_kill_loses_a_few_seconds_and_a_clean_stop_loses_nothing() -> None:
    with LocalCloud.temporary() as cloud:
        cloud.client("dynamodb").create_table(**TABLE)
        put(cloud, "long ago")
        time.sleep(2 * SNAPSHOT_INTERVAL_SECONDS)
        cloud.kill()
        cloud.start()
        assert kept(cloud) == 1
        put(cloud, "just now")
        cloud.halt()
        cloud.start()
        assert kept(cloud) == 2


def test_the_local_cloud_listens_on_loopback_alone() -> None:
    with LocalCloud.temporary() as cloud, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Connecting a datagram socket sends nothing; it tells the address we would be reached at.
        probe.connect(("192.0.2.1", 9))
        outside = probe.getsockname()[0]
        if outside.startswith("127."):
            pytest.skip("this machine has no address but loopback")
        with pytest.raises(OSError, match=r"refused|timed out"):
            socket.create_connection((outside, cloud.port), timeout=2).close()


def test_all_workers_share_one_copy_of_their_code(stack: Stack) -> None:
    # Another function than the API's, which the stack was filled through.
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(stack.webhook_url, b"", timeout=60)
    codes = list((stack.cloud.data / "tmp").glob("ministack-lambda-*/code"))
    assert len(codes) > 1
    assert len({code.resolve() for code in codes}) == 1
