"""Multiplication and division of whole numbers with the rounding in the name."""

from __future__ import annotations


def mul_div_down(a: int, b: int, denominator: int) -> int:
    """Return a × b ÷ denominator rounded down: for what we receive.

    Exact at any size; none of the arguments may be negative, the denominator not zero.

    >>> mul_div_down(10, 10, 3)
    33
    """
    return a * b // denominator


def mul_div_up(a: int, b: int, denominator: int) -> int:
    """Return a × b ÷ denominator rounded up: for what we pay.

    Exact at any size; none of the arguments may be negative, the denominator not zero.

    >>> mul_div_up(10, 10, 3)
    34
    """
    return -(-a * b // denominator)
