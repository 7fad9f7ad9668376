"""What only a start needs: a module that is loaded, used, and let go, so that a collection frees it."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def once(name: str) -> "Any":
    """The module of that name, for one use: who keeps neither it nor anything of it lets it go."""
    __import__(name)
    module = sys.modules.pop(name)
    package, _, last = name.rpartition(".")
    delattr(sys.modules[package], last)
    return module
