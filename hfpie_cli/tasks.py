"""The tasks, a row each, which defines the command, its messages and defaults."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Task:
    """A restoration task, and the command `hfpie NAME`."""

    name: str
    """Name of the command."""
    verb: str
    """Past participle, for messages."""
    suffix: str
    """Added to an output's name beside the input; `{scale}` is filled in."""
    scales: tuple[int, ...] = (1,)
    """Scales to choose from, the network's own first."""
    weights: str
    """Checkpoint used by default."""
    gan_weights: str = ""
    """Checkpoint used with --gan; empty if there is none."""
    data_set: str
    """Data set that `hfpie train` looks for without --data: the paper's."""
    degradation: str
    """Degradation that `hfpie eval` applies to clean pictures by default."""
    hard_degradation: str
    """Degradation that needs every scale of the network: `hfpie weights info --parts` measures with it."""
    flaw: str = ""
    """What it removes, for messages; empty for enlargement."""
    summary: str
    """Help text of the command."""
    examples: tuple[str, ...]
    """Command lines for the help."""

    @property
    def scale(self) -> int:
        """The network's own."""
        return self.scales[0]

    @property
    def enlarges(self) -> bool:
        """Whether outputs are larger than inputs."""
        return self.scale > 1

    def output_suffix(self, scale: int) -> str:
        """What is added to the name of an output of this scale."""
        return self.suffix.format(scale=scale)


TASKS = {
    task.name: task
    for task in (
        Task(
            name="denoise",
            verb="denoised",
            suffix="_denoised",
            weights="compact.denoise",
            data_set="SIDD",
            degradation="awgn-25",
            hard_degradation="awgn-50",
            flaw="noise",
            summary="Remove the noise of phones and night shots, JPEG artefacts and Gaussian noise, at any level.",
            examples=(
                "hfpie denoise photo.png",
                "hfpie denoise holiday/ -o clean/",
                "hfpie denoise night.jpg --strength 0.7",
            ),
        ),
        Task(
            name="deblur",
            verb="deblurred",
            suffix="_deblurred",
            weights="compact.deblur",
            data_set="REDS",
            degradation="gaussian-blur",
            hard_degradation="motion-jpeg",
            flaw="blur",
            summary="Sharpen soft, defocused and shaken photographs.",
            examples=(
                "hfpie deblur photo.png",
                "hfpie deblur scans/ -r -o sharp/",
                "hfpie deblur - < soft.png > sharp.png",
            ),
        ),
        Task(
            name="sr",
            verb="enlarged",
            suffix="_x{scale}",
            scales=(4, 3, 2),
            weights="compact.sr-x4",
            gan_weights="compact.sr-x4-gan",
            data_set="DIV2K",
            degradation="bicubic-x4",
            hard_degradation="bicubic-x4",
            summary="Enlarge small photographs 2, 3 or 4 times, including those with JPEG artefacts and noise.",
            examples=(
                "hfpie sr photo.png",
                "hfpie sr --gan -i frames/ -o out/",
                "hfpie sr small.jpg --scale 2 -o large.png",
            ),
        ),
    )
}

OUTPUT_SUFFIXES = [task.output_suffix(scale) for task in TASKS.values() for scale in task.scales]
