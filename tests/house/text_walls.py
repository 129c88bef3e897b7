"""Walls around what is committed: no foreign hosts, no machine's paths, locks with hashes, reasons."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from house.tree import Breach, Module, committed, dotted_name

# Written in pieces, so that this file passes its own wall.
_HOSTS = re.compile(
    "|".join(
        re.escape(first + second)
        for first, second in (
            ("registry.npm", "js"), ("npmjs", ".com"), ("npmjs", ".org"), ("registry.yarn", "pkg"),
            ("pypi", ".org"), ("python", "hosted"), ("deb.deb", "ian"), ("crates", ".io"),
        )
    )
)  # fmt: skip
_MACHINE_PATHS = re.compile(
    "|".join(
        re.escape(f"/{folder}/") + rest
        for folder, rest in {
            "work": r"(?:main|steering|shared|\.library|\.mirror)\b",
            "opt": r"(?:pypi|wheels)\b",
            "root": "",
            "farm": "",
            "Users": r"\w",
            "tmp": r"(?:bash_|brief)",
        }.items()
    )
)
_PIN = re.compile(r"^[a-z0-9.-]+(?:\[[a-z0-9,-]+\])?==[^\s;@]+(?: ; [^\\]+)? \\$")
_HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")
_LOCKS = ("dev", "lab", "node", "notify", "run", "weights")
_TEXT_LIMIT_BYTES = 4_000_000


def no_hosts_or_machine_paths(root: Path) -> Iterator[Breach]:
    """Nothing committed names a package registry's host or a path of somebody's machine."""
    for file in committed(root):
        if file.stat().st_size > _TEXT_LIMIT_BYTES:
            yield Breach(file.relative_to(root).as_posix(), "is too large to be committed")
            continue
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        for number, line in enumerate(lines, start=1):
            place = f"{file.relative_to(root).as_posix()}:{number}"
            for pattern in (_HOSTS, _MACHINE_PATHS):
                if found := pattern.search(line):
                    yield Breach(place, f"names {found.group()}")


def locks_have_hashes(root: Path) -> Iterator[Breach]:
    """Every requirement is pinned and hashed, and no line says where it comes from."""
    for name in _LOCKS:
        file = root / "requirements" / f"{name}.txt"
        expects_hash = False
        for number, line in enumerate(file.read_text().splitlines(), start=1):
            place = f"requirements/{name}.txt:{number}"
            if expects_hash and not _HASH.match(line):
                yield Breach(place, f"a requirement without a hash: {line[:60]}")
            elif not expects_hash and not (line.startswith("#") or _PIN.match(line)):
                yield Breach(place, f"neither a pin nor a comment: {line[:60]}")
            expects_hash = line.endswith("\\")


def locks_agree(root: Path) -> Iterator[Breach]:
    """Going from the demo's packages to the tests' adds packages and changes none."""
    widest = _pins(root, "dev")
    for name in ("lab", "notify", "run", "weights"):
        for package, version in _pins(root, name).items():
            if widest.get(package) != version:
                what = f"{package}=={version}, but {widest.get(package)} in dev.txt"
                yield Breach(f"requirements/{name}.txt", what)


def locks_are_current(root: Path) -> Iterator[Breach]:
    """Every dependency that pyproject.toml declares is in its lock."""
    project = tomllib.loads((root / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    run = project["project"]["dependencies"]
    lab = run + project["project"]["optional-dependencies"]["lab"] + groups["build"]
    notify = project["project"]["optional-dependencies"]["notify"]
    weights = project["project"]["optional-dependencies"]["weights"]
    declared = {
        "run": run,
        "notify": run + notify,
        "weights": run + weights,
        "lab": lab,
        "dev": lab + notify + weights + groups["dev"],
        "node": groups["node"],
    }
    for name, requirements in declared.items():
        pins = _pins(root, name)
        for requirement in requirements:
            package = re.split(r"[\[<>=!~ ]", requirement)[0]
            if package not in pins:
                yield Breach(f"requirements/{name}.txt", f"lacks {package}: run make lock")


def _pins(root: Path, name: str) -> dict[str, str]:
    text = (root / "requirements" / f"{name}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9.-]+)(?:\[\S+\])?==(\S+)", text, flags=re.MULTILINE))


def dependencies_have_reasons(root: Path) -> Iterator[Breach]:
    """Every dependency line of pyproject.toml says why it is there."""
    for number, line in enumerate((root / "pyproject.toml").read_text().splitlines(), start=1):
        is_requirement = re.match(r'^    "[A-Za-z][\w.\[\]-]*\s*[<>=!~]=?[^"]*",', line)
        if is_requirement and not re.search(r'",\s*#\s*\S', line):
            yield Breach(f"pyproject.toml:{number}", "a dependency without a reason")


def unique_error_codes(root: Path) -> Iterator[Breach]:
    """Every error has a code of its own, with the letter of its class."""
    module = Module(root / "agent/errors.py", "agent/errors.py")
    owners: dict[str, str] = {}
    letters: dict[str, str] = {}
    for node in module.syntax.body:
        if not isinstance(node, ast.ClassDef) or not (code := _code(node)):
            continue
        parent = dotted_name(node.bases[0]) if node.bases else ""
        if parent == "Exception":
            continue  # the root of the tree is never raised by itself
        if code in owners:
            yield module.breach(node, f"{node.name} has the code {code} of {owners[code]}")
        if letters.setdefault(parent, code[0]) != code[0] and parent in owners.values():
            yield module.breach(node, f"{node.name} has {code}, its class {letters[parent]}…")
        owners[code] = node.name
        letters[node.name] = code[0]


def _code(node: ast.ClassDef) -> str:
    for line in node.body:
        if isinstance(line, ast.Assign) and [dotted_name(t) for t in line.targets] == ["code"]:
            return str(line.value.value) if isinstance(line.value, ast.Constant) else ""
    return ""
