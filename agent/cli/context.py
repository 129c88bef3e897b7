"""What every command is told: the global options, and how to reach settings and the wallet."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli import output

if TYPE_CHECKING:
    from agent.compose import Account
    from agent.core.fact import Fact
    from agent.core.state import State
    from agent.engine.io import Pause
    from agent.settings import Settings, World


CREDENTIAL = "rebalancer-password"
"""Name of the file in `$CREDENTIALS_DIRECTORY`, as systemd's LoadCredential= puts it there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The global options, given before or after the command's name.

    `no_input` never asks, `yes` answers confirmations, `password_fd` is an open file
    descriptor with a password in its first line, `accept_plain_key` allows a key from the
    environment.
    """

    config: Path | None = None
    chains: Path | None = None
    overlay: Path | None = None
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    no_input: bool = False
    yes: bool = False
    password_fd: int | None = None
    accept_plain_key: bool = False

    @property
    def interactive(self) -> bool:
        """Whether a person can be asked something."""
        return not self.no_input and not self.json and sys.stdin.isatty()

    def settings(self) -> Settings:
        """The wallet's settings; raises ConfigError. Says LOCAL where the chains are local."""
        from agent.settings import load

        found = load(config=self.config, chains=self.chains, overlay=self.overlay)
        self.tell_of(found.world)
        return found

    def world(self) -> World:
        """What is known without a portfolio; raises ConfigError. Says LOCAL as `settings` does."""
        from agent.settings import load_chains_only

        found = load_chains_only(chains=self.chains, overlay=self.overlay)
        self.tell_of(found)
        return found

    def tell_of(self, world: World) -> None:
        """Call chains and coins by the names that *world* has, and say LOCAL where it is."""
        from agent.cli import present

        output.learn_names({chain: facts.name for chain, facts in world.chains.items()})
        present.name_coins({chain: facts.slip44 for chain, facts in world.chains.items()})
        if world.local and not self.quiet:
            output.say("LOCAL chains: nothing here is on any public chain")

    @contextmanager
    def account(
        self,
        settings: Settings,
        observe: Callable[[Fact], None] = lambda _fact: None,
        ask: Callable[[], str] | None = None,
        hear: Callable[[Pause], None] = lambda _pause: None,
    ) -> Iterator[Account]:
        """The wallet with its ports, closed afterwards; *observe* hears of each fact.

        *hear* is told of what has to wait. *ask* stands in for the ways in which the password
        is found.

        An error that ends its use says that nothing was signed only if nothing was.
        """
        from agent.compose import open_account
        from agent.compose.adapters import KeyAccess
        from agent.core.fact import Signed
        from agent.errors import AgentError

        signed: list[Fact] = []

        def heard(fact: Fact) -> None:
            if isinstance(fact, Signed):
                signed.append(fact)
            observe(fact)

        asked = (lambda: self.password(settings)) if ask is None else ask
        access = KeyAccess(ask=asked, accept_plain_key=self.accept_plain_key)
        opened = open_account(settings, access, observe=heard, hear=hear)
        try:
            yield opened
        except AgentError as error:
            error.nothing_signed = error.nothing_signed and not signed
            raise
        finally:
            opened.close()

    def password(self, settings: Settings | None = None) -> str:
        """The key's password: from the descriptor, the environment or `.env`, a credential.

        A prompt where none of them has it; raises KeyMissing where nobody can be asked.
        """
        import getpass
        import os

        from agent.errors import KeyMissing
        from agent.settings import Environment, credential

        if self.password_fd is not None:
            with os.fdopen(os.dup(self.password_fd), encoding="utf-8") as stream:
                return stream.readline().rstrip("\n")
        known = Environment() if settings is None else settings.world.environment
        given = known.secret("REBALANCER_PASSWORD") or credential(CREDENTIAL)
        if given is not None:
            return given.reveal()
        if self.no_input or not sys.stdin.isatty():
            raise KeyMissing(
                "the key needs its password and nobody can be asked for it",
                fix="give it by --password-fd, in .env, or run this on a terminal",
            )
        return getpass.getpass("password of the key: ", stream=sys.stderr)


def journal_state(settings: Settings) -> State:
    """What the wallet's journal says, read beside whoever writes it."""
    from agent.compose.journal import open_journal
    from agent.engine.tail import load

    journal = open_journal(settings, read_only=True)
    try:
        return load(journal, settings.account)
    finally:
        journal.close()
