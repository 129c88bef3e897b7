"""The local world: Ethereum's chain id, contracts and addresses on this machine alone."""

import gzip
import hashlib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from agent.errors import SetupFailed
from agent.lab import mainnet
from agent.lab.anvil import Anvil, start_anvil
from agent.lab.build import Built, LabPool, as_answer, build_world, mint
from agent.lab.compiled import compiled_contracts
from agent.lab.mainnet import CHAIN_ID, FEED_DECIMALS, FEEDS, GENESIS_TIME, TOKENS
from agent.lab.packages import artifacts, fetch_packages, node_binary
from agent.lab.pins import contract_pins, node_pin
from agent.lab.puppet import Puppet, Tx, tx
from agent.lab.sealed import is_sealed, only_one, read_sealed, seal
from agent.wire.keccak import keccak256

TREASURY: Final = "0x" + keccak256(b"rebalancer lab treasury")[12:].hex()
"""Owns and funds everything; an address without a key, moved only by the node itself."""

STATE: Final = "state.json"
FACTS: Final = "facts.json"
