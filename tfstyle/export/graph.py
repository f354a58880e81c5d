"""What every exported graph shares: pictures checked, decoded, resized and encoded inside it.

A server runs graphs for strangers, so each refuses what it cannot use by itself, in one sentence that the caller gets
to read (INVALID_ARGUMENT), and refuses before it takes the memory.
"""

from typing import NamedTuple

import tensorflow as tf

from tfstyle.images import LEAST_SIDE

__all__ = [
    "OVERSHOOT", "PICTURES", "SPEC", "Bounds", "codes", "decoded", "encoded", "fitted", "in_portions", "one_by_one",
    "picture_pairs", "pictures", "refuse_unless", "requests", "resized", "same_count", "scaled_to",
]

# Four free sides: the number of channels is refused by the graph's own sentence, not by a runtime's shape check.
PICTURES = (None, None, None, None)
SPEC = (None, None, None, 3)  # of pictures that have passed
# Pixels that go through a network at once, where there are several pictures.
_AT_ONCE = 2**20
# A square painting beside a content of the most pixels and 2:1 has twice as many.
_STYLE_ROOM = 2
# How far outside [0, 1] resampled pictures may stray; what was meant as 0..255 or [-1, 1] strays further.
OVERSHOOT = 0.1
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"


class Bounds(NamedTuple):
    """What one request may ask for, so that it cannot hold a server for ever or take all its memory."""

    pixels: int  # of one content picture
    pictures: int  # in one request, or in all that the server has put together
    least: int = LEAST_SIDE  # px of a side

    @property
    def of_style(self):
        """The same for style pictures: as long as their content, a square one has more pixels."""
        return self._replace(pixels=_STYLE_ROOM * self.pixels)


def refuse_unless(condition, sentence, *values):
    """Operations for `tf.control_dependencies` that fail with a sentence, its {} filled by tensors, unless it holds.

    Strings would be told in quotes and with backslashes: a sentence with them is to be a string tensor itself.
    """
    told = tf.strings.format(sentence, values) if values else tf.convert_to_tensor(sentence)
    return [tf.debugging.Assert(condition, [told])]


def picture_pairs(content, style, bounds, *others):
    """Content and style pictures as the networks take them, with everything else of a request.

    Args:
        content, style: float32 tensors that should be (N, H, W, 3) in [0, 1].
        bounds: `Bounds`.
        *others: pairs (name, tensor (N,) or (N, K)), checked for the same N.

    Returns:
        (content, style, *others): pictures (N, H, W, 3), clipped to [0, 1]; all N alike.
    """
    content, style = (
        pictures(content, "content_image", bounds), pictures(style, "style_image", bounds.of_style)
    )
    return same_count(("content_image", content), ("style_image", style), *others)


def same_count(*named):
    """Tensors of pairs (name, tensor), refused unless all have the first one's leading dimension."""
    (first, leader), *others = named
    count = tf.shape(leader)[0]
    checks = []
    for name, tensor in others:
        found = tf.shape(tensor)[0]
        checks += refuse_unless(
            tf.equal(found, count), f"{name} must be as many as {first}; received {{}} and {{}}.", found, count
        )
    with tf.control_dependencies(checks):
        return [tf.identity(tensor) for _, tensor in named]


def pictures(pictures, name, bounds):
    """Pictures of one input (N, H, W, 3), refused or clipped as `picture_pairs` does."""
    count, height, width, channels = tf.unstack(tf.shape(pictures))
    with tf.control_dependencies(refuse_unless(
        tf.equal(channels, 3), f"{name} must have 3 channels (RGB), without alpha; received {{}}.", channels
    )):
        sides = refuse_unless(
            (count > 0) & (count <= bounds.pictures) & _fits(height, width, bounds),
            f"{name} must be 1 to {bounds.pictures} pictures, {_wanted(bounds)}; received {{}} of {{}}x{{}} px.",
            count, width, height,
        )
    with tf.control_dependencies(sides):
        # The largest of no number at all is NaN's too: it compares as false.
        low, high = tf.reduce_min(pictures), tf.reduce_max(pictures)
        finite = tf.reduce_all(tf.math.is_finite(pictures))
        values = refuse_unless(
            finite & (low >= -OVERSHOOT) & (high <= 1 + OVERSHOOT),
            f"{name} must be float32 in [0, 1], all of it finite; received {{}} to {{}}.", low, high,
        )
    with tf.control_dependencies(values):
        return tf.ensure_shape(tf.clip_by_value(pictures, 0.0, 1.0), SPEC)


