"""Arbitrum's canonical bridge on local chains: the real contracts of Ethereum's side, in place.

Bridge, Inbox, Outbox and SequencerInbox are those of @arbitrum/nitro-contracts, the router and the
gateway of tokens those of @arbitrum/token-bridge-contracts, each behind its proxy, at the addresses
of Arbitrum One (@arbitrum/sdk 4.1.0, networks). The rollup contract, which wants a whole challenge
protocol around it, and everything on the other side are stand-ins of ours.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from agent.lab.abi import call_bytes
from agent.lab.accounts import ATTENDANT
from agent.lab.contracts import Artifact
from agent.lab.places import ETHEREUM, Place
from agent.lab.puppet import Puppet, tx

BRIDGE: Final = "0x8315177ab297ba92a06054ce80a67ed4dbd7ed3a"
INBOX: Final = "0x4dbd4fc535ac27206064b68ffcf827b0a60bab3f"
OUTBOX: Final = "0x0b9857ae2d4a3dbe74ffe1d7df045bb7f96e4840"
SEQUENCER_INBOX: Final = "0x1c479675ad559dc151f6ec7ed3fbf8cee79582b6"
ROLLUP: Final = "0x4dceb440657f21083db8add07665f8ddbe1dcfc0"

ROUTER: Final = "0x72ce9c846789fdb6fc1f34ac4ad25dd9ef7031ef"
GATEWAY: Final = "0xa3a7b6f88361f48403514059f1f16c8e78d60eec"
CHILD_ROUTER: Final = "0x5288c571fd7ad117bea99bf60fe0846c4e84f933"
CHILD_GATEWAY: Final = "0x09e9222e96e7b4ae2a407b98d48e330053351eee"
RETRYABLES: Final = "0x000000000000000000000000000000000000006e"

BRIDGED: Final = "WBTC"
"""The one token of the world that crosses by the standard gateway."""

COPY_FACTORY: Final = "0x3fe38087a94903a9d946fa1915e1772fe611000f"
COPY_HASH: Final = bytes.fromhex("4b11cb57b978697e0aec0c18581326376d6463fd3f6699cbe78ee5935617082d")
"""With these two the gateway computes where its copy of a token stands on the rollup: for WBTC it
is the real address there."""

INBOUND: Final = "0xa4b1000000000000000000000000000000000001"
"""The lab's own count of what the rollup took in; on the real chain nothing stands there."""

PROXY_ADMIN: Final = "0x000000000000000000000000000000000000ad03"
"""May upgrade the four; not the treasury, because a proxy's admin cannot call through it."""

CONFIRM_PERIOD_BLOCKS: Final = 20
"""Blocks of Ethereum until an assertion counts; on the real chain 45 818, six and a half days."""

MAX_DATA_BYTES: Final = 117_964
"""Of one message, as on the real chain."""

MAX_TIME_VARIATION: Final = (5_760, 64, 86_400, 3_600)
"""Blocks and seconds by which a batch may be late and early, as on the real chain: what the
sequencer leaves out for a day anybody can force in."""

ESCROW: Final = 100_000 * 10**18
"""Wei that the bridge holds for those who come back."""

COPIES: Final = Decimal(5_000_000)
"""USD of the token that the stand-in of the rollup's gateway has to pay out."""

_BLOB_READER: Final = "0x0000000000000000000000000000000000004844"
"""Asked for blobs, which nobody posts here."""

_NO_BUFFER: Final = (0, 0, 0)
_NOBODY: Final = "0x" + "00" * 20


