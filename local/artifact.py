"""Build what Lambda runs: the functions and their pinned dependencies, as one deterministic zip."""

import hashlib
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from local import paths

# The earliest time a zip can hold: equal inputs give equal bytes, whenever they are built.
EPOCH = (1980, 1, 1, 0, 0, 0)
NOT_SHIPPED = {"__pycache__", "requirements.txt", "requirements.in"}
# An edit makes a new archive; a few are kept, because another run may be deploying its own.
ARCHIVES_KEPT = 5


class ArtifactError(Exception):
    """The artifact could not be built."""


def build(python: Path, functions: Path = paths.FUNCTIONS) -> Path:
    """The archive of these functions, with the wheels that fit the interpreter ``python``."""
    packages = dependencies(python, functions / "requirements.txt")
    files = [*_files(packages), *_files(functions)]
    archive = paths.ARTIFACTS / f"functions-{packages.name}-{_digest(_files(functions))}.zip"
    if not archive.exists():
        with tempfile.TemporaryDirectory(dir=paths.ARTIFACTS) as scratch:
            partial = Path(scratch) / "functions.zip"
            _write(partial, files)
            # Atomic, so that parallel runs may build the same archive.
            partial.rename(archive)
        _drop_all_but_newest()
    return archive


def dependencies(python: Path, lock: Path) -> Path:
    """The pinned packages, installed once for each lock file and Python version."""
    into = paths.ARTIFACTS / f"py{_version(python)}-{_digest([(lock.name, lock)])}"
    if into.exists():
        return into
    paths.ARTIFACTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=paths.ARTIFACTS) as scratch:
        partial = Path(scratch) / "packages"
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        command += ["--require-hashes", "--no-compile", "--target", str(partial)]
        command += ["--requirement", str(lock)]
        installed = subprocess.run(command, capture_output=True, text=True, check=False)
        if installed.returncode != 0:
            raise ArtifactError(f"pip could not install {lock}:\n{installed.stderr.strip()}")
        # Console scripts name the interpreter that installed them, and Lambda never runs them.
        shutil.rmtree(partial / "bin", ignore_errors=True)
        try:
            partial.rename(into)
        except OSError:
            # A parallel run was first; its packages are the same.
            if not into.exists():
                raise
    return into


def unpack(archive: Path, into: Path) -> Path:
    with zipfile.ZipFile(archive) as source:
        source.extractall(into)
    return into


def _files(directory: Path) -> list[tuple[str, Path]]:
    return sorted(_shipped(directory))


def _shipped(directory: Path) -> Iterator[tuple[str, Path]]:
    for file in directory.rglob("*"):
        name = file.relative_to(directory)
        if file.is_file() and not NOT_SHIPPED.intersection(name.parts):
            yield name.as_posix(), file


def _write(archive: Path, files: list[tuple[str, Path]]) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        for name, file in files:
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, file.read_bytes())


def _digest(files: list[tuple[str, Path]]) -> str:
    digest = hashlib.sha256()
    for name, file in files:
        digest.update(f"{name}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _version(python: Path) -> str:
    probe = "import sys; print('%d.%d' % sys.version_info[:2])"
    found = subprocess.run([str(python), "-c", probe], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def _drop_all_but_newest() -> None:
    archives = sorted(
        paths.ARTIFACTS.glob("functions-*.zip"), key=lambda zip_: zip_.stat().st_mtime
    )
    for old in archives[:-ARCHIVES_KEPT]:
        old.unlink(missing_ok=True)
