"""What hfpie can do to a photograph: one line for each task."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """A restoration task.

    verb: for messages. suffix: of the output's name beside the input. scales: on offer, the network's own first.
    weights: the checkpoint used when none is named; gan_weights: the same with --gan, empty if there is none.
    data_set: what `hfpie train` looks for without --data, the paper's. degradation: what `hfpie eval` makes of clean
    pictures unless told otherwise. flaw: what it removes, for messages; empty if it adds.
    """

    name: str
    verb: str
    suffix: str
    scales: tuple[int, ...]
    weights: str
    data_set: str
    degradation: str
    gan_weights: str = ""
    flaw: str = ""

    @property
    def scale(self) -> int:
        """The network's own."""
        return self.scales[0]

    def output_suffix(self, scale: int) -> str:
        """What is added to the name of an output of this scale."""
        return self.suffix.format(scale=scale)


TASKS = {
    task.name: task
    for task in (
        Task("denoise", "denoised", "_denoised", (1,), "compact.denoise", "SIDD", "awgn-25", flaw="noise"),
        Task("deblur", "deblurred", "_deblurred", (1,), "compact.deblur", "REDS", "gaussian-blur", flaw="blur"),
        Task("sr", "enlarged", "_x{scale}", (4, 3, 2), "compact.sr-x4", "DIV2K", "bicubic-x4", "compact.sr-x4-gan"),
    )
}
