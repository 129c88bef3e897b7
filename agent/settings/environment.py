"""The variables of the process and of the `.env` file, and the folders that they choose."""

from __future__ import annotations

import difflib
import io
import os
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from agent.errors import KeyFileUnsafe, UnknownKey, WrongValue
from agent.settings.keys import PORTFOLIO
from agent.settings.toml_file import MAX_BYTES

PREFIX = "REBALANCER_"

FILES = ("REBALANCER_CONFIG", "REBALANCER_CHAINS", "REBALANCER_OVERLAY", "REBALANCER_HOME")
"""Variables that name files and folders."""

SECRETS = ("REBALANCER_PASSWORD", "REBALANCER_PRIVATE_KEY")
"""Variables of ours that hold secrets; they alone may stand in `.env` under our prefix."""

VALUES: Mapping[str, str] = {key.variable: key.name for key in PORTFOLIO if key.overridable}
"""Variables that override a key of the portfolio file."""


class Secret:
    """Text that shows itself only when asked by name."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text; never log it, never put it into an error."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not copied out of the process")


class Environment:
    """Variables by name: those of the process, and behind them those of one `.env` file."""

    def __init__(
        self, process: Mapping[str, str] | None = None, beside: Mapping[str, str] | None = None
    ) -> None:
        self._process = dict(os.environ if process is None else process)
        self._beside = dict(beside or {})

    def __repr__(self) -> str:
        return "Environment(…)"

    def of_process(self, name: str) -> str | None:
        """A variable of the process alone: what chooses files, folders and policy."""
        return self._process.get(name) or None

    def get(self, name: str) -> str | None:
        """A variable of the process, or of `.env`; empty is absent."""
        return self.of_process(name) or self._beside.get(name) or None

    def secret(self, name: str) -> Secret | None:
        """A variable that must not be shown; None when it is absent or empty."""
        found = self.get(name)
        return None if found is None else Secret(found)

    def beside(self, file: Path) -> Environment:
        """The same process with the variables of `.env` in the folder of *file*, if any.

        Raises:
            KeyFileUnsafe: others can read it, it is a link, or it belongs to someone else.
            WrongValue: it holds what is no secret.
        """
        return Environment(self._process, _read_dotenv(file.parent / ".env"))

    def refuse_unknown(self) -> None:
        """Raises UnknownKey for a variable with our prefix that nobody reads."""
        known = {*FILES, *SECRETS, *VALUES}
        for name in sorted(self._process):
            if name.startswith(PREFIX) and name not in known:
                raise UnknownKey(
                    f"environment: {name}: unknown variable{_nearest(name, known)}",
                    fix=f"unset {name}, or correct its name; docs/configuration.md has the list",
                )


def inherited_variables() -> dict[str, str]:
    """All variables of this process, to start another one with."""
    return dict(os.environ)


def variable(name: str) -> str | None:
    """One variable of the process, for what is neither policy nor secret; empty is absent."""
    return os.environ.get(name) or None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Folders of this user; none of them is created here.

    `state` holds journals and must be private, `cache` can be deleted at any time.
    """

    state: Path
    cache: Path
    user_config: Path


def find_paths(environment: Environment | None = None) -> Paths:
    """The folders by REBALANCER_HOME and by the platform's customs; raises WrongValue."""
    import platformdirs

    environment = Environment() if environment is None else environment
    moved = environment.of_process("REBALANCER_HOME")
    state = platformdirs.user_state_path("rebalancer", appauthor=False)
    if moved is not None:
        state = Path(moved).expanduser()
        # Relative to what? A journal that moves with the working folder is two journals.
        if not state.is_absolute():
            raise WrongValue(
                f"environment: REBALANCER_HOME: {moved!r} is not an absolute path",
                fix="set REBALANCER_HOME to an absolute path, or unset it",
            )
    return Paths(
        state=state,
        cache=platformdirs.user_cache_path("rebalancer", appauthor=False),
        user_config=platformdirs.user_config_path("rebalancer", appauthor=False) / "config.toml",
    )


def _read_dotenv(path: Path) -> dict[str, str]:
    try:
        content = _read_private(path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise KeyFileUnsafe(
            f"{path} was not read: {error.strerror}", fix=f"make {path} a plain file of yours"
        ) from None
    import dotenv

    found = dotenv.dotenv_values(stream=io.StringIO(content), interpolate=False)
    for name in found:
        if name.startswith(PREFIX) and name not in SECRETS:
            raise WrongValue(
                f"{path}: {name}: .env holds secrets and RPC URLs only",
                fix="put it into portfolio.toml, or set it in the environment",
            )
    return {name: text for name, text in found.items() if text}


def _read_private(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            raise KeyFileUnsafe(
                f"{path} is not a plain file of this user", fix=f"make {path} a plain file of yours"
            )
        if status.st_mode & 0o077:
            raise KeyFileUnsafe(
                f"{path} can be read by others (mode {stat.S_IMODE(status.st_mode):04o})",
                fix=f"chmod 600 {path}, and change the secrets in it if others were here",
            )
        return stream.read(MAX_BYTES)


def _nearest(name: str, known: Collection[str]) -> str:
    bare = {found.removeprefix(PREFIX): found for found in known}
    # Without the prefix, which would make all names alike.
    near = difflib.get_close_matches(name.removeprefix(PREFIX), bare, n=1, cutoff=0.75)
    return f', did you mean "{bare[near[0]]}"?' if near else ""
