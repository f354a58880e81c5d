"""Checkpoints of the optimiser: one .npz file that holds all of a run's state and what run it belongs to."""

import dataclasses
import hashlib
import json
import os
import pathlib

import numpy as np
import tensorflow as tf

from tfstyle.atomic import replaced
from tfstyle.checks import InputError

_FORMAT = "tfstyle-gatys-1"


def fingerprint(settings, pictures, start, made_of=None):
    """What a checkpoint must agree in with the run that resumes it: settings and pictures, as a dict of texts.

    `made_of` stands for the styles, as `tfstyle.gatys.optimize` takes it.
    """
    told = {name: repr(value) for name, value in dataclasses.asdict(settings).items()}
    arrays = {"content picture": pictures.content, "start picture": start, "masks": pictures.shares}
    arrays |= made_of or {f"style picture {i + 1}": style for i, style in enumerate(pictures.styles)}
    for name, picture in arrays.items():
        told[name] = "none" if picture is None else hashlib.sha256(np.ascontiguousarray(picture)).hexdigest()
    return told | {"weights of the styles": repr(tuple(pictures.style_weights))}


def check_path(path):
    """Raises `InputError` if no checkpoint could be written to `path`, before a run starts in vain."""
    path = pathlib.Path(path)
    if path.is_dir():
        raise InputError(f"The checkpoint {path} is a folder; name a file in it, such as {path / 'run.npz'}.")
    if not path.parent.is_dir():
        raise InputError(f"The checkpoint {path} has no folder to lie in; make {path.parent} first.")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"The checkpoint {path} may not be written there; choose another folder.")


def save(path, run, progress, image, best, average, state):
    """Writes a checkpoint beside `path`, then moves it there, so that a kill leaves the old one or the new one.

    Args:
        path: a .npz file.
        run: from `fingerprint`.
        progress: JSON-ready dict: where the run stands, and its records.
        image, best, average: (1, H, W, 3) tensors; the last two may be None.
        state: the optimiser's.
    """
    arrays, counts = {"image": image.numpy()}, {}
    for name, value in (("best", best), ("average", average)):
        if value is not None:
            arrays[name] = value.numpy()
    for key, value in state.items():
        if isinstance(value, list):
            arrays |= {f"state/{key}/{i}": tensor.numpy() for i, tensor in enumerate(value)}
            counts[key] = len(value)
        elif tf.is_tensor(value):
            arrays[f"state/{key}"] = value.numpy()
        else:
            arrays[f"state/{key}"] = np.asarray(value)
    head = {"format": _FORMAT, "run": run, "progress": progress, "lists": counts}
    with replaced(path) as beside, open(beside, "wb") as file:
        np.savez(file, head=np.frombuffer(json.dumps(head).encode(), np.uint8), **arrays)


def read(path):
    """Reads a checkpoint.

    Returns:
        (run, progress, image, best, average, state) as `save` took them.

    Raises:
        InputError: missing, damaged, or not one of ours.
    """
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            head = json.loads(bytes(file["head"]))
            if head["format"] != _FORMAT:
                raise ValueError
            arrays = {name: file[name] for name in file.files if name != "head"}
    except FileNotFoundError:
        raise InputError(f"There is no checkpoint {path}; check the path.") from None
    except Exception:  # damaged archives fail in every way there is
        raise InputError(
            f"{path} is no checkpoint of this version of tfstyle; delete it or name another file."
        ) from None
    state = {key: [tf.constant(arrays[f"state/{key}/{i}"]) for i in range(n)] for key, n in head["lists"].items()}
    for name, value in arrays.items():
        if name.startswith("state/") and name.count("/") == 1:
            state[name.removeprefix("state/")] = tf.constant(value) if value.ndim else value.item()
    pictures = [tf.constant(arrays[name]) if name in arrays else None for name in ("image", "best", "average")]
    return head["run"], head["progress"], *pictures, state


def check_same_run(path, found, wanted):
    """Raises `InputError` naming the first thing in which a checkpoint differs from the run asked for."""
    for name in wanted | found:
        if found.get(name) != wanted.get(name):
            raise InputError(
                f"{path} belongs to another run, which differs in {name}; "
                "repeat that run's settings and pictures, or name another checkpoint."
            )
