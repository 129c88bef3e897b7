"""Walls between rooms that import contracts cannot say."""

import ast
from collections.abc import Iterator
from pathlib import Path

from house.tree import Breach, Module, modules

# What the core may know. Nothing in it reads a file, a clock, the environment or a socket.
CORE_ALLOWED = frozenset({
    "__future__", "abc", "bisect", "collections", "collections.abc", "contextlib", "copy",
    "dataclasses", "datetime", "decimal", "enum", "fractions", "functools", "hashlib", "heapq",
    "itertools", "json", "math", "operator", "re", "string", "types", "typing",
    "_typeshed",  # exists for type checkers only
})  # fmt: skip
PURE_ROOMS = {
    "errors": frozenset({"agent.errors"}),
    "core": frozenset({"agent.core", "agent.errors"}),
    "planning": frozenset({"agent.planning", "agent.core", "agent.errors", "numpy", "highspy"}),
    "weights": frozenset(
        {"agent.weights", "agent.core", "agent.errors", "csv", "warnings", "numpy", "skfolio"}
    ),
    "ports": frozenset(
        {"agent.ports", "agent.provider", "agent.planning", "agent.core", "agent.errors"}
    ),
    "provider": frozenset({"agent.provider", "agent.core", "agent.errors"}),
}
ADAPTER_ROOMS = ("venues", "bridges", "signers", "oracles", "stores")
ADAPTERS = ("chain", *ADAPTER_ROOMS, "sim")
# Where a module may be chosen by name at run time: compose by configuration, cli by command, the
# lab's providers by being there.
DYNAMIC = ("compose", "cli", "lab.providers")
_COMPUTED = {"__import__", "importlib.import_module", "runpy.run_module", "runpy.run_path"}


def pure_rooms(root: Path) -> Iterator[Breach]:
    """The core, planning, weights, ports and errors import from an allow-list only."""
    for module in modules(root):
        for room, own in PURE_ROOMS.items():
            if module.is_in(room):
                yield from _outside(module, own)


def _outside(module: Module, own: frozenset[str]) -> Iterator[Breach]:
    seen = set()
    for node, name in module.imports():
        parent = name.rpartition(".")[0]
        is_name_of_allowed = isinstance(node, ast.ImportFrom) and parent in CORE_ALLOWED
        is_own = any(name == o or name.startswith(f"{o}.") for o in own)
        if name in CORE_ALLOWED or name == "agent" or is_name_of_allowed or is_own:
            continue
        if node not in seen:
            seen.add(node)
            yield module.breach(node, f"{name} is not on the allow-list of this room")


def independent_adapters(root: Path) -> Iterator[Breach]:
    """An adapter never sees another one; shared parts start with an underscore."""
    for module in modules(root):
        for room in ADAPTER_ROOMS:
            if module.is_in(room) and module.dotted != f"agent.{room}":
                yield from _neighbours(module, room)


def _neighbours(module: Module, room: str) -> Iterator[Breach]:
    own = module.dotted.removeprefix(f"agent.{room}.").split(".")[0]
    seen = set()
    for node, name in module.imports():
        inner = name.removeprefix(f"agent.{room}.") if name.startswith(f"agent.{room}.") else ""
        neighbour = inner.split(".")[0]
        if neighbour and neighbour != own and neighbour[0] != "_" and (node, neighbour) not in seen:
            seen.add((node, neighbour))
            yield module.breach(
                node, f"adapter {room}.{own} imports its neighbour {room}.{neighbour}"
            )


def only_compose_knows_adapters(root: Path) -> Iterator[Breach]:
    """Adapters are named by compose alone; everything else gets them as ports."""
    for module in modules(root):
        if module.is_in("compose"):
            continue
        seen = set()
        for node, name in module.imports():
            room = name.split(".")[1] if name.startswith("agent.") else ""
            if room in ADAPTERS and not module.is_in(room) and node not in seen:
                seen.add(node)
                yield module.breach(node, f"only compose may import agent.{room}")


def visible_packages(root: Path) -> Iterator[Breach]:
    """A folder of modules without __init__.py would be invisible to the import contracts."""
    folders = {module.file.parent for module in modules(root)}
    for folder in sorted(folders):
        if not (folder / "__init__.py").exists():
            yield Breach(folder.relative_to(root).as_posix(), "has modules but no __init__.py")


def static_imports(root: Path) -> Iterator[Breach]:
    """Imports by a computed name pass every contract, so only compose and cli may do it."""
    for module in modules(root):
        if module.is_in(*DYNAMIC):
            continue
        for node in module.nodes:
            if isinstance(node, ast.Call) and module.resolve(node.func) in _COMPUTED:
                yield module.breach(node, f"{module.resolve(node.func)} imports by a computed name")
