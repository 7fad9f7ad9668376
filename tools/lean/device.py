"""The device's own sources made lean: which of them a meter has, and which of those are linked."""

import re
from collections.abc import Iterator
from functools import cache

from tools.device_files import device_files
from tools.lean.leaner import Leaner
from tools.lean.names import Modules

_ORDER = "wattpact_meter.load_order"
_WORD = re.compile(r"\b[a-z_]+\.[a-z0-9_]+\b")


@cache
def leaner(links: bool, machine_code: bool = True) -> Leaner:
    """What makes the sources lean. With links, packages are one module each; with machine code that is sure to run,
    without the portable modules that would take its place."""
    sources = {dotted(name): path.read_text(encoding="utf-8") for name, path in device_files()}
    if not links:
        return Leaner(sources)
    portable = {name for name in sources if name.endswith("_portable") and name[:-9] + "_viper" in sources}
    left_out = portable if machine_code else set()
    order = sources[_ORDER]
    sources = {name: source for name, source in sources.items() if name not in left_out}
    linked = frozenset(_linkable(sources, machine_code))
    sources[_ORDER] = _in_packages(order, linked, left_out)
    return Leaner(sources, linked)


def lean_sources(links: bool, machine_code: bool = True) -> Iterator[tuple[str, str]]:
    """Each file of a device as its name there and its source."""
    whole = leaner(links, machine_code)
    linked = {part for package in whole.links.packages() for part in whole.links.parts(package)}
    for name, _ in device_files():
        if dotted(name) in whole.modules.modules and dotted(name) not in linked:
            yield name, whole.lean(dotted(name))
    for package in whole.links.packages():
        parts = [whole.lean(part) for part in whole.links.parts(package)]
        yield package.replace(".", "/") + "/__init__.py", "\n".join(parts)


def dotted(name: str) -> str:
    """The module that a file is."""
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _linkable(sources: dict[str, str], machine_code: bool) -> Iterator[str]:
    """Modules of packages that every meter loads at its start, whatever it is: none of two that do the same."""
    modules = Modules(sources)
    twins = set()
    for module in modules.modules.values():
        for bound in module.imports:
            places = modules.places(module, bound)
            if len(places) > 1:
                twins |= {base for base, _ in places} | {f"{base}.{name}" for base, name in places}
    loaded = set(_WORD.findall(sources.get(_ORDER, "")))
    for name in sources:
        if name.split(".", 1)[-1] in loaded and name not in twins and (machine_code or not name.endswith("_viper")):
            yield name


def _in_packages(order: str, linked: frozenset[str], left_out: set[str]) -> str:
    """The text of load_order, with the first module of each package that is linked as the package, and no other."""
    named: set[tuple[int, str]] = set()

    def package(found: "re.Match[str]") -> str:
        is_linked = any(name.endswith("." + found[0]) for name in linked)
        if not is_linked and not any(name.endswith("." + found[0]) for name in left_out):
            return found[0]
        root = order.count('"""', 0, found.start())  # each root has a text of its own
        base = found[0].rpartition(".")[0]
        is_new = is_linked and (root, base) not in named
        named.add((root, base))
        return base if is_new else ""

    return _WORD.sub(package, order)
