"""Our own test contracts, compiled once from their Vyper sources."""

import hashlib
import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from agent.errors import SetupFailed
from agent.lab.contracts import Artifact, parse_artifact
from agent.lab.pins import vyper_version
from agent.lab.sealed import is_sealed, only_one, read_sealed, seal

_SOURCES = Path(__file__).with_name("vyper")

EVM_VERSION = "cancun"
"""Rules that the code is compiled for; every chain that we know has them or later ones."""


def compiled_contracts(cache: Path) -> dict[str, Artifact]:
    """Our contracts by the name of their source; raises SetupFailed.

    The compiler is imported only when the sources or its version are new to *cache*.
    """
    sources = {file.stem: file.read_text(encoding="utf-8") for file in _SOURCES.glob("*.vy")}
    origin = _origin(sources)
    root = cache / "lab" / "vyper"
    folder = root / origin[:16]
    if not is_sealed(folder):
        with only_one(root / ".lock"):
            if not is_sealed(folder):
                seal(folder, _compile(sources), origin=origin)
    return {
        name: parse_artifact(name, json.loads(read_sealed(folder, name, origin=origin)))
        for name in sources
    }


def _origin(sources: dict[str, str]) -> str:
    content = json.dumps([vyper_version(), EVM_VERSION, sources], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _compile(sources: dict[str, str]) -> dict[str, bytes]:
    _require_compiler()
    from vyper import compile_code  # type: ignore[import-untyped]
    from vyper.compiler.input_bundle import (  # type: ignore[import-untyped]
        FilesystemInputBundle,
    )
    from vyper.compiler.settings import Settings  # type: ignore[import-untyped]

    settings = Settings(evm_version=EVM_VERSION)
    # Where a source finds the others that it builds on.
    bundle = FilesystemInputBundle([_SOURCES])
    found = {}
    for name, source in sources.items():
        output = compile_code(
            source, output_formats=["abi", "bytecode"], settings=settings, input_bundle=bundle
        )
        slim = {"abi": output["abi"], "bytecode": output["bytecode"], "links": {}}
        found[name] = json.dumps(slim, sort_keys=True).encode()
    return found


def _require_compiler() -> None:
    try:
        installed = version("vyper")
    except PackageNotFoundError:
        installed = "none"
    if installed != vyper_version():
        raise SetupFailed(
            f"the local chains need vyper {vyper_version()}, installed is {installed}",
            fix=f"pip install 'rebalancer[lab]' (or vyper=={vyper_version()})",
        )
