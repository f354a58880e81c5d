"""Pictures translated from one domain to another, in the style of an example or in one drawn at random."""

import functools
import os

import numpy as np
import tensorflow as tf

from tfstyle import images
from tfstyle.checks import InputError, check_choice, check_number
from tfstyle.controls import PRECISIONS, stamp
from tfstyle.foreign import asked, loaded
from tfstyle.machine import limit_arenas, resolve
from tfstyle.nets import network_files
from tfstyle.nets.dsmap import STRIDE, part, translation
from tfstyle.nets.layers import ReflectToMultiple
from tfstyle.running import BASE, check_backend, check_fits, in_portions, traced_pictures
from tfstyle.translate_settings import DIRECTIONS, DOMAINS, TranslateSettings, check_model, other_direction
from tfstyle.weights.files import TRANSLATE, shipped, shipped_translations

__all__ = ["Translator", "translate"]

# Memory, measured: bytes a pixel for each channel at full size, where the networks are the largest.
_PAINT = {"float32": 31, "bfloat16": 16}
_WIDTH = 64  # channels, where a SavedModel does not say: the paper's


def translate(photo, *, model, style=None, direction="a2b", size=256, style_size=256, seed=0, precision="auto"):
    """Translates a picture from one domain to another.

    Args:
        photo: a picture of the first domain: path, bytes, PIL image, or array or tensor (H, W), (H, W, 1 | 3 | 4),
            uint8 in 0..255 or float in [0, 1].
        model, precision: as `tfstyle.Translator` takes them; keep one of those for many pictures.
        style, direction, size, style_size, seed: as `tfstyle.Translator.translate` takes them.

    Returns:
        PIL image of the photo's shape at `size`: RGB, or RGBA if the photo has alpha.

    Raises:
        InputError: a picture, model or setting that does not work, in one sentence.

    Source: Chang et al., ECCV 2020 (arXiv:2008.02198).
    """
    TranslateSettings(direction, size, style_size, seed, precision)
    check_model(model, direction)
    translator = _translator(os.fsdecode(model), precision, stamp(model))
    return translator.translate(photo, style, direction=direction, size=size, style_size=style_size, seed=seed)


@functools.lru_cache(maxsize=2)
def _translator(model, precision, stamp):
    """The translator, kept for the next call."""
    return Translator(model, precision=precision)


