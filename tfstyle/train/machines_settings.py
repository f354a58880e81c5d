"""Which process of how many one is, where several train as one: free of Keras, so that it can be checked at once."""

import dataclasses
import os
import re

from tfstyle.checks import InputError
from tfstyle.settings import check_fields, setting

__all__ = ["Machines", "check_backend", "host_and_port"]

_ADDRESS = re.compile(r"(?P<host>\[[^\[\]]+\]|[^\s\[\]:/]+):(?P<port>\d{1,5})")


@dataclasses.dataclass(frozen=True)
class Machines:
    """Which process of how many this is; each field tells more in its `metadata`.

    Raises:
        InputError: a part of it is missing or fits no other.
    """

    coordinator: str | None = setting(
        None, "HOST:PORT of process 0, a free port where all others reach it; auto: that and the rest as Slurm, Open "
        "MPI, Kubernetes or a TPU pod say; none: this process trains alone", group="machines",
    )
    processes: int | None = setting(
        None, "how many train together, each started by this command", group="machines", low=1, high=4096
    )
    process: int | None = setting(
        None, "which of them this is, from 0 on; only 0 writes into WORKDIR and tells", group="machines",
        low=0, high=4095,
    )

    def __post_init__(self):
        check_fields(self)
        if self.coordinator == "auto":
            return
        given = [value is not None for value in (self.coordinator, self.processes, self.process)]
        if any(given) and not all(given):
            raise InputError(
                "To train in several processes, give all of coordinator, processes and process, or coordinator auto."
            )
        if not any(given):
            return
        if self.process >= self.processes:
            raise InputError(
                f"process must be under processes ({self.processes}), since the first is 0; received {self.process}."
            )
        host_and_port(self.coordinator)

    @property
    def several(self):
        """Whether there is anyone to join."""
        return self.coordinator is not None and self.processes != 1

    @property
    def writes(self):
        """Whether this process looks after WORKDIR, as far as is known before it has joined."""
        return not self.process


def check_backend():
    """Raises `InputError` where several processes cannot train together, before Keras is there."""
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend != "jax":
        raise InputError(f"Several processes train together under JAX, not under {backend}; set KERAS_BACKEND=jax.")


def host_and_port(address):
    """(host, port) of an address as one types it.

    Raises:
        InputError: it is none.
    """
    match = _ADDRESS.fullmatch(address)
    if not match or not 0 < int(match["port"]) < 65536:
        raise InputError(f"coordinator must be HOST:PORT, such as 10.0.0.1:5000, or auto; received {address!r}.")
    return match["host"].strip("[]"), int(match["port"])
