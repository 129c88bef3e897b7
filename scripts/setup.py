"""Brings a checkout to where `make demo` and `make test` can start, doing only what is missing.

Started by scripts/setup.sh with any Python 3.11 to 3.13; uses nothing outside the standard library.
What was done is stamped inside the virtual environment by the hashes of what it was done from, so
that a second call costs two reads of a few files.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEVELS = {"lab": ("lab",), "dev": ("dev", "lab")}  # dev.txt contains lab.txt, version for version
STAMP = "rebalancer-setup.json"
LAST_WORDS_LINES = 12

# Settings of a person's own pip that would put packages elsewhere than into our environment.
# Everything else (mirrors, certificates, proxies, timeouts) is theirs to set and is kept.
MISPLACING = (
    "PIP_USER",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_REQUIRE_HASHES",
    "PIP_NO_DEPS",
)
FOREIGN = ("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__")


class SetupError(Exception):
    """Set-up cannot go on; the message says what happened and what to do."""


class Checkout:
    """One checkout and the virtual environment that belongs to it."""

    def __init__(self, root: Path, venv: Path) -> None:
        self.root = root
        self.venv = venv
        self.python = venv / "bin" / "python"
        self.stamps = self._read_stamps()

    def _read_stamps(self) -> dict[str, str]:
        try:
            stamps: dict[str, str] = json.loads((self.venv / STAMP).read_text())
        except (OSError, ValueError):
            return {}
        return stamps

    def is_stamped(self, step: str, key: str) -> bool:
        """Return whether `step` was done from exactly this."""
        return self.stamps.get(step) == key

    def stamp(self, step: str, key: str) -> None:
        """Remember that `step` was done from `key`, at once, so that an abort loses no step."""
        self.stamps[step] = key
        (self.venv / STAMP).write_text(json.dumps(self.stamps, indent=1))

    def fingerprint(self, names: Iterable[str]) -> str:
        """Return one hash over the named files of the checkout."""
        digest = hashlib.sha256()
        for name in names:
            digest.update(f"{name}\0".encode() + (self.root / name).read_bytes())
        return digest.hexdigest()

    def run(self, arguments: list[str], *, failure: str) -> str:
        """Run a command in our environment and return what it printed; shown only if it fails."""
        environment = {k: v for k, v in os.environ.items() if k not in (*MISPLACING, *FOREIGN)}
        environment["PATH"] = (
            f"{self.venv / 'bin'}{os.pathsep}{environment.get('PATH', os.defpath)}"
        )
        done = subprocess.run(
            arguments,
            cwd=self.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            raise SetupError(f"{failure}\n{last_words(done.stdout)}")
        return done.stdout

    def pip(self, *arguments: str, failure: str) -> None:
        """Run the environment's own pip, whatever else is active."""
        quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
        self.run([str(self.python), "-I", "-m", "pip", *quiet, *arguments], failure=failure)


def last_words(output: str) -> str:
    """Return the end of what a failed command printed, indented."""
    lines = [line for line in output.splitlines() if line.strip()]
    return "\n".join(f"    {line}" for line in lines[-LAST_WORDS_LINES:])


