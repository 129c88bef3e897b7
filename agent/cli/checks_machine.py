"""What `doctor` checks without asking a chain: files, modes, keys, journal, kill switch, forks."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from agent.cli.checks import Finding, fine, met, warning, wrong
from agent.errors import AgentError
from agent.settings import Settings

JOURNAL_FILES = ("journal.sqlite3", "journal.sqlite3-wal", "journal.sqlite3-shm")


def machine(settings: Settings) -> Iterator[Finding]:
    """All findings of this machine."""
    yield fine("configuration", f"{settings.portfolio} is sound")
    for sentence in settings.warnings:
        yield warning("configuration", sentence, f"correct {settings.portfolio}")
    yield from _state(settings.paths.state)
    yield from _journal(settings)
    yield from _key(settings)
    yield from _switch(settings.paths.state)
    yield from _forks(settings.paths.cache)


def _state(folder: Path) -> Iterator[Finding]:
    """The state folder and what lies in it are their owner's alone."""
    if not folder.exists():
        yield fine("state folder", f"{folder} will be made by the first run")
        return
    bad = list(_open_to_others(folder))
    yield from bad
    if not bad:
        yield fine("state folder", f"{folder} is private")


def _open_to_others(folder: Path) -> Iterator[Finding]:
    for path in (folder, *(folder / name for name in JOURNAL_FILES)):
        if not path.exists():
            continue
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode & 0o077:
            right = "700" if path == folder else "600"
            what = f"{path} is open to others (mode {mode:04o})"
            yield wrong("state folder", what, f"chmod {right} {path}", "X100")


def _journal(settings: Settings) -> Iterator[Finding]:
    """The journal is whole, and no run waits in it."""
    from agent.cli.context import journal_state

    try:
        state = journal_state(settings)
    except AgentError as error:
        yield met("journal", error)
        return
    if state.unreconciled is not None:
        yield wrong(
            "journal",
            f"run {state.unreconciled} ended with money that nobody has explained",
            f"rebalancer status {state.unreconciled}, then "
            f"rebalancer resume {state.unreconciled} --accept-balances",
            "H102",
        )
    elif state.open_run is not None:
        what = f"run {state.open_run.id} is not finished"
        yield warning("journal", what, "rebalancer resume", "P101")
    else:
        yield fine("journal", f"whole, {state.seq} facts, no run is open")


def _key(settings: Settings) -> Iterator[Finding]:
    """The key that shall sign is there, safe, and the wallet's own; it is not opened."""
    kind = settings.signer.kind
    if kind == "watch":
        yield fine("key", "watch-only: plans are made, nothing can be signed")
        return
    if settings.local and settings.account not in settings.generated:
        yield wrong(
            "key",
            "under an overlay only keys that were generated for it sign; this wallet is not one",
            "use the wallet that the overlay names, or work without the overlay",
            "K105",
        )
        return
    if kind == "keystore":
        yield from _key_file(settings)
    elif kind == "env_key":
        yield from _plain_key(settings)
    else:
        yield wrong(
            "key",
            f"this version has no signer of the kind {kind!r}",
            'use a key file, signer = "keystore:NAME", or signer = "watch"',
            "K105",
        )


def _key_file(settings: Settings) -> Iterator[Finding]:
    from agent.compose.adapters import key_folders
    from agent.compose.keys import find
    from agent.wire.address import checksum

    try:
        found = find(settings.signer.name, key_folders(settings.paths.state))
    except AgentError as error:
        yield met("key", error)
        return
    if found.address is None:
        fix = f"rebalancer accounts show {found.name} --unlock"
        yield warning("key", f"{found.path} does not say whose key it is", fix)
    elif found.address != settings.account:
        yield wrong(
            "key",
            f"{found.path} is the key of {checksum(found.address)}, "
            f"the wallet is {checksum(settings.account)}",
            "name the wallet's own key, or correct the wallet's address",
            "K104",
        )
    elif found.local_only and not settings.local:
        what = f"{found.path} was made for local chains only"
        yield wrong("key", what, "use a key of its own: rebalancer accounts new NAME", "K105")
    else:
        yield fine("key", f"{found.path} is private and the wallet's own")


def _plain_key(settings: Settings) -> Iterator[Finding]:
    if settings.secret(settings.signer.name) is None:
        what = f"{settings.signer.name} is not set"
        yield wrong("key", what, f"set {settings.signer.name} where the program runs", "K101")
        return
    yield warning(
        "key",
        "the key stands unencrypted in the environment",
        "keep it in a key file: rebalancer accounts import NAME",
    )


def _switch(state: Path) -> Iterator[Finding]:
    from agent.compose import KillSwitch

    reason = KillSwitch(state).reason()
    if reason is None:
        yield fine("kill switch", "off")
    else:
        fix = "rebalancer unpause, when the reason is gone"
        yield warning("kill switch", f"on, nothing is signed: {reason}", fix)


def _forks(cache: Path) -> Iterator[Finding]:
    """What `simulate` needs: the local node, or what fetches it."""
    from agent.lab.npm import npm_command
    from agent.lab.pins import node_pin
    from agent.lab.sealed import is_sealed

    try:
        pin = node_pin()
        if is_sealed(cache / "lab" / "npm" / pin.folder):
            yield fine("simulate", f"{pin.spec} is in {cache}")
            return
        npm_command()
    except AgentError as error:
        yield met("simulate", error)
        return
    what = f"{pin.spec} is not in {cache} yet; the first simulation fetches it"
    yield warning("simulate", what, "fetch it now: rebalancer simulate")
