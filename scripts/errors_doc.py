"""Write docs/errors.md again from what the commands print now.

python scripts/errors_doc.py
"""

import sys

from scripts.regenerate import regenerate

if __name__ == "__main__":
    sys.exit(regenerate("tests/docs/test_errors_doc.py"))
