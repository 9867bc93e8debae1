"""What a clock keeps to, and who may move it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from billing.adapters.clock import OffsetFileClock, SystemClock, clock_from
from billing.ports import Clock
from contract.aws import NOON
from fakes.world import FixedClock

A_MOMENT = timedelta(seconds=30)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "clock"
    path.write_text("0\n", encoding="ascii")
    return path


@pytest.fixture(params=["fixed", "system", "offset file"])
def clock(request: pytest.FixtureRequest, file: Path) -> Clock:
    clocks: dict[str, Clock] = {
        "fixed": FixedClock(NOON),
        "system": SystemClock(),
        "offset file": OffsetFileClock(file),
    }
    return clocks[request.param]


def test_now_is_aware_utc(clock: Clock) -> None:
    assert clock.now().tzinfo is UTC


def test_time_does_not_run_backwards(clock: Clock) -> None:
    assert clock.now() <= clock.now()


def test_a_fixed_clock_moves_when_told_to() -> None:
    clock = FixedClock(NOON)
    clock.advance(timedelta(days=1))
    assert clock.now() == NOON + timedelta(days=1)


@pytest.mark.parametrize("offset", [0, 86_400, -86_400])
def test_an_offset_is_added_to_real_time(file: Path, offset: int) -> None:
    file.write_text(str(offset), encoding="ascii")
    expected = datetime.now(UTC) + timedelta(seconds=offset)
    assert abs(OffsetFileClock(file).now() - expected) < A_MOMENT


def test_the_offset_is_read_at_every_call(file: Path) -> None:
    clock = OffsetFileClock(file)
    before = clock.now()
    file.write_text("3600", encoding="ascii")
    assert clock.now() - before >= timedelta(hours=1)


@pytest.mark.parametrize("content", ["", "soon", "1.5"])
def test_a_file_that_holds_no_integer_is_an_error_and_not_real_time(
    file: Path, content: str
) -> None:
    file.write_text(content, encoding="ascii")
    with pytest.raises(ValueError, match="invalid literal"):
        OffsetFileClock(file).now()


def test_a_missing_file_is_an_error_and_not_real_time(file: Path) -> None:
    clock = OffsetFileClock(file)
    file.unlink()
    with pytest.raises(FileNotFoundError):
        clock.now()


def test_without_a_file_time_is_real() -> None:
    assert isinstance(clock_from({"STAGE": "prod"}), SystemClock)
    assert isinstance(clock_from({"STAGE": "local"}), SystemClock)


def test_the_local_stage_may_move_time(file: Path) -> None:
    clock = clock_from({"STAGE": "local", "CLOCK_FILE": str(file)})
    assert isinstance(clock, OffsetFileClock)


@pytest.mark.parametrize("environ", [{}, {"STAGE": ""}, {"STAGE": "prod"}, {"STAGE": "dev"}])
def test_no_other_stage_may_move_time(file: Path, environ: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="CLOCK_FILE"):
        clock_from({**environ, "CLOCK_FILE": str(file)})
