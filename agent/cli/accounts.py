"""`accounts`: the key files of this machine; passwords come by prompt or descriptor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from agent.cli.context import Context
    from agent.compose.keys import Folders, KeyFile

app = typer.Typer(
    help="Key files: our own, Foundry's and geth's, where they lie.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@app.callback()
def accounts() -> None:
    """Key files: our own, Foundry's and geth's, where they lie."""


@app.command("list")
def list_all(ctx: typer.Context) -> None:
    """List all key files, also those that cannot be used, and why."""
    from agent.cli import output
    from agent.compose.keys import list_keys

    context: Context = ctx.obj
    found = list_keys(_folders())
    if context.json:
        output.document("accounts", {"accounts": [row(key) for key in found]})
        return
    if not found:
        output.show("no key files; make one: rebalancer accounts new NAME")
        return
    output.show(output.table([cells(key) for key in found]))


@app.command("new")
def new(
    ctx: typer.Context,
    name: str = typer.Argument(..., help="The key's name: letters, digits, dots, dashes."),
    local_only: bool = typer.Option(
        False, "--local-only", help="A key that signs on local chains and nowhere else."
    ),
) -> None:
    """Generate a key and write its encrypted file."""
    from agent.compose import keys as keystore

    context: Context = ctx.obj
    made = keystore.new(name, _new_password(context), folders=_folders(), local_only=local_only)
    _tell(context, made, "made")


@app.command("import")
def import_key(
    ctx: typer.Context,
    name: str = typer.Argument(..., help="The key's name: letters, digits, dots, dashes."),
    key_fd: int | None = typer.Option(
        None, "--key-fd", help="Read the key from this open file descriptor."
    ),
) -> None:
    """Write the encrypted file of a private key that you have: 64 hex digits, asked for."""
    from agent.compose import keys as keystore

    context: Context = ctx.obj
    made = keystore.import_key(
        name, _private_key(context, key_fd), _new_password(context), folders=_folders()
    )
    _tell(context, made, "imported")


@app.command("show")
def show(
    ctx: typer.Context,
    name: str = typer.Argument(..., help="A name, an address or a path."),
    unlock: bool = typer.Option(
        False, "--unlock", help="Open it with its password, so that its address is proven."
    ),
) -> None:
    """Show one key file and its address; the key itself is never shown."""
    from dataclasses import replace

    from agent.compose import keys as keystore

    context: Context = ctx.obj
    folders = _folders()
    found = keystore.find(name, folders)
    if unlock or found.address is None:
        address = keystore.show_address(name, context.password, folders=folders)
        found = replace(found, address=address)
    _tell(context, found, "")


def _folders() -> Folders:
    from agent.compose.adapters import key_folders
    from agent.settings import find_paths

    return key_folders(find_paths().state)


def _new_password(context: Context) -> str:
    """The password of a new key file; a person types it twice."""
    import getpass
    import sys

    from agent.errors import KeyProblem
    from agent.settings import variable

    given = context.password_fd is not None or variable("REBALANCER_PASSWORD") is not None
    first = context.password()
    if given:
        return first
    if first != getpass.getpass("the same again: ", stream=sys.stderr):
        raise KeyProblem("the two passwords differ", fix="try again")
    return first


def _private_key(context: Context, key_fd: int | None) -> str:
    import getpass
    import os
    import sys

    from agent.errors import KeyMissing

    if key_fd is not None:
        with os.fdopen(os.dup(key_fd), encoding="utf-8") as stream:
            return stream.readline().strip()
    if context.no_input or not sys.stdin.isatty():
        raise KeyMissing(
            "the key is asked for and nobody can answer",
            fix="give it by --key-fd, or run this on a terminal",
        )
    return getpass.getpass("private key (64 hex digits): ", stream=sys.stderr).strip()


def _tell(context: Context, key: KeyFile, deed: str) -> None:
    from agent.cli import output

    if context.json:
        output.document("account", row(key))
        return
    output.show(output.table([cells(key)]))
    if deed:
        output.say(f"{deed}: {key.path}; without its password it is lost, keep a copy of both")
        output.say(f'use it with: signer = "keystore:{key.name}" in portfolio.toml')


def row(key: KeyFile) -> dict[str, Any]:
    """A key file for programs."""
    from agent.wire.address import checksum

    return {
        "name": key.name,
        "place": key.place,
        "path": str(key.path),
        "address": None if key.address is None else checksum(key.address),
        "local_only": key.local_only,
        "problem": key.problem or None,
    }


def cells(key: KeyFile) -> tuple[str, ...]:
    """A key file for people."""
    from agent.wire.address import checksum

    address = "address unknown until opened" if key.address is None else checksum(key.address)
    note = key.problem or ("LOCAL chains only" if key.local_only else "")
    return (key.name, address, key.place, note)
