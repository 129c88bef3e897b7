"""What the demo tells: its steps with the time since its start, in words or as JSON lines."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.cli.context import Context


@dataclass(slots=True)
class Show:
    """Tells the demo's steps: in words with the time since its start, or as JSON lines."""

    context: Context
    began: float = field(default_factory=time.monotonic)

    def tell(self, text: str, **facts: Any) -> None:
        """One step; *facts* are what the JSON line carries beside the text."""
        from agent.cli import output

        seconds = time.monotonic() - self.began
        if self.context.json:
            step = output.for_people(text)
            output.line("demo.step", {"seconds": f"{seconds:.1f}", "text": step, **facts})
        else:
            output.show(f"\n[{seconds:2.0f}s] {text}")
            sys.stdout.flush()

    def more(self, text: str) -> None:
        """Lines that belong to the last step, for people only."""
        from agent.cli import output

        if not self.context.json:
            output.show(text)
            sys.stdout.flush()

    def end(self, body: Mapping[str, Any]) -> None:
        """The result, for programs only: the last line of the stream."""
        if self.context.json:
            sys.stdout.write(json.dumps(body) + "\n")

    def pass_on(self, event: Mapping[str, Any]) -> None:
        """An event of a run, as it came out of its process."""
        from agent.cli.events import sentence

        if self.context.json:
            sys.stdout.write(json.dumps(event) + "\n")
            sys.stdout.flush()
            return
        text = sentence(event["kind"], dict(event))
        if text:
            self.more("\n".join("  " + line for line in text.splitlines()))

    def listen(self, child: subprocess.Popen[str]) -> list[dict[str, Any]]:
        """Pass on what a run's process prints, all but its result, and return all of it."""
        events = []
        for line in child.stdout or ():
            event = json.loads(line)
            events.append(event)
            if event["kind"] not in {"run.done", "run.waiting"}:
                self.pass_on(event)
        child.wait()
        return events


def start_child(variables: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
    """Start `python -m ARGUMENTS` with *variables*; its stdout is a stream of JSON lines."""
    from agent.settings import inherited_variables

    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        env={**inherited_variables(), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
