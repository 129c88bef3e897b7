"""All errors, classed by what the operator can do about them.

| class             | what the operator does              | codes | exit |
|-------------------|-------------------------------------|-------|------|
| ConfigError       | fix the configuration               | C1xx  | 2    |
| KeyProblem        | give a key or a password            | K1xx  | 4    |
| Declined          | confirm, or allow it in the policy  | D1xx  | 5    |
| RefusedByGuard    | accept the refusal                  | Gxxx  | 6    |
| SimulationFailed  | look at the simulation, plan again  | S1xx  | 7    |
| Unavailable       | wait, or use another node           | N1xx  | 8    |
| Pending           | resume later                        | P1xx  | 9    |
| NeedsHuman        | look at stuck money                 | H1xx  | 10   |
| Busy              | let the other run finish            | L1xx  | 75   |
| Broken            | repair the machine, then go on      | X1xx  | 1    |

Every error says what happened (`message`), what was not done (`nothing_signed`), and what
to do (`fix`). Guard refusals are values (`agent.core.verdict`); they become an error only
at the border. `rebalancer explain CODE` has the long text of each code.
"""

from __future__ import annotations


class AgentError(Exception):
    """Something that the operator must know; never raised without a code and a fix.

    `message` says what happened, `fix` the next command or deed, `nothing_signed` whether
    the process can vouch that it signed nothing.
    """

    exit = 1
    code = "X100"

    def __init__(
        self, message: str, *, fix: str, code: str | None = None, nothing_signed: bool = True
    ) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.nothing_signed = nothing_signed
        if code is not None:
            self.code = code


class ConfigError(AgentError):
    """The configuration cannot be meant as it stands."""

    exit = 2
    code = "C100"


class KeyProblem(AgentError):
    """A key or a password is needed, wrong, or not safe to use."""

    exit = 4
    code = "K100"


class Declined(AgentError):
    """A person said no, or nobody was there to say yes."""

    exit = 5
    code = "D100"


class RefusedByGuard(AgentError):
    """A rule of the policy or of safety said no."""

    exit = 6
    code = "G100"


class SimulationFailed(AgentError):
    """The simulated run did not do what the plan says."""

    exit = 7
    code = "S100"


class Unavailable(AgentError):
    """A node or a provider does not answer, or not usefully."""

    exit = 8
    code = "N100"


class Pending(AgentError):
    """The run goes on later."""

    exit = 9
    code = "P100"


class NeedsHuman(AgentError):
    """A person must look before anything else is signed."""

    exit = 10
    code = "H100"


class Busy(AgentError):
    """Another process holds the account."""

    exit = 75
    code = "L100"


class Broken(AgentError):
    """The machine under the agent fails: disk, port, installation."""

    exit = 1
    code = "X100"


class Fenced(Exception):  # noqa: N818  not an error: the other one goes on
    """Another process appended first; this one stops quietly and reads again."""


class BadReply(Unavailable):
    """A node or a provider answered with something that cannot be meant."""

    code = "N104"


class ConfigFileMissing(ConfigError):
    """A configuration file is not there or cannot be read."""

    code = "C101"


class UnknownKey(ConfigError):
    """A key that the program does not know: a typo changes what money does."""

    code = "C102"


class WrongType(ConfigError):
    """A value of another type than the key takes."""

    code = "C103"


class WrongValue(ConfigError):
    """A value that contradicts itself or another one, such as weights that are not the whole."""

    code = "C104"


class TokenMismatch(ConfigError):
    """A token on chain is not what the configuration says, such as other decimals."""

    code = "C105"


class OverlayRefused(ConfigError):
    """A local overlay that does not speak of local chains only."""

    code = "C106"


class KeyMissing(KeyProblem):
    """No key or no password was given."""

    code = "K101"


class WrongPassword(KeyProblem):
    """The password does not open the key file."""

    code = "K102"


class KeyFileUnsafe(KeyProblem):
    """The key file can be read by others, is a link, or belongs to someone else."""

    code = "K103"


class KeyMismatch(KeyProblem):
    """The key belongs to another address than the wallet's."""

    code = "K104"


class KeyNotAllowed(KeyProblem):
    """This kind of key must not sign here."""

    code = "K105"


class Unreachable(Unavailable):
    """A node cannot be reached."""

    code = "N101"


class WrongChain(Unavailable):
    """A node serves another chain than the one it stands for."""

    code = "N102"


class RateLimited(Unavailable):
    """A node or provider asks to wait, perhaps for so many `seconds`."""

    code = "N103"

    def __init__(self, message: str, *, fix: str, seconds: float = 0.0) -> None:
        super().__init__(message, fix=fix)
        self.seconds = seconds


class NoSimulator(Unavailable):
    """Neither local forks nor the node can simulate."""

    code = "N105"


class StaleHead(Unavailable):
    """A node's newest block is too old to decide on."""

    code = "N106"


class NoRoute(Unavailable):
    """A venue or bridge has no way between two tokens."""

    code = "N107"


class Contradicted(Unavailable):
    """A provider's answer contradicts what is known without it."""

    code = "N108"


class ProviderSilent(Unavailable):
    """A provider gave no usable answer, also when it was asked again."""

    code = "N109"


class Rejected(Unavailable):
    """A provider understood a question and says no.

    `status` is that of HTTP and `reply` what its body holds as JSON, None where that is none: it
    is foreign, so it decides what is asked next and is never shown.
    """

    code = "N110"

    def __init__(self, message: str, *, fix: str, status: int = 0, reply: object = None) -> None:
        super().__init__(message, fix=fix)
        self.status = status
        self.reply = reply


class NoticeUndelivered(Unavailable):
    """A notice did not reach whom it was for; money does not depend on it."""

    code = "N111"


class RunOpen(Pending):
    """An earlier run of the account is not finished."""

    code = "P101"


class JournalCorrupt(NeedsHuman):
    """The journal was edited or damaged; nothing is signed on it."""

    code = "H101"


class Unreconciled(NeedsHuman):
    """An earlier run of the account ended with money that nobody explained."""

    code = "H102"


class KeeperStopped(NeedsHuman):
    """The keeper met the same refusal too often and begins nothing more."""

    code = "H103"


class DiskFull(Broken):
    """The journal cannot be written, so nothing may be signed."""

    code = "X101"


class PortInUse(Broken):
    """A local port is taken by another process."""

    code = "X102"


class SetupFailed(Broken):
    """A part of the local chains could not be fetched or built."""

    code = "X103"


class ExtraMissing(Broken):
    """An optional part of the program is asked for and not installed."""

    code = "X104"


class Locked(Busy):
    """Another run holds the account's lock."""

    code = "L101"
