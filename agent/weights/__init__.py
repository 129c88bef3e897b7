"""Target weights out of names, sizes or past prices: a proposal for a person, read by no run.

Only `rebalancer weights` uses this room. Methods work in floats, as statistics do; what leaves
the room are whole basis points that sum to the whole.
"""

from agent.weights.bounds import Bounds
from agent.weights.cells import read_history, read_sizes
from agent.weights.history import History
from agent.weights.methods import METHODS, Method, by_history, by_size, equally
from agent.weights.risk import Risk, risks

__all__ = [
    "METHODS",
    "Bounds",
    "History",
    "Method",
    "Risk",
    "by_history",
    "by_size",
    "equally",
    "read_history",
    "read_sizes",
    "risks",
]
