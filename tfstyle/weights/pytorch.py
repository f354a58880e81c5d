"""Files of torch.save, read without PyTorch and without running what a pickle asks for."""

import collections
import math
import os
import pickle
import re
import struct
import zipfile

import numpy as np

from tfstyle.checks import InputError

__all__ = ["read_pytorch"]

_MAGIC = 0x1950A86A20F9469CFC6C  # of the files of torch.save before PyTorch 1.6
_STORAGES = {"HalfStorage": "<f2", "FloatStorage": "<f4", "DoubleStorage": "<f8", "LongStorage": "<i8"}
_Tensor = collections.namedtuple("_Tensor", "storage offset shape strides")


def read_pytorch(path, pattern):
    """{name: array} of the tensors with such names that torch.save has written, in its old format or as a zip file.

    Raises:
        InputError: the file is missing, damaged, of another kind, or asks for anything but tensors.
    """
    if not os.path.isfile(path):
        raise InputError(f"There is no file of weights {path!r}; check the path.")
    try:
        with open(path, "rb") as file:
            tensors, stored = (_zipped if zipfile.is_zipfile(path) else _plain)(file)
            return {
                name: _values(tensor, stored) for name, tensor in tensors.items() if re.fullmatch(pattern, str(name))
            }
    except Exception as error:  # a damaged pickle raises all sorts of things
        raise InputError(
            f"{path} cannot be read as a state dict of PyTorch ({type(error).__name__}): it is damaged or of another "
            "kind, so give another file."
        ) from error


class _Old:
    """A tensor or a parameter as PyTorch before 0.4 pickled them."""

    def __setstate__(self, state):
        self.tensor = _Tensor(*state) if len(state) == 4 else state[0]


class _TensorsOnly(pickle.Unpickler):
    """Makes tensors and ordered dicts, and refuses to import anything: a pickle may name any function to be called."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: _Tensor(storage, offset, shape, strides)
        if module == "torch._utils" and name == "_rebuild_parameter":
            return lambda tensor, *_: tensor
        if (module, name) in (("torch.nn.parameter", "Parameter"), ("torch", "FloatTensor")):
            return _Old
        if module in ("torch", "torch.storage") and name in _STORAGES:
            return _STORAGES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is no tensor")

    def persistent_load(self, pid):
        _, dtype, key, _, count, *_ = pid
        return str(key), np.dtype(dtype), int(count)


def _zipped(file):
    """({name: _Tensor}, function from (key, dtype, count) to the numbers) of a zip file."""
    archive = zipfile.ZipFile(file)
    pickled = next(name for name in archive.namelist() if name.endswith("data.pkl"))
    folder = pickled.removesuffix("data.pkl")
    tensors = _TensorsOnly(archive.open(pickled)).load()
    return tensors, lambda key, dtype, count: np.frombuffer(archive.read(f"{folder}data/{key}"), dtype, count)


def _plain(file):
    """The same of the older format: magic number, version, system, tensors, keys; the storages follow, length first."""
    magic, _, system = (_TensorsOnly(file).load() for _ in range(3))
    if magic != _MAGIC or not system["little_endian"]:
        raise pickle.UnpicklingError("another format")
    sizes = {}

    class Noting(_TensorsOnly):
        def persistent_load(self, pid):
            storage = super().persistent_load(pid)
            sizes[storage[0]] = storage[1].itemsize
            return storage

    tensors = Noting(file).load()
    places = {}
    for key in _TensorsOnly(file).load():
        (count,) = struct.unpack("<q", file.read(8))
        places[str(key)] = file.tell()
        file.seek(count * sizes[str(key)], os.SEEK_CUR)

    def stored(key, dtype, count):
        file.seek(places[key])
        return np.frombuffer(file.read(count * dtype.itemsize), dtype, count)

    return tensors, stored


def _values(tensor, stored):
    """A tensor's array; only such as lie in one piece, in their own order."""
    while isinstance(tensor, _Old):
        tensor = tensor.tensor
    values = stored(*tensor.storage)
    step = 1
    for side, stride in zip(reversed(tensor.shape), reversed(tensor.strides), strict=True):
        if side > 1 and stride != step:
            raise ValueError("a tensor in pieces")
        step *= side
    return values[tensor.offset:tensor.offset + math.prod(tensor.shape)].reshape(tensor.shape)