def codes(code, size, most, otherwise):
    """Style codes (..., size), refused unless their numbers are so many and from -most to most.

    Args:
        otherwise: what to do about them, for the sentence.
    """
    with tf.control_dependencies(refuse_unless(
        tf.equal(tf.shape(code)[-1], size), f"style_code must have {size} numbers a picture; received {{}}.",
        tf.shape(code)[-1],
    )):
        small = refuse_unless(
            tf.reduce_all(tf.abs(code) <= most),  # which is false of NaN
            f"style_code must be from -{most} to {most}, all of it finite; {otherwise}.",
        )
    with tf.control_dependencies(small):
        return tf.ensure_shape(code, (*code.shape[:-1], size))


def decoded(content, name, bounds):
    """One picture file as pixels; refused by its header before it is decoded.

    Args:
        content: scalar string tensor, a JPEG or PNG file. Orientation (EXIF) and color profile are not looked at, alpha
            is dropped, 16 bits become 8.
        name: of the input, for sentences.
        bounds: `Bounds`.

    Returns:
        (picture (H, W, 3) float32 in [0, 1], whether it was a PNG: scalar bool).
    """
    start = tf.strings.substr(tf.strings.join([content, b"\0" * 24]), 0, 24)
    is_png = tf.equal(tf.strings.substr(start, 0, len(_PNG)), _PNG)
    is_jpeg = tf.equal(tf.strings.substr(start, 0, len(_JPEG)), _JPEG)
    with tf.control_dependencies(refuse_unless(
        is_png | is_jpeg, f"{name} must be JPEG or PNG files; received {{}} bytes of neither.",
        tf.strings.length(content),
    )):
        content, start = tf.identity(content), tf.identity(start)

    def of_png():  # IHDR: width and height stand at bytes 16 to 24, most significant first
        sides = tf.cast(tf.io.decode_raw(tf.strings.substr(start, 16, 8), tf.uint8), tf.int64)
        return tf.reverse(tf.reduce_sum(tf.reshape(sides, (2, 4)) * [2**24, 2**16, 2**8, 1], 1), [0])

    found = tf.cond(is_png, of_png, lambda: tf.cast(tf.image.extract_jpeg_shape(content)[:2], tf.int64))
    height, width = tf.unstack(found, 2)
    with tf.control_dependencies(refuse_unless(
        _fits(height, width, bounds), f"{name} must hold pictures {_wanted(bounds)}; received {{}}x{{}} px.",
        width, height,
    )):
        content = tf.identity(content)
    pixels = tf.cond(
        is_png, lambda: tf.io.decode_png(content, channels=3),
        # As Pillow decodes; TensorFlow's default is coarser, by 1/255 on average.
        lambda: tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE"),
    )
    return tf.cast(tf.ensure_shape(pixels, (None, None, 3)), tf.float32) / 255.0, is_png


def encoded(picture, as_png):
    """A picture (H, W, 3) float32 in [0, 1] as a file: PNG, or JPEG of quality 95; scalar string."""
    pixels = tf.cast(tf.round(picture * 255.0), tf.uint8)
    return tf.cond(
        as_png, lambda: tf.io.encode_png(pixels), lambda: tf.io.encode_jpeg(pixels, quality=95)
    )


