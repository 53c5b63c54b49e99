"""A value that must not be shown, and what a message shows in its place."""

from __future__ import annotations

import hmac
from typing import final

MASK = "****"


def mask(value: str) -> str:
    """What may be said of a secret in a message: that there is one, and how long it is."""
    return f"{MASK} ({len(value)} characters)"


@final
class Secret:
    """Text that does not print. Read it with `reveal`, at the place that needs it and nowhere else."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def matches(self, other: str) -> bool:
        """Compares in constant time."""
        return hmac.compare_digest(self._value.encode(), other.encode("utf-8", "surrogatepass"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.matches(other._value)

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a secret is not to be written anywhere")
