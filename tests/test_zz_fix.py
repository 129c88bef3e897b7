def test_x(wallet):
    import time
    for a in (["plan"],["plan","--json"],["status"],["run","--json"],["status"],["run"]):
        t=time.time()
        e=wallet.command(*a)
        print(a, e.code, round(time.time()-t,2)); print(e.stdout[:3000]); print("ERR", e.stderr[:3000])
    print(wallet.nonce(), len(wallet.facts()))
    assert 0
