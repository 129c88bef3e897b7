"""Walls around money: exact numbers, one clock, one environment, no signature outside an intent."""

import ast
from collections.abc import Iterator
from pathlib import Path

from house.tree import Breach, dotted_name, modules

_INTEGER_MATHS = {
    "ceil",
    "comb",
    "factorial",
    "floor",
    "gcd",
    "isqrt",
    "lcm",
    "perm",
    "prod",
    "trunc",
}
_TALKATIVE = {"open", "print", "input", "eval", "exec", "compile", "__import__", "breakpoint"}

# The only module that reads the time of day; everything else is given a Clock.
CLOCK_ADAPTERS = ("wire.clock",)
# Rooms that wait for sockets, processes and locks, by time that only runs forward.
WAITING_ROOMS = ("wire", "chain", "stores", "lab", "cli")
_TIME_OF_DAY = {
    *(f"time.{name}" for name in ("time", "time_ns", "localtime", "gmtime", "ctime", "strftime")),
    *(f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")),
    "time.clock_gettime",
    "datetime.date.today",
}

ENVIRONMENT_READER = "settings"
_ENVIRONMENT = {
    *(f"os.{name}" for name in ("environ", "environb", "getenv", "getenvb", "putenv", "unsetenv")),
    "os.path.expandvars",
    "dotenv",
}

# Each of these signs something that is not a decoded intent: authorizations hand an account's code
# to somebody else, raw hashes and personal messages can mean anything.
_BLANK_CHEQUES = {
    "SignableMessage",
    "defunct_hash_message",
    "encode_defunct",
    "encode_intended_validator",
    "eth_sign",
    "personal_sign",
    "signHash",
    "sign_authorization",
    "sign_hash",
    "sign_message",
    "sign_msg",
    "sign_msg_hash",
    "sign_msg_hash_non_recoverable",
    "sign_msg_non_recoverable",
    "sign_recoverable",
    "unsafe_sign_hash",
}
# These sign what can be decoded; still nobody's business outside the signers.
_SIGNATURES = {"sign_transaction", "sign_typed_data"}


def exact_core(root: Path) -> Iterator[Breach]:
    """The core has no float: no literal, no conversion, no function of floats."""
    for module in modules(root):
        if not module.is_in("core"):
            continue
        for node, name in module.imports():
            if name.startswith("math.") and name.removeprefix("math.") not in _INTEGER_MATHS:
                yield module.breach(node, f"{name} works on floats")
        for node in module.nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
                yield module.breach(node, f"float literal {node.value!r} in the core")
            elif isinstance(node, ast.Call) and dotted_name(node.func) in {"float", "complex"}:
                yield module.breach(node, "conversion to float in the core")
            elif isinstance(node, ast.Attribute) and module.resolve(node).startswith("math."):
                if node.attr in _INTEGER_MATHS:
                    continue
                yield module.breach(node, f"math.{node.attr} works on floats")


def silent_core(root: Path) -> Iterator[Breach]:
    """The core, planning, weights and ports call nothing that reads or writes."""
    for module in modules(root):
        if not module.is_in("core", "planning", "weights", "ports", "errors"):
            continue
        for node in module.nodes:
            if isinstance(node, ast.Call) and dotted_name(node.func) in _TALKATIVE:
                yield module.breach(node, f"{dotted_name(node.func)}() in a pure room")


def one_clock(root: Path) -> Iterator[Breach]:
    """The time of day comes from one adapter; waiting is left to the rooms that wait."""
    for module in modules(root):
        if module.is_in(*CLOCK_ADAPTERS):
            continue
        for node, name in module.imports():
            if name in _TIME_OF_DAY:
                yield module.breach(node, f"{name} reads the time of day")
            elif name == "time" and not module.is_in(*WAITING_ROOMS):
                yield module.breach(node, "time is imported outside the rooms that wait")
        for node in module.nodes:
            if isinstance(node, ast.Attribute) and module.resolve(node) in _TIME_OF_DAY:
                yield module.breach(node, f"{module.resolve(node)} reads the time of day")


def one_environment(root: Path) -> Iterator[Breach]:
    """Only the settings read the environment."""
    for module in modules(root):
        if module.is_in(ENVIRONMENT_READER):
            continue
        seen = set()
        names = [(node, name) for node, name in module.imports()]
        names += [(n, module.resolve(n)) for n in module.nodes if isinstance(n, ast.Attribute)]
        for node, name in names:
            if name in _ENVIRONMENT and (node, name) not in seen:
                seen.add((node, name))
                yield module.breach(node, f"{name} is the settings' to read")


def no_blank_cheques(root: Path) -> Iterator[Breach]:
    """No code path signs anything but an intent that can be decoded."""
    for module in modules(root):
        for node in module.nodes:
            for name in _names(node):
                if name in _BLANK_CHEQUES:
                    yield module.breach(node, f"{name} signs more than an intent")
                elif name in _SIGNATURES and not module.is_in("signers"):
                    yield module.breach(node, f"{name} outside the signers")


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.alias):
        yield node.name.rpartition(".")[2]
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value  # getattr(account, "…"), or the name of an RPC method


def caught_errors(root: Path) -> Iterator[Breach]:
    """No error vanishes: no bare except, and none for everything that does nothing."""
    for module in modules(root):
        for node in module.nodes:
            if not isinstance(node, ast.ExceptHandler):
                continue
            if node.type is None:
                yield module.breach(node, "bare except")
            elif _catches_all(node.type) and all(_is_idle(line) for line in node.body):
                yield module.breach(node, "every error is caught and forgotten")


def _catches_all(caught: ast.expr) -> bool:
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(dotted_name(kind) in {"Exception", "BaseException"} for kind in kinds)


def _is_idle(line: ast.stmt) -> bool:
    is_ellipsis = isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)
    return isinstance(line, ast.Pass | ast.Continue) or is_ellipsis
