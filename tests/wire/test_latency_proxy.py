"""The benchmark's proxy: forwards unchanged, counts every request, and ends with its parent."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from wire.faulty_node import echoes, faulty_node, resets

from agent.wire.rpc import Rpc, RpcUnavailable

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench" / "latency_proxy.py"


def test_latency_proxy_forwards_everything_and_counts_each_request_once() -> None:
    with faulty_node(echoes, echoes, echoes, resets) as node:
        command = [sys.executable, str(SCRIPT), str(node.port), "2"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as proxy:
            assert proxy.stdin is not None
            assert proxy.stdout is not None
            rpc = Rpc(f"http://127.0.0.1:{proxy.stdout.readline().strip()}", retries=0)
            large = "x" * 1_000_000
            assert [[large], ["y"]] == [rpc.call("eth_call", text) for text in (large, "y")]
            assert [[1], [2]] == rpc.batch([("eth_call", [1]), ("eth_call", [2])])
            with pytest.raises(RpcUnavailable, match="closed without a whole reply"):
                rpc.call("eth_sendRawTransaction", "0x")
            rpc.close()
            seen = []
            for _ in range(2):
                proxy.stdin.write("\n")
                proxy.stdin.flush()
                seen.append(json.loads(proxy.stdout.readline()))
            assert (2, 4) == (seen[0]["connections"], seen[0]["requests"])
            assert seen[0]["bytes_up"] > len(large) < seen[0]["bytes_down"]
            # An empty read at a connection's end may still be told, as nothing.
            assert not any(seen[1].values())
            proxy.stdin.close()
            assert 0 == proxy.wait(timeout=30)
