"""How a batch is spread over a Ray cluster."""

import dataclasses

from tfstyle.checks import InputError
from tfstyle.settings import check_fields, setting

__all__ = ["RaySettings"]


@dataclasses.dataclass(frozen=True)
class RaySettings:
    """What the actors are: processes that hold the network and paint. Without a cluster, nothing of it matters.

    Each field carries its unit, range and source in `metadata["text"]`.

    Raises:
        InputError: a value outside its range.
    """

    actors: tuple[int, ...] | None = setting(
        None, "processes that paint: a number, or the fewest and the most, such as 2,8; none: as many as there is room "
        "for", group="cluster", low=1,
    )
    cpus: float = setting(
        1.0, "processor cores of each; its TensorFlow has as many threads", group="cluster", low=0.01, high=1024.0
    )
    gpus: float = setting(0.0, "GPUs of each; two share one at 0.5", group="cluster", low=0.0, high=16.0)
    pictures_per_task: int = setting(
        16, "handed to an actor at a time, and painted again when its machine is lost", group="cluster", low=1,
        high=10000,
    )

    def __post_init__(self):
        check_fields(self)
        if self.gpus > 1 and self.gpus != int(self.gpus):
            raise InputError(f"gpus must be a whole number, or a part of one; received {self.gpus:g}.")
        if self.actors is not None and (len(self.actors) not in (1, 2) or self.actors[0] > self.actors[-1]):
            raise InputError(
                f"actors must be one number, or the fewest and the most; received {','.join(map(str, self.actors))!r}."
            )

    @property
    def threads(self):
        """Of TensorFlow, in each actor."""
        return max(1, int(self.cpus))
