"""Runs a test that compares a document in the mode in which it writes it."""

import os
import subprocess
import sys
from pathlib import Path


def regenerate(test: str) -> int:
    """Let *test* write its document again; returns its exit code."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", test],
        cwd=Path(__file__).parent.parent,
        env={**os.environ, "REGENERATE": "1"},
        check=False,
    ).returncode