def say(what: str) -> None:
    """Print one line about a step that is about to be done."""
    print(f"set-up: {what}", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Run every step that is missing; returns the exit code."""
    level, venv = arguments
    checkout = Checkout(ROOT, Path(os.path.abspath(venv)))
    try:
        make_environment(checkout)
        install_packages(checkout, level)
        install_project(checkout)
        install_npm_if_absent(checkout)
        prepare_lab(checkout)
        if level == "dev":
            prepare_tests(checkout)
    except SetupError as stop:
        print(f"set-up stopped: {stop}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "set-up interrupted: run the same command again, it goes on where it was",
            file=sys.stderr,
        )
        return 130
    return 0


def make_environment(checkout: Checkout) -> None:
    """Create the virtual environment unless it is there, runs, and was made where it lies."""
    venv = checkout.venv
    is_ours = Path(sys.prefix).resolve() == venv.resolve()  # setup.sh starts us with it if it runs
    if is_ours and checkout.stamps.get("environment", str(venv)) == str(venv):
        checkout.stamps.setdefault("environment", str(venv))
        return
    if not is_ours and venv.exists() and any(venv.iterdir()) and not (venv / "pyvenv.cfg").exists():
        raise SetupError(
            f"{venv} holds something else than a virtual environment; move it, or say VENV=…"
        )
    version = ".".join(map(str, sys.version_info[:3]))
    say(f"creating the virtual environment {venv} (Python {version})")
    # The base interpreter: another environment may be active, and ours may be the one to replace.
    base = getattr(sys, "_base_executable", None) or sys.executable
    checkout.stamps = {}
    checkout.run(
        [base, "-I", "-m", "venv", "--clear", str(venv)],
        failure=f"python -m venv could not create {venv}",
    )
    checkout.stamp("environment", str(venv))


def install_packages(checkout: Checkout, level: str) -> None:
    """Install the locked packages of a level, each file checked against its hash."""
    files = [f"requirements/{name}.txt" for name in LEVELS[level]]
    keys = {file: checkout.fingerprint([file]) for file in files}
    if checkout.is_stamped(files[0], keys[files[0]]):
        return
    say(f"installing the packages of {files[0]}, checked by hash (a minute or so)")
    install_locked(checkout, files[0])
    for file, key in keys.items():
        checkout.stamp(file, key)


def install_locked(checkout: Checkout, file: str) -> None:
    """Install one requirement file by hash; it is complete, so nothing is resolved."""
    checkout.pip(
        *("install", "--require-hashes", "--no-deps", "--requirement", file),
        failure=f"pip could not install {file}. "
        "If the lines below speak of connections, names or time-outs, the package registry cannot "
        "be reached from here; packages come from it once, afterwards nothing is downloaded.",
    )


def install_project(checkout: Checkout) -> None:
    """Install the checkout itself, editable: its dependencies and build tools are there already."""
    key = checkout.fingerprint(["pyproject.toml", "agent/__init__.py"])
    if checkout.is_stamped("project", key):
        return
    say("installing rebalancer itself (editable)")
    checkout.pip(
        *("install", "--no-build-isolation", "--no-deps", "--no-index", "--editable", "."),
        failure="the project itself could not be installed",
    )
    checkout.stamp("project", key)


def install_npm_if_absent(checkout: Checkout) -> None:
    """Install npm as a wheel where the machine has none that runs."""
    found = shutil.which("npm")
    key = found or checkout.fingerprint(["requirements/node.txt"])
    if checkout.is_stamped("npm", key):
        return
    if found is None:
        say("installing npm as a wheel: there is none on this machine")
        install_locked(checkout, "requirements/node.txt")
    checkout.stamp("npm", key)


def prepare_lab(checkout: Checkout) -> None:
    """Fetch and build what local chains are made of, unless the cache has it."""
    lab = checkout.root / "agent" / "lab"
    made_from = sorted(f for f in lab.rglob("*") if f.suffix in {".py", ".toml", ".vy"})
    names = [file.relative_to(checkout.root).as_posix() for file in made_from]
    # The cache belongs to a user, not to this checkout: another one may come, or empty it.
    user = [os.environ.get(name, "") for name in ("HOME", "XDG_CACHE_HOME")]
    key = " ".join([checkout.fingerprint(names), *user])
    if checkout.is_stamped("lab", key) and Path(checkout.stamps.get("world", "/none")).exists():
        return
    say("preparing the local chains: pinned contracts, the node, the built world (a minute or so)")
    output = checkout.run(
        [str(checkout.python), "-I", "scripts/prepare_lab.py"],
        failure="the local chains could not be prepared",
    )
    checkout.stamp("world", output.splitlines()[-1])
    checkout.stamp("lab", key)


def prepare_tests(checkout: Checkout) -> None:
    """Fetch what only tests put on local chains, so that none of them waits for the network."""
    key = checkout.stamps["lab"]  # made of the same files, for the same user
    if checkout.is_stamped("tests", key):
        return
    say("fetching what only tests need (50 MB, some seconds)")
    checkout.run(
        [str(checkout.python), "-I", "scripts/prepare_lab.py", "--tests"],
        failure="what only tests need could not be fetched",
    )
    checkout.stamp("tests", key)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
