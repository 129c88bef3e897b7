"""The local world: several chains at once, with one clock, one relayer and one fee API."""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar

from agent.lab.attendance import Attendance, order, start_attendant
from agent.lab.attendant import Attendant
from agent.lab.branch import make_branch
from agent.lab.providers import desk_names
from agent.lab.relayer import Mode, Terms
from agent.lab.saved import saved_worlds
from agent.lab.world import World, start_world

CHAINS: Final = (1, 8453, 42161)
"""Ethereum, Base and Arbitrum One."""

T = TypeVar("T")


@dataclass(slots=True, kw_only=True, eq=False)
class Worlds(Mapping[int, World]):
    """Running chains by their id, and what moves them together.

    Methods raise SetupFailed when a node or the attendant does not do what it is told.
    """

    chains: Mapping[int, World]
    desk_url: str
    attendance: Attendance | None
    _attendant: Attendant | None = field(repr=False)

    def __getitem__(self, chain_id: int) -> World:
        return self.chains[chain_id]

    def __iter__(self) -> Iterator[int]:
        return iter(self.chains)

    def __len__(self) -> int:
        return len(self.chains)

    @property
    def fee_api(self) -> str:
        """Where the bridge's fee API stands, as `[bridges.across] api` says it."""
        return f"{self.desk_url}/api"

    @property
    def provider_apis(self) -> Mapping[str, str]:
        """Where the providers' APIs stand, by name, as `[providers.NAME] api` says it."""
        return {name: f"{self.desk_url}/providers/{name}" for name in desk_names()}

    def relay(self, mode: Mode) -> None:
        """Let the relayer fill promptly, late or never from now on."""
        order(self.desk_url, "relay", mode)

    def forge(self, way: str, answers: int = 1) -> None:
        """Let the next *answers* of the fee API lie, in a way of `agent.lab.fee_api.FORGERIES`."""
        order(self.desk_url, "forge", way, answers)

    def tell(self, provider: str, what: str, *arguments: Any) -> Any:
        """Give a provider's desk an order, in words of its own; returns what it answers."""
        return order(self.desk_url, "provider", provider, what, *arguments)["told"]

    def state(self) -> dict[str, Any]:
        """How the attendant stands: its terms, forgeries left, halted chains, the last fault."""
        return order(self.desk_url, "state")

    def halt(self, chain_id: int) -> None:
        """Let a chain mine no block from now on; its node goes on answering."""
        order(self.desk_url, "halt", chain_id)

    def go_on(self, chain_id: int) -> None:
        """End `halt`."""
        order(self.desk_url, "go_on", chain_id)

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Let the feeds of all chains say *price* USD; pools are left where they are."""
        self._everywhere(lambda world: world.set_price(symbol, price))

    def publish(self) -> None:
        """Repeat the latest answers of all feeds as of now."""
        self._everywhere(World.publish)

    def fund(self, account: str, amounts: Mapping[int, Mapping[str, int]]) -> None:
        """Add base units to an account, by chain and symbol as `World.fund` does."""
        self._everywhere(lambda world: world.fund(account, amounts.get(world.chain_id, {})))

    def set_time(self, now: int) -> None:
        """Mine a block at *now* (unix seconds, after all heads) everywhere; feeds are fresh.

        A bridge needs clocks that agree: a deposit's times are checked on both sides.
        """
        self._everywhere(lambda world: world.set_time(now))
        self.publish()

    def jump(self, seconds: int) -> None:
        """Let all clocks go forward by *seconds* from the latest head; feeds are fresh after it."""
        self.set_time(max(world.head()[1] for world in self.values()) + seconds)

    def turn(self) -> None:
        """One turn of the relayer and the providers, where no attendant takes them."""
        if self._attendant is not None:
            self._attendant.turn()

    @contextmanager
    def relaying(self, every_seconds: float = 0.05) -> Iterator[None]:
        """Take turns of the relayer from a thread for the time of the block, as `turn` does.

        Where time stands a deposit is due at once only if ``prompt_seconds`` is 0.
        """
        ended = threading.Event()

        def take_turns() -> None:
            while not ended.wait(every_seconds):
                self.turn()

        thread = threading.Thread(target=take_turns, name="relayer", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def mine(self, blocks: int = 1) -> None:
        """Mine empty blocks on all chains, one second apart."""
        self._everywhere(lambda world: world.mine(blocks))

    def snapshot(self) -> dict[int, str]:
        """Remember all chains; give the answer to `revert`."""
        return self._everywhere(World.snapshot)

    def revert(self, snapshot: Mapping[int, str]) -> None:
        """Go back to a snapshot, which is used up by it."""
        self._everywhere(lambda world: world.revert(snapshot[world.chain_id]))

    def _everywhere(self, action: Callable[[World], T]) -> dict[int, T]:
        """Act on all chains side by side: each may wait for a block."""
        with ThreadPoolExecutor(len(self.chains)) as pool:
            return dict(zip(self.chains, pool.map(action, self.chains.values()), strict=True))


@contextmanager
def open_worlds(
    cache: Path,
    *,
    chains: Collection[int] = CHAINS,
    terms: Terms | None = None,
    block_seconds: int | None = 1,
    port: int | None = None,
    keep: bool = False,
) -> Iterator[Worlds]:
    """Start *chains* and the attendant; stop all afterwards.

    *cache* is the program's cache folder. Without *block_seconds* time stands: each transaction
    mines a block, the fee API answers from this process, and the relayer works when `turn` is
    called. The chains listen on *port* and the following ones, the fee API on the one after
    them; on free ports without it. With *keep* all go on after the end. Raises PortInUse and
    SetupFailed.
    """
    saved = saved_worlds(cache, chains)
    wanted = terms or Terms()
    attended = block_seconds is not None
    with ExitStack() as stack:
        lock = threading.Lock()

        def start(chain: int) -> World:
            number = None if port is None else port + list(chains).index(chain)
            world = start_world(
                cache,
                saved[chain],
                port=number,
                block_seconds=block_seconds,
                steady=True,
                attended=attended,
                keep=keep,
            )
            with lock:
                stack.callback(world.stop)
            return world

        with ThreadPoolExecutor(len(saved)) as pool:
            found = dict(zip(saved, pool.map(start, saved), strict=True))
        desk_port = None if port is None else port + len(saved)
        if block_seconds is None:
            worlds = stack.enter_context(_unattended(found, wanted, desk_port))
        else:
            attendance = start_attendant(
                list(found.values()), wanted, block_seconds=block_seconds, port=desk_port, keep=keep
            )
            stack.callback(attendance.stop)
            worlds = Worlds(
                chains=found, desk_url=attendance.url, attendance=attendance, _attendant=None
            )
        if keep:
            stack.pop_all()
        yield worlds


@contextmanager
def _unattended(chains: Mapping[int, World], terms: Terms, port: int | None) -> Iterator[Worlds]:
    branches = {
        chain: make_branch(chain, world.rpc, world.saved.publisher)
        for chain, world in chains.items()
    }
    attendant = Attendant(branches, terms)
    with attendant.serving(port or 0) as desk:
        yield Worlds(
            chains=chains,
            desk_url=f"http://127.0.0.1:{desk.port}",
            attendance=None,
            _attendant=attendant,
        )
