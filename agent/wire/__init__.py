"""Plumbing of the adapters: transports, ABI words, addresses."""
