"""Durations in the files of chains: read as people write them, told as Go prints them."""

import pytest

from nodestead.software.go_duration import go_duration


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("0s", "0s"),
        ("1ms", "1ms"),
        ("999ms", "999ms"),
        ("1000ms", "1s"),
        ("1500ms", "1.5s"),
        ("1.5s", "1.5s"),
        ("1.050s", "1.05s"),
        ("60s", "1m0s"),
        ("10m", "10m0s"),
        ("10m0s", "10m0s"),
        ("90m", "1h30m0s"),
        ("1h", "1h0m0s"),
        ("1d", "24h0m0s"),
        ("2w", "336h0m0s"),
        ("168h0m0s", "168h0m0s"),
        ("1m1ms", "1m0.001s"),
    ],
)
def test_a_duration_is_told_as_go_prints_it(written: str, told: str) -> None:
    assert go_duration(written) == told
    assert go_duration(told) == told


@pytest.mark.parametrize("written", ["", "1", "s", "-1s", "1 s", "1.5m", "1us", "1s1m", "1.0001s", "٣s", "5M"])
def test_what_is_no_duration_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write whole numbers with"):
        go_duration(written)


def test_a_duration_that_go_cannot_count_is_refused() -> None:
    assert go_duration("106751d") == "2562024h0m0s"
    with pytest.raises(ValueError, match="longer than the node can count; write at most 106751d"):
        go_duration("106752d")
