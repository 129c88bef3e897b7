"""Local chains of real contracts."""
