"""Finds the files that travel with the program, in an installed wheel and in a checkout alike."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from agent.errors import Broken

_PACKAGE = Path(__file__).resolve().parent


def path(name: str) -> Path:
    """Return where a packaged file or folder lies, such as `chains.toml` or `abis/erc20.json`.

    A wheel carries `chains.toml` and `abis/` inside the package; a checkout keeps them beside it,
    where people edit them. `name` has forward slashes and stays inside the package's files.

    Raises:
        Broken: the installation lacks the file, or `name` points outside.

    >>> path("lab").name
    'lab'
    """
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts or not relative.parts:
        raise Broken(
            f"{name!r} is not the name of a packaged file",
            fix="name a file below the package, such as chains.toml or abis/erc20.json",
        )
    for root in _roots():
        found = root / relative
        if found.exists():
            return found
    raise Broken(
        f"the installation lacks {name}; looked in {' and '.join(map(str, _roots()))}",
        fix="install rebalancer again; in a checkout, restore the file",
    )


def text(name: str) -> str:
    """Return the contents of a packaged file, read as UTF-8.

    Raises:
        Broken: the installation lacks the file, it cannot be read, or `name` points outside.
    """
    file = path(name)
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as reason:
        raise Broken(
            f"{file} cannot be read: {reason}",
            fix="install rebalancer again; in a checkout, restore the file",
        ) from reason


def _roots() -> tuple[Path, ...]:
    """Return the package, and the checkout around it only if it is one.

    Beside an installed package lie other people's: a `chains.toml` found there is not ours.
    """
    checkout = _PACKAGE.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / "requirements").is_dir():
        return (_PACKAGE, checkout)
    return (_PACKAGE,)
