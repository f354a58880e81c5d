"""What a run tells: one record per step, and the result."""

from dataclasses import dataclass, field
from typing import Callable

import numpy as np

from tfstyle.gatys.settings import GatysSettings


class NonFiniteError(ArithmeticError):
    """A loss or gradient became infinite or not a number; the message names it, the step and a remedy."""


@dataclass(frozen=True)
class Record:
    """One evaluation of the losses.

    Attributes:
        step: 1 to `steps`, counted over all scales. The final record repeats the last step's number. 0 before the run,
            while `mixed_style` makes its style.
        steps: evaluations that the whole run will make.
        scale: long side in pixels of the picture evaluated.
        raw: value of every term, such as "content/relu4_2", "style/relu1_1", "tv", as the settings normalize it.
        weighted: the same times its weight; `total` is their sum.
        seconds: since the start of the run, over resumed parts too.
        figures: None but in the final record: content_loss, style_rel, style_loss and tv of the finished picture
            (see `Objective.report`), in float32 and with the plain network, whatever the run itself used. Without a
            report the final record has neither these nor losses.
        image: call it for the picture, (H, W, 3) float32 in [0, 1].
    """

    step: int
    steps: int
    scale: int
    raw: dict
    weighted: dict
    seconds: float
    image: Callable[[], np.ndarray] = field(repr=False, compare=False)
    figures: dict | None = None

    @property
    def total(self):
        """The loss that the run minimizes."""
        return sum(self.weighted.values())

    def as_dict(self):
        """Everything but the picture, ready for JSON."""
        told = {
            "step": self.step, "steps": self.steps, "scale": self.scale, "seconds": round(self.seconds, 3),
            "total": self.total, "raw": self.raw, "weighted": self.weighted,
        }
        return told if self.figures is None else told | {"final": True, "figures": self.figures}


@dataclass(frozen=True)
class Result:
    """A finished or interrupted run.

    Attributes:
        image: (H, W, 3) float32 in [0, 1].
        records: list of dicts, `Record.as_dict` of every step.
        final: the final `Record`, with `figures`.
        settings: what it ran with.
        interrupted: True if Ctrl-C or the callback stopped it; `image` then is the best picture so far.
    """

    image: np.ndarray = field(repr=False)
    records: list = field(repr=False)
    final: Record
    settings: GatysSettings
    interrupted: bool = False
