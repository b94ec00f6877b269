"""Plot validation scores against hours from the logs of runs (needs matplotlib).

    python tools/plot_runs.py OUT.png COLUMN LOG.csv ...

COLUMN is a degradation of the log, such as awgn-25.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import matplotlib.pyplot as plt


def main() -> None:
    out, column, *logs = sys.argv[1:]
    figure, axes = plt.subplots(figsize=(7, 4))
    for log in logs:
        with Path(log).open(newline="") as file:
            rows = list(csv.DictReader(file))
        axes.plot([float(r["hours"]) for r in rows], [float(r[column]) for r in rows], marker=".", label=Path(log).stem)
    axes.set(xlabel="hours on 2 cores", ylabel=f"{column}, dB")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main()
