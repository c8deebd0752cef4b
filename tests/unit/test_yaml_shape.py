"""What the shape of a YAML text may be."""

import pytest
import yaml

from nodestead.config.yaml_shape import refuse_shape


def bomb(levels: int, width: int = 10) -> str:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * width)}]" for level in range(1, levels + 1)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (bomb(9), "its references \\(\\*\\) make more than 1,000,000 values of it"),
        ("[" * 101 + "]" * 101, "nested deeper than 100 levels"),
    ],
    ids=["references to references", "brackets"],
)
def test_a_text_that_grows_or_nests_without_end_is_refused_at_once(text: str, said: str) -> None:
    with pytest.raises(yaml.MarkedYAMLError, match=said):
        refuse_shape(text, 100)


@pytest.mark.parametrize("text", [bomb(4), "a: &a {b: 1}\nc: *a", "[" * 100 + "]" * 100, "", "a: *nowhere"])
def test_usual_references_and_depths_pass(text: str) -> None:
    refuse_shape(text, 100)


def test_a_text_in_which_references_have_no_place() -> None:
    with pytest.raises(yaml.MarkedYAMLError, match="has no place here"):
        refuse_shape("a: &a 1\nb: *a", 100, references=False)
