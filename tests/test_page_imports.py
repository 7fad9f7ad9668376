"""The page's modules: no circle of imports, of types either, since a reader follows them all; the registry's kinds."""

import re
from pathlib import Path

import pytest
from test_architecture import CHECKOUT, Module, circles
from wattpact_protocol.log import kinds

SOURCES = CHECKOUT / "host" / "web" / "src"
_FROM = re.compile(r"""^\s*(?:import|export)\b[^;"']*?["']\./([^"']+)["']""", re.MULTILINE)


class PageModule(Module):
    """One source file of the page, by its name without an ending; styles are no modules."""

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.loaded = self.imports = set(_FROM.findall(source))


def read_modules(folder: Path) -> list[Module]:
    return [PageModule(path.stem, path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.ts*"))]


def test_no_circles():
    modules = read_modules(SOURCES)
    assert list(circles(modules)) == []
    app = next(module for module in modules if module.name == "app")
    assert {"bill", "hooks", "screen"} <= app.loaded


@pytest.mark.parametrize(
    "source",
    [
        'import { one } from "./a";',
        'import type { One } from "./a";',
        "import {\n  one,\n  two,\n} from './a';",
        'import "./a";',
        'export { one } from "./a";',
    ],
)
def test_every_import_is_seen(source: str):
    modules = [PageModule("a", 'import { two } from "./b";\n'), PageModule("b", f'import x from "preact";\n{source}\n')]
    assert list(circles(modules)) == ["a -> b -> a"]


def listed(name: str) -> list[str]:
    """The strings of a list in the page's state.ts."""
    source = (SOURCES / "state.ts").read_text(encoding="utf-8")
    (found,) = re.findall(rf"const {name}\b[^=]*= [^\[]*\[(.*?)\]", source, re.DOTALL)
    return re.findall(r'"(\w+)"', found)


def test_the_page_lists_the_kinds_of_the_registry():
    assert listed("KINDS") == list(kinds.NAMES.values())
    assert set(listed("ROUTINE")) < set(kinds.NAMES.values())
