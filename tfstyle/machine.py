"""What this machine can do, for every engine: the precision of convolutions, repeatable runs, and memory.

Imports TensorFlow.
"""

import ctypes
import functools
import gc
import pathlib

import psutil
import tensorflow as tf

from tfstyle.checks import InputError

# oneDNN's bfloat16 convolutions beat float32 only with one of these; elsewhere bfloat16 is emulated.
_PROCESSOR_FLAGS = ("avx512_bf16", "amx_bf16")
_M_ARENA_MAX = -8  # of glibc's malloc.h


@functools.cache
def bfloat16_wins():
    """(whether bfloat16 convolutions are faster here, why in a few words)."""
    graphics = tf.config.list_physical_devices("GPU")
    if graphics:
        capability = tf.config.experimental.get_device_details(graphics[0]).get("compute_capability", (0, 0))
        name = "compute capability " + ".".join(map(str, capability))
        return capability >= (8, 0), name + (" has" if capability >= (8, 0) else " lacks") + " bfloat16"
    info = pathlib.Path("/proc/cpuinfo")
    flags = info.read_text(errors="replace").split() if info.exists() else ()
    for flag in _PROCESSOR_FLAGS:
        if flag in flags:
            return True, f"the processor has {flag}"
    return False, f"the processor shows none of {', '.join(_PROCESSOR_FLAGS)}"


def resolve(precision):
    """The dtype of the convolutions for "auto", "float32" or "bfloat16".

    Raises:
        InputError: bfloat16 asked for where it would be emulated, a hundred times slower than float32.
    """
    if precision == "float32":
        return "float32"
    wins, why = bfloat16_wins()
    if precision == "bfloat16" and not wins:
        raise InputError(f"The precision bfloat16 would be slower than float32 here ({why}); use the precision auto.")
    return "bfloat16" if wins else "float32"


def make_deterministic():
    """From here on, TensorFlow's operations give the same bits for the same input (`enable_op_determinism`)."""
    tf.config.experimental.enable_op_determinism()


def available():
    """Memory that this process may still take, in bytes: the machine's, or its control group's if that is less."""
    free = psutil.virtual_memory().available
    group = pathlib.Path("/sys/fs/cgroup")
    try:
        limit, used = ((group / name).read_text().strip() for name in ("memory.max", "memory.current"))
        if limit != "max":
            counts = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            # The kernel gives the cache of files back when memory gets short.
            cached = int(counts["active_file"]) + int(counts["inactive_file"])
            free = min(free, int(limit) - int(used) + cached)
    except (OSError, ValueError, KeyError):
        pass  # no control group, or one that sets no limit
    return free + psutil.Process().memory_info().rss


def give_back():
    """Frees compiled functions, which are rings of references, and what glibc holds for TensorFlow's threads."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        pass  # another C library, which has its own ways


def limit_arenas():
    """Keeps glibc from giving each of TensorFlow's threads a heap of its own: 50 MiB less at 512 px, and no slower."""
    try:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)
    except (AttributeError, OSError, TypeError):
        pass  # another C library, which has its own ways
