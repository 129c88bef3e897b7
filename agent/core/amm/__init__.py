"""Exact integer maths of on-chain pools, equal to their contracts to the last unit."""
