"""Walls that keep the code readable: sizes, names, docstrings."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from house.tree import Breach, Module, modules

FILE_LINES = 400
FUNCTION_LINES = 60
P90_LINES = 30  # measured on the codebases that style.md names as models: 24 to 31

BANNED = {
    "util", "utils", "helper", "helpers", "common", "manager", "managers",
    "handler", "handlers", "service", "services", "data", "info",
}  # fmt: skip
_BANNED_FUNCTION = re.compile(r"_*(process|do)_[a-z]")  # do_GET is what http.server asks for
_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SENTENCE_GOES_ON = re.compile(r"[.!?]\s+[A-Z]")

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def _functions(module: Module) -> Iterator[_Function]:
    return (n for n in module.nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def _length(function: _Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def short_files(root: Path) -> Iterator[Breach]:
    """A file has at most 400 lines."""
    for module in modules(root):
        lines = len(module.source.splitlines())
        if lines > FILE_LINES:
            yield Breach(module.name, f"{lines} lines, at most {FILE_LINES}")


def short_functions(root: Path) -> Iterator[Breach]:
    """A function has at most 60 lines."""
    for module in modules(root):
        for function in _functions(module):
            if _length(function) > FUNCTION_LINES:
                what = f"{function.name} has {_length(function)} lines, at most {FUNCTION_LINES}"
                yield module.breach(function, what)


def mostly_short_functions(root: Path) -> Iterator[Breach]:
    """Nine of ten functions have fewer than 30 lines."""
    lengths = sorted(_length(f) for module in modules(root) for f in _functions(module))
    p90 = lengths[len(lengths) * 9 // 10] if lengths else 0
    if p90 >= P90_LINES:
        yield Breach(
            "agent", f"the 90th percentile of function lengths is {p90}, under {P90_LINES}"
        )


def telling_names(root: Path) -> Iterator[Breach]:
    """No name that could stand for anything."""
    for module in modules(root):
        for part in module.dotted.split("."):
            for word in _words(part) & BANNED:
                yield Breach(module.name, f"the name {part} says nothing: {word}")
        for node in module.nodes:
            if isinstance(node, ast.ClassDef):
                for word in _words(node.name) & BANNED:
                    yield module.breach(node, f"the name {node.name} says nothing: {word}")
        for function in _functions(module):
            if _BANNED_FUNCTION.match(function.name) or function.name in BANNED:
                yield module.breach(function, f"the name {function.name} says nothing")


def _words(name: str) -> set[str]:
    return {word.lower() for part in name.split("_") for word in _CAMEL.findall(part)}


def one_sentence_docstrings(root: Path) -> Iterator[Breach]:
    """A module says in one sentence what it is; sources and units may follow in paragraphs."""
    for module in modules(root):
        docstring = ast.get_docstring(module.syntax) or ""
        first = docstring.partition("\n\n")[0]
        if not first:
            yield Breach(module.name, "has no docstring")
        elif not first.rstrip().endswith((".", "?", "!")):
            yield Breach(module.name, "the docstring is not a sentence")
        elif _SENTENCE_GOES_ON.search(first):
            yield Breach(module.name, "the docstring opens with more than one sentence")
