"""One chain of the local world: a mainnet's id, contracts and addresses on this machine alone."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from agent.errors import SetupFailed
from agent.lab import places
from agent.lab.accounts import TREASURY
from agent.lab.anvil import Anvil, start_anvil
from agent.lab.build import LabPool, as_answer, mint
from agent.lab.packages import node_binary
from agent.lab.places import FEED_DECIMALS, MARKETS, Place
from agent.lab.puppet import Puppet, Tx, tx
from agent.lab.saved import Saved, saved_world
from agent.wire.rpc import Rpc

NATIVE: Final = "ETH"
"""The symbol under which `World.fund` knows the native coin."""

_ASSETS: Final = {**{asset: asset for asset in MARKETS}, "WETH": "ETH", "WBTC": "BTC"}


@dataclass(slots=True, kw_only=True)
class World:
    """A running local chain with a mainnet's id; usable as a context manager.

    While it is ``steady``, whatever is done through it leaves the place's base fee for the next
    block; otherwise empty blocks make gas free.

    Methods that change the chain raise SetupFailed when the node does not do it.
    """

    node: Anvil
    saved: Saved
    block_seconds: int | None
    steady: bool
    _treasury: Puppet

    @property
    def url(self) -> str:
        """Where the chain's JSON-RPC listens, on loopback."""
        return self.node.url

    @property
    def rpc(self) -> Rpc:
        """A client of the chain, safe to share between threads."""
        return self.node.rpc

    @property
    def chain_id(self) -> int:
        """That of the mainnet whose contracts stand here."""
        return self.node.chain_id

    @property
    def place(self) -> Place:
        """What stands where."""
        return self.saved.place

    @property
    def genesis(self) -> str:
        """Hash of block 0; no other chain has it, so it tells this one from mainnet."""
        return self.saved.genesis

    @property
    def addresses(self) -> Mapping[str, str]:
        """Contracts by name, tokens by symbol, feeds by description; lower-case hex."""
        return self.saved.addresses

    @property
    def code_hashes(self) -> Mapping[str, str]:
        """Keccak of the runtime code by address, of all contracts and pools."""
        return self.saved.code_hashes

    @property
    def pools(self) -> tuple[LabPool, ...]:
        """All pools."""
        return self.saved.pools

    def fund(self, account: str, amounts: Mapping[str, int]) -> None:
        """Add base units to an account, by symbol: ETH is native, AIRDROP the unlisted "USDC"."""
        transactions: list[Tx] = []
        minted = self._minted()
        for symbol, raw in amounts.items():
            if symbol == NATIVE:
                transactions.append(Tx(to=account, input="0x", value=raw, what="sending ether"))
            elif symbol == "WETH":
                transactions.append(tx(self.place.weth, "transfer(address,uint256)", account, raw))
            elif symbol in minted:
                transactions.append(mint(minted[symbol], account, raw))
            else:
                known = ", ".join([NATIVE, "WETH", *minted])
                raise SetupFailed(f"the local chain has no {symbol}", fix=f"choose from {known}")
        if transactions:
            self._send(*transactions)

    def price(self, symbol: str) -> Decimal:
        """USD for one whole token, as its feed says."""
        (answer,) = self._treasury.read(
            self.place.feeds[_ASSETS[symbol]].address, "latestAnswer()", "(int256)"
        )
        return Decimal(answer).scaleb(-FEED_DECIMALS)

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Let the feed of a token or asset say *price* USD; pools are left where they are."""
        self._send(
            tx(
                self.saved.publisher,
                "set_answer(address,int256,uint256)",
                *(self.saved.aggregators[_ASSETS[symbol]], as_answer(price), 0),
            )
        )

    def publish(self, now: int | None = None) -> None:
        """Repeat all feeds' latest answers as of the block that it mines.

        *now* sets that block's time (unix seconds, after the head's). Without it the node's own
        clock does, which is this machine's unless `set_time` or `revert` moved it.
        """
        if now is not None:
            self._at(now)
        self._send(tx(self.saved.publisher, "refresh(uint256)", 0))

    def head(self) -> tuple[int, int]:
        """Number and time (unix seconds) of the newest block."""
        block = self._treasury.rpc("eth_getBlockByNumber", "latest", False)  # noqa: FBT003 - RPC's
        if not isinstance(block, dict):
            raise SetupFailed("the local chain has no block", fix="start the local chain again")
        return int(str(block["number"]), 16), int(str(block["timestamp"]), 16)

    def mine(self, blocks: int = 1) -> None:
        """Mine empty blocks, one second apart."""
        self._treasury.rpc("anvil_mine", hex(blocks), "0x1")
        self._steady()

    def set_time(self, now: int) -> None:
        """Mine a block at *now* (unix seconds, after the head); time goes on from there."""
        self._at(now)
        self._treasury.rpc("evm_mine")
        self._steady()

    def set_sequencer(self, *, up: bool) -> None:
        """Let the feed say that the rollup's sequencer is up or down, since now if that is new."""
        if self.place.sequencer is None:
            raise SetupFailed(f"{self.place.name} has no sequencer", fix="choose a rollup")
        self._send(tx(self.place.sequencer, "set_status(bool)", not up))

    def snapshot(self) -> str:
        """Remember the whole chain; give the answer to `revert`."""
        return str(self._treasury.rpc("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        """Go back to a snapshot, which is used up by it; the node's clock goes back too.

        What waits to be mined is forgotten.
        """
        self._treasury.forget_waiting()
        if self._treasury.rpc("evm_revert", snapshot) is not True:
            raise SetupFailed(
                f"the local chain has no snapshot {snapshot}", fix="start the local chain again"
            )
        self._steady()

    def pool(self, one: str, other: str, fee: int = 0) -> LabPool:
        """The pool of two symbols, in any order; *fee* in millionths, 0 for Uniswap v2."""
        for pool in self.pools:
            if pool.fee == fee and set(pool.symbols) == {one, other}:
                return pool
        raise KeyError((one, other, fee))

    def move_pool(self, pool: LabPool, bps: int) -> None:
        """Trade in a v3 pool until token0 is worth *bps* more token1 (less if negative)."""
        (root, *_) = self._treasury.read(
            pool.address, "slot0()", "(uint160,int24,uint16,uint16,uint16,uint8,bool)"
        )
        limit = math.isqrt(root * root * (10_000 + bps) // 10_000)
        # Token0 gets dearer when somebody buys it.
        tokens = self.place.tokens
        sell, buy = pool.symbols if bps < 0 else pool.symbols[::-1]
        everything: tuple[Any, ...] = (2**128, 0, limit)
        self._send(
            tx(
                self.place.exchanges.swap_router02,
                "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))",
                (
                    *(tokens[sell].address, tokens[buy].address, pool.fee),
                    *(self._treasury.account, *everything),
                ),
            )
        )

    def stop(self) -> None:
        """End the chain's process; everything on it is gone."""
        self.node.stop()

    def __enter__(self) -> "World":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _send(self, *transactions: Tx) -> None:
        self._treasury.send(*transactions)
        self._steady()

    def _steady(self) -> None:
        if self.steady:
            self._treasury.rpc("anvil_setNextBlockBaseFeePerGas", hex(self.place.base_fee))

    def _minted(self) -> dict[str, str]:
        """The tokens that the treasury can make, by symbol."""
        made = {symbol: token.address for symbol, token in self.place.tokens.items()}
        del made["WETH"]
        lone = {"AIRDROP": places.AIRDROP, "TAXED": places.TAXED}
        return {**made, "wstETH": self.place.wsteth, **lone}

    def _at(self, now: int) -> None:
        self._treasury.rpc("evm_setNextBlockTimestamp", now)


def open_world(
    cache: Path,
    *,
    chain_id: int = 1,
    block_time: int | None = None,
    port: int | None = None,
    keep: bool = False,
) -> World:
    """Start one chain from its saved state, built first if this is the first use.

    *cache* is the program's cache folder. *block_time* is the seconds between blocks; without it
    each transaction mines one. *keep* leaves the chain running after this process. All feeds are
    fresh when it returns. Raises PortInUse and SetupFailed.
    """
    saved = saved_world(cache, chain_id)
    return start_world(
        cache,
        saved,
        port=port,
        block_seconds=block_time,
        steady=False,
        attended=False,
        keep=keep,
    )


def start_world(
    cache: Path,
    saved: Saved,
    *,
    port: int | None,
    block_seconds: int | None,
    steady: bool,
    attended: bool,
    keep: bool,
) -> World:
    """Start a saved chain; one that is *attended* mines only when somebody tells it.

    Raises PortInUse and SetupFailed.
    """
    node = start_anvil(
        node_binary(cache),
        chain_id=saved.place.chain_id,
        port=port,
        op_stack=saved.place.kind == "op_stack",
        block_seconds=block_seconds,
        mines=not attended,
        state=saved.state,
        keep=keep,
    )
    try:
        # Nobody attends yet, so that the first transactions mine their own blocks.
        tip = saved.place.tip
        world = World(
            node=node,
            saved=saved,
            block_seconds=block_seconds,
            steady=steady,
            _treasury=Puppet(node.rpc, TREASURY, tip=tip, mines=attended),
        )
        # The saved head is old and the next block is as of now, so every feed would be stale.
        world.publish()
        world._treasury = Puppet(node.rpc, TREASURY, tip=tip)
    except BaseException:
        node.stop()
        raise
    return world
