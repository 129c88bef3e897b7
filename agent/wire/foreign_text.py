"""Text from strangers, cut and escaped before anybody reads it."""


def plain(text: str, *, at_most: int) -> str:
    """Cut foreign text and escape what a terminal would obey: control, bidi, lone surrogates.

    >>> plain("a\\x1b[31mb", at_most=80)
    'a\\\\x1b[31mb'
    """
    cut = text[:at_most]
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)[:at_most]
