"""Arbitrum's canonical bridge on local chains: the real contracts of Ethereum's side, in place.

Bridge, Inbox, Outbox and SequencerInbox are those of @arbitrum/nitro-contracts, each behind its
proxy, at the addresses of Arbitrum One (@arbitrum/sdk 4.1.0, networks). The rollup contract, which
wants a whole challenge protocol around it, and everything on the other side are stand-ins of ours.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from agent.lab.abi import call_bytes
from agent.lab.accounts import ATTENDANT
from agent.lab.contracts import Artifact
from agent.lab.places import Place
from agent.lab.puppet import Puppet, tx

BRIDGE: Final = "0x8315177ab297ba92a06054ce80a67ed4dbd7ed3a"
INBOX: Final = "0x4dbd4fc535ac27206064b68ffcf827b0a60bab3f"
OUTBOX: Final = "0x0b9857ae2d4a3dbe74ffe1d7df045bb7f96e4840"
SEQUENCER_INBOX: Final = "0x1c479675ad559dc151f6ec7ed3fbf8cee79582b6"
ROLLUP: Final = "0x4dceb440657f21083db8add07665f8ddbe1dcfc0"

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


def put_child(treasury: Puppet, own: Mapping[str, Artifact]) -> None:
    """Put what the rollup's side has beside its precompiles; raises SetupFailed."""
    treasury.deploy_at(INBOUND, own["arb_inbound"], ATTENDANT)


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
    elif place.kind == "arbitrum":
        put_child(treasury, own)
