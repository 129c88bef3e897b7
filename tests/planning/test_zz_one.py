from planning.test_greedy_properties import *
from hypothesis import reproduce_failure
from decimal import Decimal as D

@settings(deadline=None)
@reproduce_failure('6.170.15', b'AXicc2L448R8y5HJkdmRAQgZwSQEwkR4nTgSnQJ6HRkYHZkYHVnAiJ3RkZkRJAJFDI7IkBFuHukizFjUIFRSYDIARC0fhA==')
@given(problems())
def test_one(asked):
    a = plan(asked)
    open('/tmp/pc_cov/case.txt','w').write(repr((asked.policy.trigger, asked.policy.limits, asked.policy.targets, asked.policy.keep, asked.snapshot.balances, asked.decision.why, a, [(e.sell.symbol,e.buy.symbol,e.detail,e.pools,e.gas, e.ladder[:2], e.ladder[-1]) for e in asked.edges])))
    for promise in PROMISES: promise(asked, a)
