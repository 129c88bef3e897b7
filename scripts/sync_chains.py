"""Compare chains.toml with what the npm package viem knows of each chain, or take it over.

python scripts/sync_chains.py [--check] [--file CHAINS] [--tarball VIEM]

Compared are name, coin, its decimals, Multicall3 and explorer. Without --check differing values
are replaced in the file; review the change and its sources like any other. With --check nothing
is written, and the end is 1 when something differs. The package's version and hash are in
scripts/npm.toml.
"""

import argparse
import io
import re
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from agent import resources
from agent.core.money import Address
from agent.errors import AgentError
from agent.settings import ChainFacts, find_paths, load_chains_only
from agent.settings.toml_file import TomlFile, read_toml
from agent.wire.address import checksum
from scripts.npm_packages import pin, tarball

DEFINITIONS = "_esm/chains/definitions/"

_STRING = r"['\"]([^'\"]*)['\"]"
_PATTERNS = {
    "name": re.compile(rf"^\s*name: {_STRING},", re.MULTILINE),
    "symbol": re.compile(rf"nativeCurrency: \{{[^}}]*symbol: {_STRING}"),
    "decimals": re.compile(r"nativeCurrency: \{[^}]*decimals: ([0-9_]+)"),
    "multicall3": re.compile(rf"multicall3: \{{\s*address: {_STRING}"),
    "explorer": re.compile(rf"blockExplorers: \{{\s*default: \{{[^}}]*url: {_STRING}"),
}
_ID = re.compile(r"^ {4}id: ([0-9_]+),", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that the package has otherwise; *key* is its path in the file."""

    key: tuple[str, ...]
    ours: str
    theirs: str


def definitions(package: bytes) -> dict[int, dict[str, str]]:
    """What the package's files say of each chain: texts by key, absent ones left out.

    A file may define variants of its chain below it: the first definition counts.
    """
    found: dict[int, dict[str, str]] = {}
    with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as archive:
        for member in archive:
            inside = member.name.partition("/")[2]
            if inside.startswith(DEFINITIONS) and inside.endswith(".js"):
                text = archive.extractfile(member).read().decode()
                first = "defineChain(".join(text.split("defineChain(")[:2])
                number = _ID.search(first)
                if number is not None:
                    found.setdefault(int(number[1]), _definition(first))
    return found


def _definition(text: str) -> dict[str, str]:
    matches = {key: pattern.search(text) for key, pattern in _PATTERNS.items()}
    said = {key: match[1] for key, match in matches.items() if match is not None}
    if "decimals" in said:
        said["decimals"] = said["decimals"].replace("_", "")
    if "multicall3" in said:
        said["multicall3"] = checksum(Address(said["multicall3"].lower()))
    return said


def differences(facts: ChainFacts, theirs: dict[str, str]) -> list[Difference]:
    """Where the two say different things; what the package does not say is no difference."""
    ours = {
        "name": facts.name,
        "symbol": facts.native.symbol,
        "decimals": str(facts.native.decimals),
        "multicall3": checksum(facts.multicall3),
        "explorer": facts.explorer,
    }
    below = {"symbol": ("native", "symbol"), "decimals": ("native", "decimals")}
    return [
        Difference(("chains", facts.caip2, *below.get(key, (key,))), ours[key], theirs[key])
        for key in ours
        if key in theirs and ours[key] != theirs[key]
    ]


def replaced(text: str, file: TomlFile, found: list[Difference]) -> str:
    """The file's text with each differing value replaced on the line where it stands."""
    lines = text.splitlines(keepends=True)
    for one in found:
        number = file.line(one.key) - 1
        value = re.compile(rf'\b({re.escape(one.key[-1])}\s*=\s*)("[^"]*"|[0-9]+)')
        quoted = one.theirs if one.key[-1] == "decimals" else f'"{one.theirs}"'
        lines[number] = value.sub(lambda match, to=quoted: match[1] + to, lines[number], count=1)
    return "".join(lines)


def run(path: Path, package: bytes, *, check: bool) -> int:
    """Compare, and write unless *check*; returns the exit code."""
    known = definitions(package)
    file = read_toml(path, fix="name the file with --file")
    found: list[Difference] = []
    for chain, facts in load_chains_only(chains=path).chains.items():
        if chain not in known:
            print(f"{file.place(('chains', facts.caip2))}: the package has no chain {chain}")
        found += differences(facts, known.get(chain, {}))
    for one in found:
        print(f"{file.place(one.key)}: {'.'.join(one.key)}: {one.ours}, the package: {one.theirs}")
    print(f"{len(found)} differences")
    if found and not check:
        text = path.read_text(encoding="utf-8")
        path.write_text(replaced(text, file, found), encoding="utf-8")
    return 1 if found and check else 0


def main(arguments: list[str] | None = None) -> int:
    """Return the exit code; an error is printed with what to do about it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="only compare; ends with 1 if it differs"
    )
    parser.add_argument("--file", type=Path, default=resources.path("chains.toml"))
    parser.add_argument("--tarball", type=Path, help="the package, instead of the pinned one")
    chosen = parser.parse_args(arguments)
    try:
        package = (
            chosen.tarball.read_bytes()
            if chosen.tarball
            else tarball(find_paths().cache, pin("viem"))
        )
        return run(chosen.file, package, check=chosen.check)
    except AgentError as error:
        print(f"error[{error.code}] {error.message}\n{error.fix}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
