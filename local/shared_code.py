"""Lambda's code, unpacked once for all of its workers. Runs on the cloud environment's Python.

MiniStack unpacks a function's archive anew for every worker that it starts. Ours holds 5,500 files
of 80 MB: that takes a second, Python then compiles each module once more, and deleting it all takes
longer than either. AWS gives every execution environment the same files, to be read alone; so does
this. Archives that differ are unpacked apart.
"""

import hashlib
import tempfile
import threading
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

_lock = threading.Lock()


def share(into: Path) -> None:
    """Let MiniStack's workers share what is unpacked below ``into``."""
    from ministack.core import lambda_runtime  # type: ignore[import-not-found]

    lambda_runtime.zipfile = sharing(into.resolve())


def sharing(into: Path) -> ModuleType:
    """The module ``zipfile``, but for one thing: it unpacks equal archives once."""

    class SharedZipFile(zipfile.ZipFile):
        # Any: the members and the password that zipfile knows and MiniStack never names.
        def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:
            assert path is not None
            assert members is None
            assert pwd is None
            target = Path(path)
            target.rmdir()
            target.symlink_to(unpacked(self, into), target_is_directory=True)
            # A copy of 30 MB for each worker, which nothing reads again: before it is on the disk.
            Path(str(self.filename)).unlink()

    module = ModuleType("zipfile")
    module.__dict__.update(vars(zipfile))
    module.ZipFile = SharedZipFile  # type: ignore[attr-defined]
    return module


def unpacked(archive: zipfile.ZipFile, into: Path) -> Path:
    """Where the contents of an archive lie; unpacks them if no equal one has been."""
    found = into / _digest(archive)
    # Workers start on threads of their own, many at once.
    with _lock:
        if not found.exists():
            partial = Path(tempfile.mkdtemp(dir=into))
            zipfile.ZipFile.extractall(archive, partial)
            partial.rename(found)
    return found


def _digest(archive: zipfile.ZipFile) -> str:
    """Of all names and checksums, which the archive lists at its end."""
    digest = hashlib.sha256()
    for entry in archive.infolist():
        digest.update(f"{entry.CRC} {entry.file_size} {entry.filename}\0".encode())
    return digest.hexdigest()[:16]
