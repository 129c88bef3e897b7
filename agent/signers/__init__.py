"""Signers: who holds a key and signs what the journal has reserved, one file per kind."""
