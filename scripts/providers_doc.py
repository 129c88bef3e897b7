"""Write the table of docs/providers.md again from runs on the local chains now.

python scripts/providers_doc.py
"""

import os
import subprocess
import sys
from pathlib import Path

TEST = "tests/docs/test_providers_doc.py"


def main() -> int:
    """Run the test that compares the document, in the mode in which it writes it."""
    command = [sys.executable, "-m", "pytest", TEST]
    checkout = Path(__file__).parent.parent
    return subprocess.run(
        command, cwd=checkout, env={**os.environ, "REGENERATE": "1"}, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