def put_parent(
    treasury: Puppet, third: Mapping[str, Artifact], own: Mapping[str, Artifact]
) -> None:
    """Put Ethereum's side, with the attendant as sequencer and validator; raises SetupFailed."""
    me = treasury.account
    treasury.deploy_at(ROLLUP, own["arb_rollup"], me, ATTENDANT, OUTBOX, CONFIRM_PERIOD_BLOCKS)
    put = _Proxies(treasury, third)
    put(BRIDGE, "ArbitrumBridge", (), "initialize(address)", ROLLUP)
    put(
        SEQUENCER_INBOX,
        "ArbitrumSequencerInbox",
        (MAX_DATA_BYTES, _BLOB_READER, False, False),
        "initialize(address,(uint256,uint256,uint256,uint256),(uint64,uint64,uint64),address)",
        *(BRIDGE, MAX_TIME_VARIATION, _NO_BUFFER, _NOBODY),
    )
    inbox = (BRIDGE, SEQUENCER_INBOX)
    put(INBOX, "ArbitrumInbox", (MAX_DATA_BYTES,), "initialize(address,address)", *inbox)
    put(OUTBOX, "ArbitrumOutbox", (), "initialize(address)", BRIDGE)
    treasury.send(
        tx(BRIDGE, "setSequencerInbox(address)", SEQUENCER_INBOX),
        tx(BRIDGE, "setDelayedInbox(address,bool)", *(INBOX, True)),
        tx(BRIDGE, "setOutbox(address,bool)", *(OUTBOX, True)),
        tx(SEQUENCER_INBOX, "setIsBatchPoster(address,bool)", *(ATTENDANT, True)),
        tx(BRIDGE, "acceptFundsFromOldBridge()", value=ESCROW),
    )


def put_gateway(treasury: Puppet, third: Mapping[str, Artifact]) -> None:
    """Put Ethereum's side of the token bridge, with one gateway for all; raises SetupFailed."""
    put = _Proxies(treasury, third)
    put(
        GATEWAY,
        "ArbitrumGateway",
        (),
        "initialize(address,address,address,bytes32,address)",
        *(CHILD_GATEWAY, ROUTER, INBOX, COPY_HASH, COPY_FACTORY),
    )
    put(
        ROUTER,
        "ArbitrumGatewayRouter",
        (),
        "initialize(address,address,address,address,address)",
        *(treasury.account, GATEWAY, _NOBODY, CHILD_ROUTER, INBOX),
    )


def put_child(treasury: Puppet, place: Place, own: Mapping[str, Artifact]) -> None:
    """Put what the rollup's side has beside ArbSys; raises SetupFailed."""
    token = place.tokens[BRIDGED]
    treasury.deploy_at(INBOUND, own["arb_inbound"], ATTENDANT)
    treasury.deploy_at(RETRYABLES, own["arb_retryable_tx"], ATTENDANT)
    original = ETHEREUM.tokens[BRIDGED].address
    treasury.deploy_at(CHILD_GATEWAY, own["arb_gateway"], GATEWAY, original, token.address)
    treasury.send(tx(token.address, "mint(address,uint256)", CHILD_GATEWAY, token.raw(COPIES)))


class _Proxies:
    """Puts contracts behind proxies; initialisers refuse to be called in any other place."""

    def __init__(self, treasury: Puppet, third: Mapping[str, Artifact]) -> None:
        self._treasury = treasury
        self._third = third

    def __call__(
        self, address: str, name: str, arguments: Sequence[Any], start: str, *told: Any
    ) -> None:
        code = self._treasury.deploy(self._third[name], *arguments)
        begin = bytes.fromhex(call_bytes(start, *told).removeprefix("0x"))
        proxy = self._third["ArbitrumProxy"]
        self._treasury.deploy_at(address, proxy, code, PROXY_ADMIN, begin)


def put(
    treasury: Puppet, place: Place, third: Mapping[str, Artifact], own: Mapping[str, Artifact]
) -> None:
    """Put what belongs to *place*, nothing elsewhere; raises SetupFailed."""
    if place.kind == "ethereum":
        put_parent(treasury, third, own)
        put_gateway(treasury, third)
    elif place.kind == "arbitrum":
        put_child(treasury, place, own)