class Translator:
    """Translates pictures between two domains, A and B. Keep one for many: building it takes a second or two.

    A picture is a content and a style, a few numbers. Its content is decoded in a style of the other domain: that of a
    picture there, a random one, or any between them.

    Args:
        model: name of a network shipped with tfstyle (`tfstyle.weights.files.shipped_translations`); the path of an
            .npz or .keras file of one (`tfstyle.nets.network_files.save`); or the folder of a SavedModel as tfstyle
            exports it, which translates in one direction.
        precision: "float32", "bfloat16", or "auto": bfloat16 where the processor has it. Convolutions only; style codes
            and statistics are float32 always. A SavedModel computes in its own; leave it "auto".

    Attributes:
        model: its name or path.
        code_size: how many numbers a style code has, below called K.

    Raises:
        InputError: no such model, a damaged one or one of another kind, or bfloat16 where it would be emulated.

    Source: Chang et al., ECCV 2020 (arXiv:2008.02198), and Huang et al., ECCV 2018 (arXiv:1804.04732).
    """

    def __init__(self, model, *, precision="auto"):
        check_backend()
        card = check_model(model)
        check_choice("precision", precision, PRECISIONS)
        self.model = os.fsdecode(model)
        limit_arenas()
        if card is not None:
            if precision == "bfloat16":
                raise InputError(f"The model {self.model!r} computes in its own precision; use the precision auto.")
            dtype, width, self.code_size = "float32", _WIDTH, card["style"]
            self._painter, self._looker = _served(self.model, card["direction"])
        else:
            dtype = resolve(precision)
            # Under bfloat16, the weights of norms stay float32.
            inner = "mixed_bfloat16" if dtype == "bfloat16" else dtype
            self._painter, self._looker, config = _graphs(self.model, inner)
            width, self.code_size = config.width, config.style
        self._pixel = 100 + _PAINT[dtype] * width

    def translate(self, photo, style=None, *, direction="a2b", size=256, style_size=256, seed=0):
        """Translates one picture.

        Args:
            photo: a picture of any kind that `tfstyle.images.read` takes.
            style: a picture of the target domain, whose style is taken; a style code (K,) float; or None for the code
                that `seed` draws, the first of `random_codes`.
            direction: "a2b" or "b2a"; "a2a" and "b2b" code and decode the picture in its own domain.
            size: long side of the result in px; None keeps the photo's own. Networks are trained on pictures of 128 to
                256 px and paint strokes of so many pixels at any size: the larger the result, the finer they are in it.
            style_size: long side in px at which a style picture is looked at.
            seed: of the random code.

        Returns:
            PIL image of the photo's shape at `size`: RGB, or RGBA if the photo has alpha, which is kept.

        Raises:
            InputError: a picture, code or setting that does not work, or too little memory.
        """
        TranslateSettings(direction, size, style_size, seed)
        paint = self._painter(direction)
        picture = images.read(photo, name="picture", size=size)
        self._check_fits(*picture.rgb.shape[:2])
        if style is None:
            code = self.random_codes(1, seed)[0]
        elif getattr(style, "ndim", None) == 1:
            code = self._checked_codes(style, "A style code")
        else:
            code = self.style_code(style, direction[-1], style_size=style_size)
        painted = self._sound(paint(picture.rgb[None], code[None]), (1, *picture.rgb.shape))
        return images.to_pil(painted[0], picture.alpha)

    def translate_batch(self, pictures, codes, direction="a2b"):
        """Translates pictures of one shape: what `translate` gives for each alone, before it is rounded to 8 bits.

        Args:
            pictures: (N, H, W, 3) float32 in [0, 1], of at least 16 px a side.
            codes: (N, K) float, one for each picture, or (K,) for all.
            direction: as `translate` takes it.

        Returns:
            (N, H, W, 3) float32 in [0, 1].

        Raises:
            InputError: other shapes or values, another direction, or too little memory.
        """
        paint = self._painter(check_choice("direction", direction, DIRECTIONS))
        pictures = _array(pictures, "pictures must all have one shape; translate those of unlike shapes one by one.")
        if pictures.ndim != 4 or pictures.shape[-1] != 3 or not len(pictures):
            raise InputError(f"pictures must have shape (N, H, W, 3); received {pictures.shape}.")
        pictures = np.stack([images.read(one, name="picture").rgb for one in pictures])
        codes = self._checked_codes(codes, "codes", len(pictures))
        self._check_fits(*pictures.shape[1:3])
        return self._sound(in_portions(paint, pictures, codes), pictures.shape)

    def style_code(self, picture, domain="b", *, style_size=256):
        """The code of a picture's style: a few numbers that can be kept, sent and mixed, in place of the picture.

        Args:
            picture: of the domain, of any kind that `tfstyle.images.read` takes.
            domain: "a" or "b", whose style encoder looks at it: that of the target.
            style_size: long side in px at which it is looked at.

        Returns:
            (K,) float32.

        Raises:
            InputError: no usable picture or size, another domain than a SavedModel's target, or too little memory.
        """
        look = self._looker(check_choice("domain", domain, DOMAINS))
        TranslateSettings(style_size=style_size)
        seen = images.read(picture, name="style picture", size=style_size).rgb
        self._check_fits(*seen.shape[:2], "style_size")
        return self._sound(look(seen[None]), (1, self.code_size))[0]

    def random_codes(self, count, seed=0):
        """Style codes as they were drawn in training, each number from N(0, 1).

        Args:
            count: how many, from 1.
            seed: the same gives the same codes, more of which begin with the fewer.

        Returns:
            (count, K) float32.

        Raises:
            InputError: no such count or seed.
        """
        count, seed = check_number("count", count, 1, integer=True), check_number("seed", seed, 0, integer=True)
        return np.random.default_rng(seed).standard_normal((count, self.code_size), np.float32)

    def interpolated(self, first, second, count):
        """Style codes on a straight line, at equal distances, both ends among them.

        Args:
            first, second: (K,) float.
            count: how many, from 2.

        Returns:
            (count, K) float32.

        Raises:
            InputError: other codes, or fewer than two.
        """
        first, second = (self._checked_codes(code, "A style code") for code in (first, second))
        count = check_number("count", count, 2, integer=True)
        share = np.linspace(0, 1, count, dtype=np.float32)[:, None]
        return (1 - share) * first + share * second

    def _sound(self, found, shape):
        """What the network answers, if it is of this shape and finite."""
        found = np.asarray(found)
        if found.shape != shape:
            raise InputError(f"The model {self.model!r} answers with {found.shape}, not {shape}; give another.")
        if not np.isfinite(found).all():
            raise InputError(f"The model {self.model!r} answers with values that are no numbers; give another.")
        return found

    def _checked_codes(self, codes, name, *count):
        """One code (K,), or as many as `count` says, as float32."""
        one = (self.code_size,)
        codes = _array(codes, f"{name} must be an array of numbers, all of one length.")
        if codes.shape not in ((*count, *one), one) or codes.dtype.kind != "f":
            shapes = " or ".join(map(str, dict.fromkeys([(*count, *one), one])))
            raise InputError(f"{name} must be float of shape {shapes}; received {codes.dtype} of {codes.shape}.")
        with np.errstate(over="ignore"):
            codes = codes.astype(np.float32)
        if not np.isfinite(codes).all():
            raise InputError(f"{name} must be finite in float32; received NaN, infinite or too large values.")
        return np.broadcast_to(codes, (*count, *one))

    def _check_fits(self, height, width, setting="size"):
        check_fits(lambda *sides: BASE + sides[0] * sides[1] * self._pixel, height, width, setting)