def in_portions(function, shape, pictures, *others):
    """A function of batches, a few pictures at a time where they are large.

    Memory then grows with the largest picture, not with how many a server has put together.

    Args:
        function: (pictures, *others) -> tensor of `shape`.
        shape: of the result, its first side None.
        pictures: (N, H, W, 3), N at least 1.
        *others: tensors (N, ...).
    """
    count, height, width = tf.unstack(tf.shape(pictures)[:3])
    step = tf.maximum(1, _AT_ONCE // (height * width))
    inputs = (pictures, *others)
    parts = tf.TensorArray(tf.float32, size=-(-count // step), infer_shape=False, element_shape=shape)

    def one(index, parts):
        here = slice(index * step, (index + 1) * step)
        return index + 1, parts.write(index, function(*(tensor[here] for tensor in inputs)))

    _, parts = tf.while_loop(
        lambda index, _: index < parts.size(), one, (tf.constant(0), parts), parallel_iterations=1
    )
    return tf.ensure_shape(parts.concat(), shape)


def requests(bounds, *named):
    """Tensors of pairs (name, tensor (N, ...)) as `same_count`, N within bounds: what `one_by_one` takes."""
    count = tf.shape(named[0][1])[0]
    with tf.control_dependencies(refuse_unless(
        (count > 0) & (count <= bounds.pictures),
        f"{named[0][0]} must be 1 to {bounds.pictures} pictures; received {{}}.", count,
    )):
        return same_count(*named)


def one_by_one(function, requests, spec):
    """A function of one request (tuple of tensors) over a batch of them, never two at once; `spec` is of one result."""
    return tf.map_fn(function, tuple(requests), parallel_iterations=1, fn_output_signature=spec)


def resized(pictures, height, width):
    """(N, h, w, 3) in [0, 1] resampled as `tfstyle.images.resize` does it (Lanczos), to 1e-4; the same if so large."""
    found = tf.shape(pictures)

    def resample():
        sides = tf.stack([height, width])
        return tf.clip_by_value(tf.image.resize(pictures, sides, "lanczos3", antialias=True), 0.0, 1.0)

    same = tf.equal(found[1], height) & tf.equal(found[2], width)
    return tf.ensure_shape(tf.cond(same, lambda: pictures, resample), SPEC)


def scaled_to(pictures, long_side, bounds):
    """Style pictures (N, h, w, 3) at the long side of the content, or the least that leaves them 16 px a side.

    Refused where that is far over the bounds: beside a content of 16 x 262144 px a square would take a terabyte.
    """
    found = tf.shape(pictures)[1:3]
    short, long = (tf.cast(side, tf.float64) for side in (tf.reduce_min(found), tf.reduce_max(found)))
    least = tf.cast(tf.math.ceil((LEAST_SIDE - 0.5) * long / short), tf.int32)
    height, width = fitted(*tf.unstack(found), tf.maximum(long_side, least))
    most = bounds.of_style.pixels
    with tf.control_dependencies(refuse_unless(
        _pixels(height, width) <= most,
        f"The style picture, resized to be as long as the content, would have {{}}x{{}} px, over {most} pixels; "
        "use a smaller content picture, or send the style as floats of its own size.", width, height,
    )):
        pictures = tf.identity(pictures)
    return resized(pictures, height, width)


def fitted(height, width, long_side, least=LEAST_SIDE):
    """`tfstyle.images.fitted_shape` of int32 scalars, but no side under `least`."""
    sides = tf.cast(tf.stack([height, width]), tf.float64)
    found = tf.round(sides * (tf.cast(long_side, tf.float64) / tf.reduce_max(sides)))
    return tf.unstack(tf.maximum(tf.cast(found, tf.int32), least))


def _fits(height, width, bounds):
    sides = (tf.minimum(height, width) >= bounds.least) & (tf.maximum(height, width) <= bounds.pixels)
    return sides & (_pixels(height, width) <= bounds.pixels)  # no product overflows where the sides are within bounds


def _pixels(height, width):
    return tf.cast(height, tf.int64) * tf.cast(width, tf.int64)


def _wanted(bounds):
    return f"each of {bounds.least} px a side or more and up to {bounds.pixels} pixels"
