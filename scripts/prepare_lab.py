"""Fetches and builds what local chains are made of, unless it is there; prints where it lies."""

import sys

from agent.errors import AgentError
from agent.lab.places import PLACES
from agent.lab.saved import saved_worlds
from agent.settings import find_paths


def main() -> int:
    """Return the exit code; an error is printed with what to do about it."""
    try:
        for saved in saved_worlds(find_paths().cache, PLACES).values():
            print(saved.state)
    except AgentError as error:
        print(f"error[{error.code}] {error.message}\n{error.fix}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
