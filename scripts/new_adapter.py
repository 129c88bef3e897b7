"""Begin a venue or a bridge of a provider: one file, and a list of what it still lacks.

python scripts/new_adapter.py NAME [--bridge]
python scripts/new_adapter.py NAME [--bridge] --missing    what it lacks, and nothing else
"""

import argparse
import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

METHODS = {
    "venues": ("layouts", "targets", "survey", "quote"),
    "bridges": ("layouts", "targets", "survey", "quote", "track", "find", "rehearse"),
}
"""What each port asks of an adapter."""

_NAME = re.compile(r"[a-z][a-z0-9_]{1,30}")

_SHARED = '''\
"""{Title}: say in one sentence what it is, and how its calls are bound to what was asked.

Name the documents that requests, answers, errors and functions are taken from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

{imports}
ABOUT = About(title="{Title}", key="none", calls=1, seconds=1)

LAYOUTS = by_selector()
"""Field maps of the functions that it calls: none is known yet, so the guard refuses all of them.
Only functions that name recipient, tokens, amount and minimum are worth one."""


class {Class}:
    """Implements the {Port} port."""

    name = "{name}"

    def __init__(self, options: ProviderOptions, io: AdapterIo) -> None:
        self._options = options
        self._io = io

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """Field maps of its calls."""
        return LAYOUTS

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """The contracts that are called and may spend, with the code that they must have."""
        raise NotImplementedError("known.pinned(known.address(...)) of self._options.chains[chain]")

'''

_VENUE = '''\
    def survey(
        self, chain: ChainId, pairs: Sequence[tuple[Token, Token]], sizes: Mapping[Token, int]
    ) -> tuple[Edge, ...]:
        """Indicative edges, or none where each would be a question to its server."""
        raise NotImplementedError("an empty tuple is an honest answer")

    def quote(self, leg: Leg, sell_raw: int, account: Address, min_out: int, now: int) -> Quote:
        """A firm quote to sell exactly *sell_raw*; `agent/venues/oneinch.py` shows the way."""
        raise NotImplementedError("ask, compare with what was asked, and build the quote")
'''

_BRIDGE = '''\
    def survey(
        self, routes: Sequence[tuple[Token, Token]], sizes: Mapping[Token, int]
    ) -> tuple[Edge, ...]:
        """Indicative edges of those *routes* that it serves; raises nothing."""
        raise NotImplementedError("what it cannot tell honestly is no edge")

    def quote(self, leg: Leg, sell_raw: int, account: Address, min_out: int, now: int) -> Quote:
        """A firm quote to send exactly *sell_raw*; `agent/bridges/cctp.py` shows the way."""
        raise NotImplementedError("build the deposit that guarantees its minimum")

    def track(self, leg: Leg, deposit: Receipt, sold_raw: int, claims: int, now: int) -> Track:
        """Where the money is, by both chains; what it waits for, or the claim that it needs."""
        raise NotImplementedError("read the chains, never the count of claims alone")

    def find(self, account: Address, since: Mapping[ChainId, int]) -> tuple[Transfer, ...]:
        """Transfers of *account* that have not arrived, from chain logs alone."""
        raise NotImplementedError("logs of the wallet's deposits, less those that arrived")

    def rehearse(self, leg: Leg, deposit: Receipt, account: Address) -> Delivery | None:
        """What delivers a deposit on a fork; None when nothing is needed."""
        raise NotImplementedError("calls that anybody may send there")
'''

_END = '''

def make(options: ProviderOptions, io: AdapterIo) -> {Class}:
    """{Title}; nothing is asked yet."""
    return {Class}(options, io)
'''

_VENUE_IMPORTS = """\
from agent.core.layout import Layout
from agent.core.market import Edge
from agent.core.money import Address, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Quote
from agent.ports import AdapterIo
from agent.provider import About, ProviderOptions
from agent.wire.calldata import by_selector
"""

_BRIDGE_IMPORTS = """\
from agent.core.intent import Receipt
from agent.core.layout import Layout
from agent.core.market import Edge
from agent.core.money import Address, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Quote
from agent.ports import AdapterIo, Delivery, Track, Transfer
from agent.provider import About, ProviderOptions
from agent.wire.calldata import by_selector
"""


