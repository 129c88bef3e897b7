"""Throw-away copies of chains, to rehearse on what must not be tried on the original."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.core.money import Address, ChainId
from agent.core.quote import Call
from agent.errors import Unreachable, WrongChain
from agent.lab.anvil import Anvil, start_anvil
from agent.lab.packages import node_binary
from agent.lab.puppet import Puppet, Tx
from agent.lab.rollups import L1_BLOCK
from agent.ports import Delivery
from agent.wire.endpoint import parse_endpoint
from agent.wire.rpc import Rpc, RpcError, RpcUnavailable

FORK_TIMEOUT_SECONDS = 60.0
"""The fork reads one block of the original before it answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a fork is a copy of: a chain by its URLs, the preferred one first, at a block."""

    urls: Sequence[str]
    block: int


class ForkSandbox:
    """Forks chains on local nodes; the port `Sandbox`.

    The first use on a machine fetches the local node into *cache*.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache

    @contextmanager
    def fork(self, chain: ChainId, url: str, block: int) -> Iterator[str]:
        """The URL of a copy of the chain behind *url* at *block*, gone afterwards.

        The copy sends transactions of any account without its key. Raises what `open_fork` does.
        """
        with self.forks({chain: Origin(urls=(url,), block=block)}) as urls:
            yield urls[chain]

    @contextmanager
    def forks(self, origins: Mapping[ChainId, Origin]) -> Iterator[Mapping[ChainId, str]]:
        """The URLs of copies of several chains, started side by side and gone afterwards."""
        node_binary(self._cache)
        with ExitStack() as stack:
            with ThreadPoolExecutor(len(origins), "fork") as pool:
                asked = {
                    chain: pool.submit(self._copy, chain, origin, stack)
                    for chain, origin in origins.items()
                }
            yield {chain: found.result().url for chain, found in asked.items()}

    def _copy(self, chain: ChainId, origin: Origin, stack: ExitStack) -> Anvil:
        """A copy by the first URL that gives one; the *stack* stops it."""
        for url in origin.urls[:-1]:
            try:
                node = open_fork(url, chain, self._cache, block=origin.block)
            except Unreachable:
                continue
            stack.callback(node.stop)
            return node
        node = open_fork(origin.urls[-1], chain, self._cache, block=origin.block)
        stack.callback(node.stop)
        return node


DELIVERER = Address("0x" + "de11" * 10)
"""Pays out on forks what relayers pay out on the originals; nobody has its key."""


def deliver(url: str, delivery: Delivery) -> None:
    """Send what pays a transfer out on the fork behind *url*, from an account made rich for it.

    What only others may send is sent from their accounts, which a fork does without their keys.

    Raises SetupFailed when the fork does not do it.
    """
    rpc, needs = Rpc(url), delivery.needs
    try:
        for account, call in delivery.played:
            Puppet(rpc, account).send(_tx(call))
        payer = Puppet(rpc, DELIVERER)
        if not needs.token.is_native:
            payer.rpc("anvil_dealERC20", DELIVERER, needs.token.address, hex(needs.raw))
        payer.send(*map(_tx, delivery.calls))
    finally:
        rpc.close()


def _tx(call: Call) -> Tx:
    return Tx(to=call.to, input=call.data, value=call.value, what="a delivery")


def open_fork(url: str, chain_id: int, cache: Path, *, block: int) -> Anvil:
    """Start a node that shows the chain behind *url* as of *block* and goes on by itself.

    The original is only read. Raises SetupFailed, Unreachable when the original does not answer,
    WrongChain when it is another chain.
    """
    try:
        op_stack = _inspected(url, chain_id)
        node = start_anvil(node_binary(cache), chain_id=chain_id, op_stack=op_stack)
        try:
            _follow(node, url, block)
        except BaseException:
            node.stop()
            raise
    except (RpcError, RpcUnavailable):
        # Their text may quote the URL, and with it a key.
        raise Unreachable(
            f"no copy of chain {chain_id} could be made from {parse_endpoint(url).name} "
            f"at block {block}",
            fix="check that node with `rebalancer doctor`; it must serve the state of that block",
        ) from None
    return node


def _inspected(url: str, chain_id: int) -> bool:
    """Say whether it is an OP stack chain, whose copies charge for Ethereum's part of the fee."""
    # Asked of the original: a copy says the id that it was started with, whatever it shows.
    original = Rpc(url)
    try:
        found = original.call("eth_chainId")
        l1_block = original.call("eth_getCode", L1_BLOCK, "latest")
    finally:
        original.close()
    if found != hex(chain_id):
        raise WrongChain(
            f"{parse_endpoint(url).name} serves chain {found!r}, not {hex(chain_id)}",
            fix="give the URL of the right chain",
        )
    return l1_block != "0x"


def _follow(node: Anvil, url: str, block: int) -> None:
    # Told over loopback and not as an argument: arguments of a process are public, URLs have keys.
    # What it reads is cached in its own folder, so no copy sees the storage of an earlier one.
    origin = {"forking": {"jsonRpcUrl": url, "blockNumber": block}}
    node.rpc.call("anvil_reset", origin, timeout_seconds=FORK_TIMEOUT_SECONDS)
    node.rpc.call("anvil_autoImpersonateAccount", True)  # noqa: FBT003 - the RPC's own parameter
