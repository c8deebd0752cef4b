"""What differs between two texts, in few lines."""

import time

import pytest

from nodestead.reports.text_changes import text_changes


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("a\nb\nc", "a\nB\nc", ["@@ line 2 @@", " a", "-b", "+B", " c"]),
        ("a\nb", "a\nb\nc", ["@@ line 3 @@", " a", " b", "+c"]),
        ("a\nb\nc", "b\nc", ["@@ line 1 @@", "-a", " b", " c"]),
        ('{"a": 1, "b": 2}', '{"a": 1, "b": 3}', ["@@ line 3 @@", " {", '   "a": 1,', '-  "b": 2', '+  "b": 3', " }"]),
        ("p1,p2,p3", "p1,p3", ["@@ line 2 @@", " p1", "-p2", " p3"]),
        ("same\ntext", "same\ntext", []),
    ],
)
def test_the_difference_of_two_texts(old: str, new: str, lines: list[str]) -> None:
    assert text_changes(old, new)[0] == lines


def test_a_long_difference_is_cut_and_says_how_much() -> None:
    lines, gone, came = text_changes("\n".join(f"a{n}" for n in range(500)), "\n".join(f"b{n}" for n in range(500)), 10)
    assert (len(lines), gone, came) == (10, 500, 500)
    assert lines[-1].startswith("... ")


def test_a_long_line_is_shown_where_it_differs() -> None:
    lines, _, _ = text_changes("x" * 1000 + "old" + "y" * 1000, "x" * 1000 + "new" + "y" * 1000)
    assert any("old" in line for line in lines)
    assert any("new" in line for line in lines)
    assert all(len(line) < 220 for line in lines)


@pytest.mark.parametrize(
    "text", ["line\n" * 30_000, "".join(f"line {n}\n" for n in range(10_000)), "a,b" * 50_000, "x" * 390_000]
)
def test_large_texts_take_no_time(text: str) -> None:
    start = time.perf_counter()
    text_changes(text, text[: len(text) // 2] + "changed\n" + text[len(text) // 3 :])
    assert time.perf_counter() - start < 2