def _array(values, otherwise):
    try:
        return np.asarray(values)
    except ValueError:  # NumPy's word is "inhomogeneous"
        raise InputError(otherwise) from None


def _graphs(model, dtype):
    """(direction -> function of pictures and codes, domain -> function of pictures, config) of a name or a file."""
    if model in shipped_translations():
        file = TRANSLATE.format(model)
        model = file, shipped(file)[0]
    network, config = network_files.load(model, "translate", dtype)
    reflect = ReflectToMultiple(STRIDE, dtype="float32")
    specs = tf.TensorSpec((None, None, None, 3)), tf.TensorSpec((None, config.style))

    @functools.cache
    def painter(direction):
        model = translation(network, direction[0], direction[-1])
        return tf.function(lambda pictures, codes: model([pictures, codes]), input_signature=specs)

    @functools.cache
    def looker(domain):
        look = part(network, domain, "style")
        return traced_pictures(lambda pictures: look(reflect(pictures)))

    return painter, looker, config


def _served(folder, translates):
    """The same of one of our SavedModels, which translates in one direction alone."""
    model = loaded(folder)
    wanted = {
        "translate_code": ({"content_image", "style_code"}, "stylized_image"),
        "encode_style": ({"style_image"}, "style_code"),
    }
    for name, (given, answer) in wanted.items():
        call = dict(model.signatures).get(name)
        if call is None or set(call.structured_input_signature[1]) != given or answer not in call.structured_outputs:
            raise InputError(f"The SavedModel {folder!r} has no signature {name} that translates; export it anew.")

    def ask(name, **given):
        return asked(model, folder, name, "request", **given)[wanted[name][1]]

    def paint(pictures, codes):
        # One request bounds how many pictures it may hold.
        pairs = zip(pictures[:, None], codes[:, None], strict=True)
        return np.concatenate([ask("translate_code", content_image=one, style_code=code) for one, code in pairs])

    def painter(direction):
        if direction != translates:
            raise other_direction(folder, translates, direction)
        return paint

    def looker(domain):
        if domain != translates[-1]:
            raise InputError(f"The model {folder!r} looks at pictures of domain {translates[-1]!r} alone; give one.")
        return lambda pictures: ask("encode_style", style_image=pictures)

    return painter, looker
