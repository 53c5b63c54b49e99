"""The decorator of the small classes that carry what happens."""

from __future__ import annotations

import pytest

from telephony.base.frozen import frozen


@frozen
class Point:
    x: int
    y: int = 0


def test_it_is_equal_and_hashable_by_its_fields() -> None:
    assert Point(1) == Point(1, 0) != Point(1, 2) and len({Point(1), Point(1), Point(2)}) == 2


def test_it_has_slots_so_that_a_misspelt_field_is_an_error() -> None:
    with pytest.raises(AttributeError):
        Point(1).z = 3  # type: ignore[attr-defined]
