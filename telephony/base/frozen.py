"""`frozen`: the decorator of the small classes that carry what happens. PURE.

A call makes some hundred of them a second. A frozen dataclass sets each field by way of `object.__setattr__`,
at four times the cost of an assignment. Here the type checker prevents changes, and nothing does at run time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """Make it a dataclass with slots, equal and hashable by its fields, which must not be changed."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
