"""Offers of CCTP: all but a bounded fee, from what Circle says and both chains bear out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cctp_rig import FAR, NEAR, RAW, WALLET, Burning, provider_chain

from agent.bridges._burn_message import BurnMessage
from agent.bridges._iris import Attested, Iris, Unattested
from agent.bridges.cctp import APPROVAL_GAS, CLAIM_BYTES, FAR_GAS, make
from agent.core.money import Address, ChainId
from agent.core.quote import Allowance, Call, Meaning
from agent.errors import (
    AgentError,
    BadReply,
    Contradicted,
    NoRoute,
    ProviderSilent,
    Rejected,
    Unreachable,
)
from agent.lab.accounts import TREASURY
from agent.lab.providers.cctp import MESSENGER, TRANSMITTER
from agent.lab.puppet import tx
from agent.ports import Act
from agent.provider import JSON, Offline
from agent.wire.calldata import meaning
from agent.wire.strict_json import loads

FAST_FEE = RAW // 10_000
RECORDED = json.loads(
    (Path(__file__).parents[1] / "cassettes" / "bridges" / "cctp.json").read_text()
)


def meant(burning: Burning, call: Call) -> Meaning:
    said = meaning(call, burning.bridge.layouts, account=WALLET)
    assert isinstance(said, Meaning)
    return said


@pytest.mark.parametrize(
    ("detail", "fee", "most"), [("standard", 0, 0), ("fast", FAST_FEE, FAST_FEE * 12 // 10)]
)
def test_quote_is_everything_but_a_bounded_fee(
    burning: Burning, detail: str, fee: int, most: int
) -> None:
    leg = burning.leg(detail=f"{detail}, gas for Base")
    quote = burning.quote(leg)
    assert (RAW - fee, RAW - most) == (quote.amount_out, quote.min_amount_out)
    assert (Allowance(Address(MESSENGER), quote.sell),) == quote.allowances
    assert isinstance(quote.payload, Call)
    said = meant(burning, quote.payload)
    assert (Address(MESSENGER), 0, WALLET) == (said.target, said.value, said.recipient)
    assert (RAW, RAW - most, FAR) == (said.amount_in, said.min_out, said.to_chain)
    assert (leg.sell.token.address, leg.buy.address) == (said.sell, said.buy)
    assert burning.now() + 300 == quote.expires
    assert f"CCTP, {detail}" == quote.route


def test_leg_that_says_no_way_is_standard(burning: Burning) -> None:
    assert "CCTP, standard" == burning.quote(burning.leg(detail="")).route


def test_two_edges_tell_what_time_costs(burning: Burning) -> None:
    leg = burning.leg()
    standard, fast = burning.bridge.survey([(leg.sell.token, leg.buy)], {leg.sell.token: RAW})
    assert ("standard", 1_140, RAW) == (standard.detail, standard.seconds, standard.ladder[-1][1])
    assert ("fast", 8, RAW - FAST_FEE) == (fast.detail, fast.seconds, fast.ladder[-1][1])
    assert all(edge.far_gas > 0 for edge in (standard, fast))


def test_gas_of_an_edge_covers_what_a_burn_and_its_claim_take(burning: Burning) -> None:
    leg = burning.leg(detail="fast")
    (edge, _) = burning.bridge.survey([(leg.sell.token, leg.buy)], {leg.sell.token: RAW})
    deposit = burning.burn(leg)
    assert deposit.gas_used < edge.gas - APPROVAL_GAS
    assert burning.claim(burning.track(leg, deposit)).gas_used < edge.far_gas


def test_fraction_of_a_basis_point_is_counted(burning: Burning) -> None:
    leg = burning.leg(sell=FAR, detail="fast")
    assert RAW - RAW * 13 // 100_000 == burning.quote(leg).amount_out


def test_chain_that_is_fast_anyway_has_one_way(burning: Burning) -> None:
    chains = dict(burning.options().chains)
    facts = {key: fact for key, fact in chains[NEAR].facts.items() if key != "fast_seconds"}
    chains[NEAR] = replace(chains[NEAR], facts=facts)
    burning.bridge = make(burning.options(chains=chains), burning.io)
    leg = burning.leg(detail="fast")
    (edge,) = burning.bridge.survey([(leg.sell.token, leg.buy)], {leg.sell.token: RAW})
    assert "standard" == edge.detail
    with pytest.raises(NoRoute, match="has no fast transfer"):
        burning.quote(leg)


def test_fast_transfers_end_where_their_allowance_does(burning: Burning) -> None:
    burning.worlds.tell("cctp", "set", "allowance", 1_000)
    leg = burning.leg(detail="fast")
    standard, fast = burning.bridge.survey([(leg.sell.token, leg.buy)], {leg.sell.token: RAW})
    assert (RAW, 1_000 * 10**6) == (standard.ladder[-1][0], fast.ladder[-1][0])
    with pytest.raises(NoRoute, match="takes less than that in fast transfers now"):
        burning.quote(leg)
    burning.worlds.tell("cctp", "set", "allowance", 0)
    assert 1 == len(burning.bridge.survey([(leg.sell.token, leg.buy)], {leg.sell.token: RAW}))


def test_chain_without_usdc_is_left_out(burning: Burning) -> None:
    bare = {
        ChainId(chain): replace(provider_chain(world), tokens={})
        for chain, world in burning.worlds.items()
    }
    bridge = make(burning.options(chains=bare), burning.io)
    leg = burning.leg()
    assert () == bridge.survey([(leg.sell.token, leg.buy)], {leg.sell.token: RAW})
    assert {} == bridge.targets(NEAR)


def test_nothing_is_offered_where_nobody_may_be_asked(burning: Burning) -> None:
    bridge = make(burning.options(api=""), replace(burning.io, http=Offline()))
    leg = burning.leg()
    assert () == bridge.survey([(leg.sell.token, leg.buy)], {leg.sell.token: RAW})
    with pytest.raises(NoRoute, match="nobody attests burns"):
        bridge.quote(leg, RAW, WALLET, 1, burning.now())


@pytest.mark.parametrize("mode", ["down", "limited", "nonsense", "cut"])
def test_silent_server_is_no_edge_and_no_quote(burning: Burning, mode: str) -> None:
    burning.attest(mode)
    leg = burning.leg()
    assert () == burning.bridge.survey([(leg.sell.token, leg.buy)], {leg.sell.token: RAW})
    with pytest.raises(ProviderSilent):
        burning.quote(leg)


def test_wallet_that_could_not_pay_for_the_claim_gets_no_offer(burning: Burning) -> None:
    fees = burning.nodes[FAR].fees()
    needed = fees.expected(FAR_GAS, CLAIM_BYTES)
    burning.worlds[FAR].rpc.call("anvil_setBalance", WALLET, hex(needed))
    assert RAW == burning.quote(burning.leg()).amount_out
    burning.worlds[FAR].rpc.call("anvil_setBalance", WALLET, hex(needed - 1))
    with pytest.raises(NoRoute, match="needs gas there for the claim, which your wallet does not"):
        burning.quote(burning.leg())


def test_bytes_of_a_claim_are_counted(burning: Burning) -> None:
    leg = burning.leg()
    deposit = burning.burn(leg)
    burning.mine(NEAR, 3)
    asked = burning.track(leg, deposit)
    assert isinstance(asked, Act)
    assert isinstance(asked.draft.payload, Call)
    # Mainnet has two attesters, whose signatures fill another two words.
    assert CLAIM_BYTES == len(asked.draft.payload.data) // 2 - 1 + 64 + 112


# What the chains say.


@pytest.mark.parametrize(
    ("chain", "call", "why"),
    [
        (NEAR, tx(TRANSMITTER, "pause()"), "is paused here"),
        (FAR, tx(TRANSMITTER, "pause()"), "is paused there"),
    ],
)
def test_pause_is_no_way(burning: Burning, chain: ChainId, call: Any, why: str) -> None:
    burning.puppet(chain, TREASURY).send(call)
    with pytest.raises(NoRoute, match=why):
        burning.quote(burning.leg())


def test_more_than_one_message_burns_is_no_way(burning: Burning) -> None:
    with pytest.raises(NoRoute, match="burns at most 10000000000000 base units at once"):
        burning.quote(burning.leg(10**13 + 1))


def test_least_fee_of_the_contract_is_offered_at_least(burning: Burning) -> None:
    burning.puppet(NEAR, TREASURY).send(tx(MESSENGER, "setMinFee(uint256)", 5_000))
    quote = burning.quote(burning.leg())
    left = RAW - RAW * 5 // 10_000
    assert (left, left) == (quote.amount_out, quote.min_amount_out)


def test_amount_that_the_fee_would_eat_is_no_way(burning: Burning) -> None:
    with pytest.raises(NoRoute, match="would keep all of it as its fee"):
        burning.quote(burning.leg(1, "fast"))
    leg = burning.leg()
    assert 1 == len(burning.bridge.survey([(leg.sell.token, leg.buy)], {leg.sell.token: 1}))


@pytest.mark.parametrize(
    ("signature", "answer", "why"),
    [
        ("remoteTokenMessengers(uint32)", bytes(32), "does not connect these two chains"),
        ("getLocalToken(uint32,bytes32)", bytes(31) + b"\1", "pays out another token there"),
        ("burnLimitsPerMessage(address)", None, "burns at most None base units"),
    ],
)
def test_contracts_that_do_not_fit_together_are_no_way(
    burning: Burning,
    monkeypatch: pytest.MonkeyPatch,
    signature: str,
    answer: bytes | None,
    why: str,
) -> None:
    answering(burning, monkeypatch, signature, answer)
    with pytest.raises(NoRoute, match=why):
        burning.quote(burning.leg())


def test_messenger_without_a_least_fee_asks_for_none(
    burning: Burning, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(burning, monkeypatch, "getMinFeeAmount(uint256)", None)
    assert RAW == burning.quote(burning.leg()).min_amount_out


def test_answer_that_is_no_word_is_a_bad_reply(
    burning: Burning, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(burning, monkeypatch, "localMinter()", b"\1")
    with pytest.raises(BadReply, match="does not answer as it should"):
        burning.quote(burning.leg())


def answering(
    burning: Burning, monkeypatch: pytest.MonkeyPatch, signature: str, answer: bytes | None
) -> None:
    """Let one function of both chains' contracts answer something else."""
    from agent.wire.keccak import selector

    four = selector(signature)

    def instead(read: Callable[..., Any]) -> Callable[..., Any]:
        def told(reads: Any, *more: Any) -> Any:
            found = read(reads, *more)
            return tuple(
                answer if each.data.startswith(four) else said
                for each, said in zip(reads, found, strict=True)
            )

        return told

    for node in burning.nodes.values():
        monkeypatch.setattr(node, "read", instead(node.read))


