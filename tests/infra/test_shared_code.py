"""The local cloud's workers share what is unpacked, and none can take it from another."""

import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.shared_code import sharing


class Workers:
    """Start as MiniStack starts them: each with an archive and an empty directory of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._zipfile = sharing(directory / "shared")
        (directory / "shared").mkdir()

    def start(self, worker: str, **files: str) -> Path:
        code = self._directory / worker / "code"
        code.mkdir(parents=True)
        archive = self._directory / worker / "code.zip"
        with zipfile.ZipFile(archive, "w") as target:
            for name, text in files.items():
                target.writestr(f"package/{name}", text)
        with self._zipfile.ZipFile(archive) as source:
            source.extractall(code)
        return code

    def stop(self, worker: str) -> None:
        shutil.rmtree(self._directory / worker)


@pytest.fixture
def workers(tmp_path: Path) -> Workers:
    return Workers(tmp_path)


def test_workers_of_equal_archives_share_their_files(workers: Workers) -> None:
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda number: workers.start(f"w{number}", a="1"), range(16)))
    assert len({code.resolve() for code in codes}) == 1
    assert {(code / "package" / "a").read_text() for code in codes} == {"1"}
    assert not any((code.parent / "code.zip").exists() for code in codes)


@pytest.mark.parametrize("files", [{"a": "2"}, {"b": "1"}, {"a": "1", "b": "1"}])
def test_workers_of_archives_that_differ_share_nothing(
    workers: Workers, files: dict[str, str]
) -> None:
    one, other = workers.start("w1", a="1"), workers.start("w2", **files)
    assert one.resolve() != other.resolve()
    found = {file.name: file.read_text() for file in other.glob("package/*")}
    assert found == files


def test_a_worker_that_stops_takes_nothing_from_the_others(workers: Workers) -> None:
    workers.start("w1", a="1")
    code = workers.start("w2", a="1")
    workers.stop("w1")
    assert (code / "package" / "a").read_text() == "1"
