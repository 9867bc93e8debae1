"""How tests are spread over several processes: file by file, and the local cloud's to one alone.

pytest-xdist 3.8 does this by itself for tests that carry its mark ``xdist_group``, but not under
pytest 9.2: it appends the group to a private part of a test's id, which pytest no longer makes the
id from. Both processes then started a local cloud and deployed to it, and a fixture of a module was
made in each.
"""

import re

from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

CLOUD = re.compile(r"^tests/integration/stack/|\[(.*\b)?cloud\b.*\]$")
"""A test that needs the local cloud says so in its id: where the tests are spread, ids are all
that is known."""


def needs_cloud(node_id: str) -> bool:
    return CLOUD.search(node_id) is not None


class OneCloud(LoadFileScheduling):  # type: ignore[misc] # xdist has no types
    """What needs the cloud is one unit of work; otherwise every file is one."""

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        return "cloud" if needs_cloud(nodeid) else scope