# What Circle's server says.


class Says:
    """An Http port that says one thing."""

    def __init__(self, answer: JSON | AgentError) -> None:
        self.answer = answer
        self.asked: list[tuple[str, Any]] = []

    def get(self, url: str, query: Any, *, headers: Any = None) -> JSON:
        self.asked.append((url, dict(query)))
        if isinstance(self.answer, AgentError):
            raise self.answer
        return self.answer

    def post(self, url: str, body: JSON, *, headers: Any = None) -> JSON:
        return self.get(url, {"body": body})


def saying(text: str | AgentError) -> tuple[Iris, Says]:
    http = Says(text if isinstance(text, AgentError) else loads(text.encode()))
    return Iris(http, "https://iris"), http


def test_documented_fees_are_read_by_threshold() -> None:
    iris, http = saying(json.dumps(RECORDED["fees"]["body"]))
    assert {1_000: Decimal(1), 2_000: Decimal(0)} == iris.fees(0, 6)
    assert [("https://iris/v2/burn/USDC/fees/0/6", {})] == http.asked


def test_documented_allowance_is_read() -> None:
    iris, http = saying('{"allowance": 99999999225.24174, "lastUpdated": "2025-12-02T13:17:02Z"}')
    assert Decimal("99999999225.24174") == iris.allowance()
    assert [("https://iris/v2/fastBurn/USDC/allowance", {})] == http.asked


