"""Journals: where facts are kept in order, one file per kind of store."""
