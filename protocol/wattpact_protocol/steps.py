"""Long work in steps: a generator that gives way by yielding nothing, and whose value, in StopIteration, is the result.

Whoever drives it decides what is done between two steps. Closed in between, it has done the steps so far and no more.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any, TypeVar

    T = TypeVar("T")


def finish(steps: "Generator[None, None, T]") -> "T":
    """All that is left of it, in one go: the result."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result


def in_one(function: "Callable[..., T]") -> "Callable[..., Generator[None, None, T]]":
    """A function that does not give way, as one that is driven in steps."""

    def steps(*arguments: "Any") -> "Generator[None, None, T]":
        yield
        return function(*arguments)

    return steps