def test_recorded_message_is_the_burn_s_own() -> None:
    body = RECORDED["messages"]["body"]
    told = BurnMessage(bytes.fromhex(body["messages"][0]["message"][2:]))
    sent = BurnMessage(told.bare)
    iris, http = saying(json.dumps(body))
    found = iris.attested(0, "0xab", sent)
    assert isinstance(found, Attested)
    assert (told, 130) == (found.message, len(found.attestation))
    assert (1_000_000, 500, 100, 42_809_670) == (told.amount, told.max_fee, told.fee, told.expires)
    assert body["messages"][0]["eventNonce"] == "0x" + told.nonce.hex()
    assert [("https://iris/v2/messages/0", {"transactionHash": "0xab"})] == http.asked
    other = BurnMessage(sent.raw[:-1] + b"\1")
    with pytest.raises(Contradicted, match="tells of another message for transaction 0xab"):
        iris.attested(0, "0xab", other)


def test_new_attestation_is_asked_for_by_its_number() -> None:
    iris, http = saying('{"message": "ok", "nonce": "1"}')
    iris.reattest(bytes(31) + b"\7")
    assert [(f"https://iris/v2/reattest/0x{7:064x}", {"body": None})] == http.asked


SENT = BurnMessage(bytes(376))


def message(**changed: Any) -> str:
    row = {
        "message": "0x" + "00" * 376,
        "attestation": "0x" + "11" * 65,
        "status": "complete",
        "delayReason": None,
    }
    return json.dumps({"messages": [{**row, **changed}]})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"messages": []}', ""),
        (message(status="pending_confirmations", attestation="PENDING", message="0x"), ""),
        (
            message(status="pending_confirmations", delayReason="insufficient_fee"),
            "insufficient_fee",
        ),
        (message(status="pending", delayReason="\x1b[31m" * 40), "\\x1b[31m\\x1b[31m"),
        (message(attestation="PENDING", delayReason=7), ""),
        (Rejected("no", fix="none", status=404), ""),
    ],
)
def test_message_that_is_not_attested_yet_is_waited_for(text: Any, why: str) -> None:
    found = saying(text)[0].attested(0, "0xab", SENT)
    assert isinstance(found, Unattested)
    assert found.why.startswith(why)
    assert len(found.why) <= 60
    assert found.why.isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"messages": {}}',
        '{"messages": [7]}',
        message(attestation=None),
        message(attestation="0x"),
        message(attestation="0x" + "11" * 64),
        message(attestation="0x1"),
        message(message=None),
        message(message="0x" + "00" * 375),
        message(message="zz"),
    ],
)
def test_answer_that_cannot_be_meant_is_a_bad_reply(text: str) -> None:
    with pytest.raises(BadReply, match="cannot be meant"):
        saying(text)[0].attested(0, "0xab", SENT)


