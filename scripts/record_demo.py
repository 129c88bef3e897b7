"""Run `rebalancer demo` and write what it prints, as it prints it, to docs/demo.svg.

python scripts/record_demo.py [--out FILE] [-- ARGUMENTS OF DEMO]
"""

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

FILE = Path(__file__).resolve().parents[1] / "docs" / "demo.svg"

ROWS, COLUMNS = 34, 104
"""Size of the terminal that is drawn; longer lines are cut."""

LINE, CELL, EDGE = 18, 7.83, 14
"""Height of a line, width of a cell of the 13 px font, and margin, in pixels."""

HOLD_SECONDS = 8.0
"""How long the end stands before it all begins again."""

HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" \
font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="13">
<title>rebalancer demo: what it prints, in its own time</title>
<style>
.l{{fill:#d8dee9;white-space:pre;opacity:0;animation:{total:.1f}s steps(1,end) infinite}}
.h{{fill:#8fbcbb}} .ok{{fill:#a3be8c}} .no{{fill:#bf616a}}
#s{{animation:s {total:.1f}s steps(1,end) infinite}}
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One line, and the seconds after the start at which it was there."""

    at: float
    text: str


def record(command: list[str]) -> tuple[list[Line], int]:
    """Run *command* and return its lines and its exit code."""
    began = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = [
        Line(time.monotonic() - began, text)
        for block in child.stdout or ()
        for text in [block.rstrip("\n")]
    ]
    return lines, child.wait()


def tone(text: str) -> str:
    """The class of a line by what it tells."""
    if text.startswith(("[", "$")):
        return "l h"
    if "✗" in text:
        return "l no"
    return "l ok" if "✓" in text else "l"


def drawing(lines: list[Line]) -> str:
    """An SVG that shows *lines* one after the other, scrolls, and begins again."""
    total = lines[-1].at + HOLD_SECONDS
    width, height = round(COLUMNS * CELL + 2 * EDGE), ROWS * LINE + 2 * EDGE
    styles, texts, scroll = [], [], ["0%{transform:translateY(0)}"]
    for number, line in enumerate(lines):
        start = 100 * line.at / total
        styles.append(f"@keyframes k{number}{{0%{{opacity:0}}{start:.3f}%{{opacity:1}}}}")
        y = EDGE + LINE * (number + 0.75)
        texts.append(
            f'<text class="{tone(line.text)}" style="animation-name:k{number}" x="{EDGE}" '
            f'y="{y:.1f}" xml:space="preserve">{escape(line.text[:COLUMNS])}</text>'
        )
        if number >= ROWS:
            up = LINE * (number - ROWS + 1)
            scroll.append(f"{start:.3f}%{{transform:translateY(-{up}px)}}")
    frame = f'<rect width="{width}" height="{height}" rx="8" fill="#2e3440"/>'
    clip = f'<clipPath id="c"><rect width="{width}" height="{height - EDGE / 2}"/></clipPath>'
    return "\n".join(
        [
            HEAD.format(width=width, height=height, total=total),
            *styles,
            f"@keyframes s{{{''.join(scroll)}}}",
            "</style>",
            clip,
            frame,
            '<g clip-path="url(#c)"><g id="s">',
            *texts,
            "</g></g></svg>\n",
        ]
    )


def main() -> int:
    """Return the exit code of the demo; the drawing is written only when it is 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=FILE)
    parser.add_argument("more", nargs="*")
    chosen = parser.parse_args()
    command = [sys.executable, "-u", "-m", "agent", "demo", *chosen.more]
    lines, code = record(command)
    if code == 0:
        chosen.out.write_text(drawing([Line(0.0, "$ rebalancer demo"), *lines]), encoding="utf-8")
        print(f"{chosen.out}: {len(lines)} lines, {lines[-1].at:.1f} s")
    return code


if __name__ == "__main__":
    sys.exit(main())
