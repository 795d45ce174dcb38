"""Time and memory of a piece of work."""

import sys
import time

import numpy as np
import pytest

from medloom.meter import Measured, measured


def test_time_is_that_of_the_work_inside() -> None:
    with measured() as result:
        assert result == Measured()
        time.sleep(0.05)
    assert 0.05 <= result.seconds < 5


def test_memory_is_in_mebibytes() -> None:
    with measured() as result:
        block = np.ones(100 * 2**20, dtype=np.uint8)
        del block
    assert 100 < result.peak_rss_mb < 100_000


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux can reset its high-water mark")
def test_memory_of_earlier_work_is_not_counted() -> None:
    with measured() as big:
        block = np.ones(300 * 2**20, dtype=np.uint8)
        del block
    with measured() as small:
        pass
    assert small.peak_rss_mb < big.peak_rss_mb - 200


def test_failed_work_is_measured_too() -> None:
    with pytest.raises(ZeroDivisionError), measured() as result:
        raise ZeroDivisionError
    assert result.peak_rss_mb > 0
    assert result.seconds > 0
