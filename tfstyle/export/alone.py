"""A network of one picture as one file for small devices, and how that file is compared with Keras."""

import tensorflow as tf

from tfstyle.checks import check_choice
from tfstyle.export import pair
from tfstyle.export.settings import SINGLE, ExportSettings
from tfstyle.export.single import NAMES, SHAPES, load
from tfstyle.export.verify import PICTURES
from tfstyle.images import LEAST_SIDE

__all__ = ["Alone"]


class Alone(tf.Module):
    """One style in one pass, or enlargement, in float32.

    Args:
        name: "style" or "superres".
        model, factor: as `ExportSettings` takes them.

    Attributes:
        least_side: in px, of pictures.
        note: whose work the file is, for those who get it.

    Raises:
        InputError: no such model, a damaged one, or Keras on another backend than TensorFlow.
    """

    def __init__(self, name, model="default", factor=None):
        super().__init__(name="alone")
        check_choice("engine", name, SINGLE)
        pair.check_backend()
        settings = ExportSettings(model=model, factor=factor)
        self._network, config = load(name, settings)
        self._engine, self._file = name, settings.served_as(name)
        self.note = pair.NOTE
        if settings.shipped_file(name) is None:
            self.note += " Its weights are under their maker's license."
        self._factor = config.factor if name == "superres" else 1
        self.least_side = getattr(config, "least_side", LEAST_SIDE)
        self.tf_variables = [v.value for v in self._network.variables]

    def part(self, count=None, size=None):
        """Pictures (count, *size, 3) float32 in [0, 1] -> painted or enlarged; None leaves a count or sides free."""
        names = NAMES[self._engine]

        @tf.function(input_signature=[pair.pictures(names.picture, count, size)], autograph=False)
        def paint(image):
            return {names.answer: self._network(image)}

        return pair.Part(self._file, paint, names.answer, self._factor)

    def compared(self, part, run, kind, name, *, size=None, count=1):
        """How far a file's answers are from those of Keras, on a real picture: as `Pair.compared`."""
        shapes = [[max(side, self.least_side) for side in shape] for shape in SHAPES[self._engine]]
        pictures = pair.samples(PICTURES[0], count, shapes if size is None else [size])
        picture = NAMES[self._engine].picture
        requests = [({picture: one}, self._network(one).numpy(), 1.0) for one in pictures]
        return pair.compared(run, requests, pair.BOUNDS[self._engine][kind], name)
