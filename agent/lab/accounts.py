"""The lab's own accounts: addresses without a key, moved only by the local nodes themselves."""

from typing import Final

from agent.wire.keccak import keccak256


def _address(role: str) -> str:
    return "0x" + keccak256(f"rebalancer lab {role}".encode())[12:].hex()


TREASURY: Final = _address("treasury")
"""Owns and funds everything."""

ATTENDANT: Final = _address("attendant")
"""Repeats the feeds, fills deposits and plays the hub. Not the treasury: it works in a process of
its own, and two senders on one account would take each other's nonces."""