def written(name: str, room: str) -> str:
    """The file of a new adapter."""
    title = name.replace("_", " ").title()
    imports, port = (_VENUE_IMPORTS, _VENUE) if room == "venues" else (_BRIDGE_IMPORTS, _BRIDGE)
    text = _SHARED + port + _END
    for key, value in (
        ("{imports}", imports),
        ("{Title}", title),
        ("{Class}", title.replace(" ", "")),
        ("{Port}", "Venue" if room == "venues" else "Bridge"),
        ("{name}", name),
    ):
        text = text.replace(key, value)
    return text


def missing(name: str, room: str, root: Path = ROOT) -> list[str]:
    """What a provider's adapter lacks before anybody should trust it, a sentence each."""
    file = root / "agent" / room / f"{name}.py"
    if not file.is_file():
        return [f"agent/{room}/{name}.py is not there"]
    return [*_of_code(file, name, room), *_of_facts(name, root), *_of_tests(name, room, root)]


def _of_code(file: Path, name: str, room: str) -> Iterator[str]:
    where = f"agent/{room}/{name}.py"
    tree = ast.parse(file.read_text(encoding="utf-8"))
    top = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    if "ABOUT" not in top:
        yield f"{where}: no ABOUT = About(title, key, calls, seconds)"
    if not any(isinstance(node, ast.FunctionDef) and node.name == "make" for node in tree.body):
        yield f"{where}: no make(options, io)"
    layouts = top.get("LAYOUTS")
    if isinstance(layouts, ast.Call) and not layouts.args:
        yield f"{where}: LAYOUTS is empty, so the guard understands none of its calls"
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    functions = {
        node.name: node for one in classes for node in one.body if isinstance(node, ast.FunctionDef)
    }
    for method in METHODS[room]:
        if method not in functions:
            yield f"{where}: {method} is not there"
        elif "NotImplementedError" in ast.unparse(functions[method]):
            yield f"{where}: {method} is not written"


def _of_facts(name: str, root: Path) -> Iterator[str]:
    facts = tomllib.loads((root / "chains.toml").read_text(encoding="utf-8"))
    chains = [table for table in facts["chains"].values() if name in table.get("providers", {})]
    if not chains:
        yield f'chains.toml: no chain has a table [chains."eip155:N".providers.{name}]'
    asks = "options.api" in "".join(
        file.read_text(encoding="utf-8")
        for room in METHODS
        for file in (root / "agent" / room).glob(f"*{name}*.py")
    )
    if name not in facts.get("providers", {}) and asks:
        yield f"chains.toml: no [providers.{name}] says where its server is"


def _of_tests(name: str, room: str, root: Path) -> Iterator[str]:
    desk = root / "agent" / "lab" / "providers" / f"{name}.py"
    if not desk.is_file():
        yield f"agent/lab/providers/{name}.py: nothing stands in for it on local chains"
    if not any((root / "tests").rglob(f"*{name}*")):
        yield f"tests: no file of its own, such as tests/{room}/test_{name}.py"
    rigs = (root / "tests" / "conformance", root / "tests")
    if not any(name in file.read_text(encoding="utf-8") for at in rigs for file in at.glob("*.py")):
        yield f"tests/conformance: no rig brings it into the suite of the {room} port"
    document = root / "docs" / "providers.md"
    if not (document.is_file() and name in document.read_text(encoding="utf-8")):
        yield "docs/providers.md: no row of it; scripts/providers_doc.py writes the document"


def main(arguments: list[str]) -> int:
    """Write the file, unless it is there; print what it lacks. 1 while it lacks anything."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name")
    parser.add_argument("--bridge", action="store_true")
    parser.add_argument("--missing", action="store_true")
    parser.add_argument("--root", type=Path, default=ROOT)
    asked = parser.parse_args(arguments)
    if not _NAME.fullmatch(asked.name):
        parser.error("a name is small letters, digits and _: it becomes the module's name")
    room = "bridges" if asked.bridge else "venues"
    file = asked.root / "agent" / room / f"{asked.name}.py"
    if not asked.missing:
        if file.exists():
            parser.error(f"{file} is there already; --missing says what it lacks")
        file.write_text(written(asked.name, room), encoding="utf-8")
        print(f"agent/{room}/{asked.name}.py is written; nothing else has to be touched to load it")
    lacks = missing(asked.name, room, asked.root)
    print(
        "\n".join(
            ["it lacks:", *(f"  {each}" for each in lacks)] if lacks else ["it lacks nothing"]
        )
    )
    return 1 if lacks else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
