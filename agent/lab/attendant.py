"""The process that keeps local chains alive: blocks, base fees, feeds, the relayer, the servers.

Run as ``python -m agent.lab.attendant CONFIG``; `agent.lab.worlds` starts it.
"""

import json
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from agent.errors import SetupFailed
from agent.lab.branch import Branch, make_branch
from agent.lab.desk import Desk
from agent.lab.fee_api import FeeApi
from agent.lab.providers import Ordered, Turning, open_desks
from agent.lab.relayer import MODES, Relayer, Terms
from agent.wire.rpc import Rpc

PUBLISH_SECONDS: Final = 20.0
"""A third of the heartbeat that the overlay states, so that one missed turn does no harm."""

TURN_SECONDS: Final = 0.5
"""Between two looks of the relayer; half a block of the fastest chain."""

MISSES_TO_GONE: Final = 5
"""Blocks in a row that a chain does not mine before it is taken for stopped."""


class Attendant:
    """Attends to *branches*; in a process of its own, or in ours for chains whose time stands.

    `serving` answers the fee API, the providers' APIs and what `agent.lab.worlds` orders; `work`
    does the rest until all chains are gone.
    """

    def __init__(
        self, branches: Mapping[int, Branch], terms: Terms, *, block_seconds: float = 1.0
    ) -> None:
        self.branches = branches
        self.terms = terms
        self.relayer = Relayer(branches, terms)
        self.fees = FeeApi(branches, terms)
        self.providers = open_desks(branches)
        self._block_seconds = block_seconds
        self._orders: Mapping[str, Callable[..., Any]] = {
            "relay": self._relay,
            "forge": self.fees.forge,
            "halt": lambda chain: self._halt(chain, halted=True),
            "go_on": lambda chain: self._halt(chain, halted=False),
            "provider": self._provider,
        }

    @contextmanager
    def serving(self, port: int = 0) -> Iterator[Desk]:
        """Answer HTTP on loopback for the time of the block; raises PortInUse."""
        with Desk(self.fees, self.providers, self.obey, port) as desk:
            yield desk

    def obey(self, order: str, arguments: list[Any]) -> dict[str, Any]:
        """Do what the owner of the chains says, and answer how things stand.

        Orders are ``relay MODE``, ``forge WAY ANSWERS``, ``halt CHAIN``, ``go_on CHAIN``,
        ``provider NAME ORDER ARGUMENTS…`` and ``state``; what a provider answers is ``told``.
        Raises KeyError, TypeError and ValueError for what is none.
        """
        told = None if order == "state" else self._orders[order](*arguments)
        return {
            **asdict(self.terms),
            "told": told,
            "forgeries_left": self.fees.forgeries_left,
            "halted": [chain for chain, branch in self.branches.items() if branch.halted],
            "fault": self.relayer.fault,
        }

    def work(self) -> None:
        """Mine, publish and relay until no chain answers any more."""
        miners = [
            threading.Thread(target=self._mine, args=(branch,), name=branch.place.name)
            for branch in self.branches.values()
        ]
        for miner in miners:
            miner.start()
        published = 0.0
        while any(miner.is_alive() for miner in miners):
            if time.monotonic() >= published + PUBLISH_SECONDS:
                self._publish()
                published = time.monotonic()
            self.turn()
            time.sleep(TURN_SECONDS)

    def turn(self) -> None:
        """One turn of the relayer and of everybody else who acts by himself; raises nothing."""
        self.relayer.turn()
        for desk in self.providers.values():
            if isinstance(desk, Turning):
                try:
                    desk.turn()
                except SetupFailed as fault:
                    self.relayer.fault = fault.message

    def _mine(self, branch: Branch) -> None:
        due = time.monotonic()
        misses = 0
        while misses < MISSES_TO_GONE:
            due = max(due + self._block_seconds, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))
            if branch.halted:
                continue
            try:
                branch.mine()
                misses = 0
            except SetupFailed:
                misses += 1

    def _publish(self) -> None:
        for branch in self.branches.values():
            if not branch.halted:
                try:
                    branch.publish()
                except SetupFailed as fault:
                    self.relayer.fault = fault.message

    def _relay(self, mode: str) -> None:
        if mode not in MODES:
            raise ValueError(mode)
        self.terms.mode = mode

    def _provider(self, name: str, order: str, *arguments: Any) -> Any:
        desk = self.providers[name]
        if not isinstance(desk, Ordered):
            raise KeyError(order)
        return desk.order(order, *arguments)

    def _halt(self, chain: int, *, halted: bool) -> None:
        self.branches[chain].halted = halted


def main(config: Path) -> None:
    """Attend to the chains that *config* names; it says on which port on its first line.

    When the chains are gone its folder goes too: nobody may be left to remove it.
    """
    told = json.loads(config.read_text())
    branches = {
        chain["chain_id"]: make_branch(chain["chain_id"], Rpc(chain["url"]), chain["publisher"])
        for chain in told["chains"]
    }
    attendant = Attendant(branches, Terms(**told["terms"]), block_seconds=told["block_seconds"])
    with attendant.serving(told["port"]) as desk:
        # The owner waits for this line in our log, in the words of the local node.
        sys.stdout.write(f"Listening on 127.0.0.1:{desk.port}\n")
        sys.stdout.flush()
        attendant.work()
    shutil.rmtree(config.parent, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
