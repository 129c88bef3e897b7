"""Keeps a self-custody portfolio at its target weights across EVM chains."""

__version__ = "0.1.0"
