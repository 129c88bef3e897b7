"""Reads a tree of the project for the walls: parsed modules and committed files."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_NOT_OURS = {".git", "__pycache__", "node_modules", "dist"}


@dataclass(frozen=True, slots=True, order=True)
class Breach:
    """One place where a wall is broken."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


@dataclass(frozen=True)
class Module:
    """One Python file of the tree."""

    file: Path
    name: str  # relative to the root, with forward slashes: agent/core/money.py

    @cached_property
    def source(self) -> str:
        return self.file.read_text(encoding="utf-8")

    @cached_property
    def syntax(self) -> ast.Module:
        return _parse(self.source, self.name)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return _nodes(self.source, self.name)

    @property
    def dotted(self) -> str:
        return self.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def package(self) -> str:
        return self.dotted if self.file.name == "__init__.py" else self.dotted.rpartition(".")[0]

    def breach(self, node: ast.AST, what: str) -> Breach:
        return Breach(f"{self.name}:{getattr(node, 'lineno', 1)}", what)

    def is_in(self, *rooms: str) -> bool:
        """Return whether the module is one of these rooms of the package, or inside one."""
        inner = self.dotted.removeprefix("agent.")
        return any(inner == room or inner.startswith(f"{room}.") for room in rooms)

    def imports(self) -> Iterator[tuple[ast.AST, str]]:
        """Yield every imported module, lazy ones too; `from a import b` yields `a` and `a.b`."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield node, alias.name
            elif isinstance(node, ast.ImportFrom):
                source = self._absolute(node)
                yield node, source
                for alias in node.names:
                    yield node, f"{source}.{alias.name}"

    @cached_property
    def _origins(self) -> dict[str, str]:
        """What each imported local name stands for."""
        origins: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                origins |= {a.asname: a.name for a in node.names if a.asname}
            elif isinstance(node, ast.ImportFrom):
                source = self._absolute(node)
                origins |= {a.asname or a.name: f"{source}.{a.name}" for a in node.names}
        return origins

    def resolve(self, node: ast.AST) -> str:
        """Return what `a.b.c` stands for, import aliases undone; empty for anything else."""
        first, dot, rest = dotted_name(node).partition(".")
        return f"{self._origins.get(first, first)}{dot}{rest}"

    def _absolute(self, node: ast.ImportFrom) -> str:
        if node.level == 0:
            return node.module or ""
        base = self.package.split(".")[: len(self.package.split(".")) - node.level + 1]
        return ".".join([*base, *([node.module] if node.module else [])])


# Every wall looks at the same files again, and the same again with one planted breach.
@cache
def _parse(source: str, name: str) -> ast.Module:
    return ast.parse(source, name)


@cache
def _nodes(source: str, name: str) -> list[ast.AST]:
    return list(ast.walk(_parse(source, name)))


def modules(root: Path) -> list[Module]:
    """Return every module of the package under `root`."""
    files = sorted((root / "agent").rglob("*.py"))
    return [Module(file, file.relative_to(root).as_posix()) for file in files]


def committed(root: Path) -> list[Path]:
    """Return the files that are committed or would be, were everything added now."""
    if (root / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=root,
            check=True,
            capture_output=True,
            text=True,
        )
        names = sorted(filter(None, listed.stdout.split("\0")))
        return [file for name in names if (file := root / name).is_file()]
    return sorted(_walk(root))


def _walk(folder: Path) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.is_file():
            yield entry
        elif not (entry.name in _NOT_OURS or (entry / "pyvenv.cfg").exists()):
            yield from _walk(entry)


def dotted_name(node: ast.AST) -> str:
    """Return `a.b.c` for an attribute chain of names, else the empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (base := dotted_name(node.value)):
        return f"{base}.{node.attr}"
    return ""
