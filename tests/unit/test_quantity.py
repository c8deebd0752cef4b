"""One grammar of Kubernetes quantities, for fields of the library and for pieces of the Kubernetes API."""

from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from nodestead.config.fragments import Fragment
from nodestead.config.quantity import quantity_amount, quantity_bytes
from nodestead.config.scalars import Quantity

RESOURCES = TypeAdapter[Any](Annotated[dict[str, Any], Fragment("ResourceRequirements")])
FIELD = TypeAdapter[str](Quantity)


@pytest.mark.parametrize(
    ("quantity", "size"),
    [
        ("0", 0),
        ("1", 1),
        ("1k", 1000),
        ("1Ki", 1024),
        ("20Gi", 21474836480),
        ("500M", 500_000_000),
        ("1.5Gi", 1610612736),
        ("1500m", 1),
        ("999m", 0),
        ("2Ti", 2199023255552),
        ("1E", 10**18),
        ("1E3", 1000),
        ("1e-1", 0),
        ("2000u", 0),
    ],
)
def test_a_quantity_is_so_many_bytes(quantity: str, size: int) -> None:
    assert quantity_bytes(quantity) == size


@pytest.mark.parametrize("text", ["0", "20Gi", "1.5Gi", "250m", "1e3", "1E-2", "+1", ".5", "5.", "9n", "3u"])
def test_a_quantity_of_a_fragment_is_one_of_a_field(text: str) -> None:
    assert quantity_amount(text) is not None
    assert RESOURCES.validate_python({"limits": {"cpu": text}}) == {"limits": {"cpu": text}}
    assert FIELD.validate_python(text) == text


@pytest.mark.parametrize("text", ["", "-1", "1 Gi", "1gi", "20GB", "Gi", ".", "1e", "1e3Gi", "1e100", "1_000"])
def test_what_is_no_quantity_of_a_fragment_is_none_of_a_field_and_the_same_is_said(text: str) -> None:
    said = f"{text!r} is not a Kubernetes quantity; write a number and a unit, as in 20Gi, 500M or 250m"
    for adapter, value in ((RESOURCES, {"limits": {"cpu": text}}), (FIELD, text)):
        with pytest.raises(ValidationError) as caught:
            adapter.validate_python(value)
        assert said in caught.value.errors()[0]["msg"]


def test_a_number_too_long_to_read_is_not_repeated() -> None:
    with pytest.raises(ValueError, match=r"^the value is not a Kubernetes quantity"):
        quantity_bytes("1" * 81 + "GB")
