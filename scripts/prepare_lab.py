"""Fetches and builds what local chains are made of, unless it is there; prints where it lies.

With ``--tests`` it fetches what only tests put there.
"""

import sys

from agent.errors import AgentError
from agent.lab.packages import fetch_packages
from agent.lab.pins import sushiswap_v2_pins, uniswap_v4_pins
from agent.lab.places import PLACES
from agent.lab.saved import saved_worlds
from agent.settings import find_paths


def main() -> int:
    """Return the exit code; an error is printed with what to do about it."""
    try:
        if sys.argv[1:] == ["--tests"]:
            fetch_packages(find_paths().cache, [*uniswap_v4_pins(), *sushiswap_v2_pins()])
            return 0
        for saved in saved_worlds(find_paths().cache, PLACES).values():
            print(saved.state)
    except AgentError as error:
        print(f"error[{error.code}] {error.message}\n{error.fix}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
