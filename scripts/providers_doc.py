"""Write the table of docs/providers.md again from runs on the local chains now.

python scripts/providers_doc.py
"""

import sys

from scripts.regenerate import regenerate

if __name__ == "__main__":
    sys.exit(regenerate("tests/docs/test_providers_doc.py"))
