"""What came out, as a table for people and as data."""

from __future__ import annotations

import platform
import statistics
from dataclasses import asdict, dataclass, field

from bench import Figures
from subjects import BASE
from workloads import WORKLOADS


@dataclass
class Result:
    """The rounds of one proxy on one workload, or why there are none."""

    rounds: list[Figures | None] = field(default_factory=list)
    """None where a round failed."""
    failure: str = ""

    def medians(self) -> Figures:
        good = [figures for figures in self.rounds if figures]
        return {name: statistics.median(figures[name] for figures in good) for name in (good or [{}])[0]}

    def ratios(self, base: Result | None) -> Figures:
        """Medians over the rounds of the ratio to *base* in the same round."""
        pairs = [
            (ours, theirs) for ours, theirs in zip(self.rounds, base.rounds if base else [], strict=False)
        ]
        good = [(ours, theirs) for ours, theirs in pairs if ours and theirs]
        names = [name for name, value in (good[0][1] if good else {}).items() if value > 0]
        return {
            name: statistics.median(ours[name] / theirs[name] for ours, theirs in good if theirs[name] > 0)
            for name in names
        }


Results = dict[str, dict[str, Result]]
"""By workload, then by proxy."""


def markdown(results: Results) -> str:
    return "\n".join(_table(workload, by_subject) for workload, by_subject in results.items())


def _table(workload: str, results: dict[str, Result]) -> str:
    columns = list(dict.fromkeys(name for result in results.values() for name in result.medians()))
    base = results.get(BASE)
    lines = [f"### {workload}: {WORKLOADS[workload].what}", ""]
    lines += [f"| | {' | '.join(columns or ['figure'])} |", "|---|" + "---|" * max(len(columns), 1)]
    for subject, result in results.items():
        medians, ratios = result.medians(), result.ratios(base)
        cells = [_cell(medians[name], ratios.get(name)) for name in columns if medians] or [
            f"failed: {result.failure}"
        ]
        lines.append(f"| {subject} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _cell(value: float, ratio: float | None) -> str:
    shown = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return shown if ratio is None else f"{shown} (x {ratio:.3g})"


def data(results: Results, seconds: int) -> dict[str, object]:
    """All figures of all rounds, and what they were measured with."""
    return {
        "machine": {"python": platform.python_version(), "platform": platform.platform()},
        "seconds": seconds,
        "workloads": {
            workload: {
                subject: asdict(result)
                | {"medians": result.medians(), "ratios": result.ratios(by_subject.get(BASE))}
                for subject, result in by_subject.items()
            }
            for workload, by_subject in results.items()
        },
    }
