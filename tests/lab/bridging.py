"""Deposits on the SpokePools of local chains, as a wallet makes them."""

from lab.reading import ALICE, read

from agent.lab.abi import call_bytes
from agent.lab.deposits import DEPOSITED, Deposit, read_deposit
from agent.lab.puppet import Puppet, Tx, tx
from agent.lab.world import World
from agent.lab.worlds import Worlds

NOBODY = "0x" + "00" * 20
DEPOSIT = (
    "depositV3(address,address,address,address,uint256,uint256,uint256,address,"
    "uint32,uint32,uint32,bytes)"
)


def deposit(
    worlds: Worlds,
    origin: int,
    destination: int,
    symbol: str,
    amount: int,
    *,
    fee: int,
    output_token: str | None = None,
    seconds: int = 600,
    exclusive_relayer: str = NOBODY,
    message: bytes = b"",
    native: bool = False,
) -> Deposit:
    """Let Alice deposit what she is given first; *seconds* until the fill deadline."""
    near, far = worlds[origin], worlds[destination]
    near.fund(ALICE, {"ETH": 10**18, "ETH" if native else symbol: amount + 10**18 * native})
    alice = Puppet(near.rpc, ALICE)
    now = max(near.head()[1], far.head()[1])
    token, pool = near.addresses[symbol], near.addresses["spoke_pool"]
    call = call_bytes(
        DEPOSIT,
        *(ALICE, ALICE, token, output_token or far.addresses[symbol], amount, amount - fee),
        *(destination, exclusive_relayer, near.head()[1], now + seconds),
        *(seconds if exclusive_relayer != NOBODY else 0, message),
    )
    value = amount if native else 0
    if not native:
        alice.send(tx(token, "approve(address,uint256)", pool, amount))
    (receipt,) = alice.send(Tx(to=pool, input=call, value=value, what="depositing"))
    (log,) = [log for log in receipt["logs"] if log["topics"][0] == DEPOSITED]
    return read_deposit(origin, log)


def status(world: World, made: Deposit) -> int:
    """The deposit's status on its far SpokePool: 0 unfilled, 2 filled."""
    pool = world.addresses["spoke_pool"]
    (found,) = read(world, pool, "fillStatuses(bytes32)", "(uint256)", made.relay_hash)
    return int(found)
