"""Fails unless lines and branches are covered as far as promised: coverage_gate.py FILE."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

# What decides about money has no untested branch; the rest may keep a few error paths of libraries.
PROMISES = (
    ("agent/core", 100),
    ("agent/engine", 100),
    ("", 90),  # all that is left of the package, taken together
)
MOST_NAMED = 20  # files of a broken promise, those with the most missing first


@dataclass(frozen=True, slots=True)
class Count:
    """How much of a part was run."""

    covered: int
    total: int

    def __add__(self, other: "Count") -> "Count":
        return Count(self.covered + other.covered, self.total + other.total)

    def reaches(self, percent: int) -> bool:
        """Return whether at least `percent` was run; exact, so that 99.99 is not 100."""
        return self.covered * 100 >= percent * self.total

    def __str__(self) -> str:
        share = 100.0 if self.total == 0 else 100 * self.covered / self.total
        return f"{self.covered}/{self.total} ({int(share * 100) / 100:.2f} %)"


@dataclass(frozen=True, slots=True)
class Part:
    """Lines and branches of one file or of many."""

    lines: Count
    branches: Count

    def reaches(self, percent: int) -> bool:
        """Return whether lines and branches, each by itself, reach `percent`."""
        return self.lines.reaches(percent) and self.branches.reaches(percent)

    @property
    def missing(self) -> int:
        """How many lines and branches were not run."""
        return sum(count.total - count.covered for count in (self.lines, self.branches))

    def __str__(self) -> str:
        return f"lines {self.lines}, branches {self.branches}"


def part(summary: dict[str, int]) -> Part:
    """Read one summary of coverage's JSON report."""
    return Part(
        lines=Count(summary["covered_lines"], summary["num_statements"]),
        branches=Count(summary["covered_branches"], summary["num_branches"]),
    )


def gate(report: dict[str, dict[str, dict[str, dict[str, int]]]]) -> tuple[list[str], bool]:
    """Return the lines to print, and whether every promise is kept."""
    found = {Path(name).as_posix(): part(file["summary"]) for name, file in report["files"].items()}
    left = {name: p for name, p in found.items() if name.startswith("agent/")}
    lines, is_kept = [], True
    for folder, percent in PROMISES:
        names = sorted(name for name in left if not folder or name.startswith(f"{folder}/"))
        parts = [left.pop(name) for name in names]
        whole = Part(
            sum((p.lines for p in parts), Count(0, 0)),
            sum((p.branches for p in parts), Count(0, 0)),
        )
        if whole.reaches(percent):
            lines.append(f"coverage: {folder or 'the rest'} keeps {percent} %: {whole}")
            continue
        is_kept = False
        lines.append(f"coverage: {folder or 'the rest'} is below {percent} %: {whole}")
        short = [(name, p) for name, p in zip(names, parts, strict=True) if not p.reaches(percent)]
        short.sort(key=lambda named: named[1].missing, reverse=True)
        lines += [f"  {name}: {p}" for name, p in short[:MOST_NAMED]]
    return lines, is_kept


def main(report_file: str) -> int:
    """Print the verdict; returns the exit code."""
    lines, is_kept = gate(json.loads(Path(report_file).read_text()))
    print("\n".join(lines))
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