@pytest.mark.parametrize(
    "fault", [Rejected("no", fix="none", status=400), Unreachable("down", fix="wait")]
)
def test_other_noes_of_the_message_server_are_told_as_they_are(fault: AgentError) -> None:
    with pytest.raises(type(fault)):
        saying(fault)[0].attested(0, "0xab", SENT)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{}", ProviderSilent),
        ("[7]", ProviderSilent),
        ('[{"finalityThreshold": 1000}]', ProviderSilent),
        ('[{"finalityThreshold": 1000, "minimumFee": -1}]', ProviderSilent),
        ('[{"finalityThreshold": 1000, "minimumFee": true}]', ProviderSilent),
        ('[{"finalityThreshold": 1000, "minimumFee": 10000}]', ProviderSilent),
        ('[{"finalityThreshold": 1000, "minimumFee": 1e60}]', ProviderSilent),
        ('[{"finalityThreshold": "1000", "minimumFee": 1}]', ProviderSilent),
        (Rejected("no", fix="none", status=404), NoRoute),
        (Rejected("no", fix="none", status=400), Rejected),
        (Unreachable("down", fix="wait"), ProviderSilent),
    ],
)
def test_fees_that_are_none_are_no_offer(text: Any, error: type[AgentError]) -> None:
    with pytest.raises(error):
        saying(text)[0].fees(0, 6)


def test_allowance_that_is_none_is_silence() -> None:
    with pytest.raises(ProviderSilent):
        saying('{"allowance": null}')[0].allowance()
