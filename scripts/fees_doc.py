"""Write the table of docs/fees.md again from what wallets pay on the local chains now.

python scripts/fees_doc.py
"""

import sys

from scripts.regenerate import regenerate

if __name__ == "__main__":
    sys.exit(regenerate("tests/docs/test_fees_doc.py"))
