"""Two SavedModels with the signatures of the real ones and next to nothing inside, and the same in NumPy."""

import numpy as np
import tensorflow as tf

from tfstyle.export.graph import Bounds, scaled_to

MOST_PIXELS = 100 * 100
DEFAULT_STEPS = 140
PICTURES = (None, None, None, None)


# In NumPy


def code(style):
    """The code of a picture (H, W, 3): its mean color, and its long side."""
    return np.float32([*style.mean((0, 1)), max(style.shape[:2]) / 1024])


def net(content, under):
    """A picture (H, W, 3) under a code."""
    return (0.5 * content + 0.25 * under[:3] + 0.25 * under[3]) ** 2


def painted(content, under, strength=1.0):
    """What `tfstyle.ArbitraryStylizer` makes of a network and a strength."""
    less, own = 1 - strength, code(content)
    return net(content, less * own + strength * under) + less * (content - net(content, own))


def optimized(content, style, steps, content_weight, style_weight, tv_weight):
    """A picture in which every setting counts."""
    mixed = content_weight * content + style_weight * style.mean((0, 1))
    return steps / 500 * mixed / (content_weight + style_weight + tv_weight)


# As graphs


def refuse_unless(condition, sentence, *values):
    return [tf.debugging.Assert(condition, [tf.strings.format(sentence, values)])]


def checked(pictures, name):
    shape = tf.shape(pictures)
    with tf.control_dependencies([
        *refuse_unless(shape[3] == 3, f"{name} must have 3 channels; received {{}}.", shape[3]),
        *refuse_unless(shape[1] * shape[2] <= MOST_PIXELS, f"{name} must hold up to {MOST_PIXELS} pixels."),
    ]):
        return tf.ensure_shape(pictures, (None, None, None, 3))


def codes(style):
    side = tf.reduce_max(tf.shape(style)[1:3])
    long_side = tf.fill([tf.shape(style)[0], 1], tf.cast(side, tf.float32) / 1024)
    return tf.concat([tf.reduce_mean(style, [1, 2]), long_side], 1)


def nets(content, under):
    under = under[:, None, None]
    return (0.5 * content + 0.25 * under[..., :3] + 0.25 * under[..., 3:]) ** 2


def blended(content, style, strength):
    own, under, s = codes(content), codes(style), strength[:, None]
    part = nets(content, (1 - s) * own + s * under)
    return part + (1 - s[:, None, None]) * (content - nets(content, own))


def decoded(file, name):
    start = tf.strings.substr(tf.strings.join([file, b"\0" * 8]), 0, 8)
    with tf.control_dependencies(refuse_unless(start == b"\x89PNG\r\n\x1a\n", f"{name} must be PNG files.")):
        pixels = tf.cast(tf.io.decode_png(file, channels=3), tf.float32) / 255
    return checked(pixels[None], name)


def pair(content, style):
    """Both pictures of a request, the style at the content's long side, as the real models see it."""
    content, style = decoded(content, "content_bytes"), decoded(style, "style_bytes")
    return content, scaled_to(style, tf.reduce_max(tf.shape(content)), Bounds(MOST_PIXELS, 1))


def encoded(picture):
    return tf.io.encode_png(tf.cast(tf.round(tf.clip_by_value(picture, 0.0, 1.0) * 255), tf.uint8))


def write(folder):
    """Writes <folder>/arbitrary/1 and <folder>/gatys/1."""
    spec = tf.TensorSpec
    content, style = spec(PICTURES, name="content_image"), spec(PICTURES, name="style_image")
    content_file, style_file = spec((None,), tf.string, "content_bytes"), spec((None,), tf.string, "style_bytes")
    strength, code_spec = spec((None,), name="strength"), spec((None, 4), name="style_code")
    weights = [spec((None,), name=f"{kind}_weight") for kind in ("content", "style", "tv")]

    @tf.function(input_signature=[content, style, strength])
    def stylize(content_image, style_image, strength):
        return {"stylized_image": blended(
            checked(content_image, "content_image"), checked(style_image, "style_image"), strength
        )}

    @tf.function(input_signature=[style])
    def style_code(style_image):
        return {"style_code": codes(checked(style_image, "style_image"))}

    @tf.function(input_signature=[content, code_spec])
    def stylize_code(content_image, style_code):
        return {"stylized_image": nets(checked(content_image, "content_image"), style_code)}

    @tf.function(input_signature=[content_file, style_file, strength])
    def stylize_bytes(content_bytes, style_bytes, strength):
        def one(request):
            return encoded(blended(*pair(*request[:2]), request[2][None])[0])

        return {"stylized_bytes": tf.map_fn(one, (content_bytes, style_bytes, strength), fn_output_signature=tf.string)}

    @tf.function(input_signature=[content_file, style_file, spec((None,), tf.int32, "steps"), *weights])
    def optimize_bytes(content_bytes, style_bytes, steps, content_weight, style_weight, tv_weight):
        def one(request):
            content, style = pair(*request[:2])
            mixed = request[3] * content + request[4] * tf.reduce_mean(style, [1, 2])
            steps = tf.where(request[2] > 0, request[2], DEFAULT_STEPS)
            return encoded((tf.cast(steps, tf.float32) / 500 * mixed / tf.add_n(request[3:]))[0])

        bound = refuse_unless(tf.reduce_all(steps <= 500), "steps must be from 1 to 500; received {}.", steps)
        with tf.control_dependencies(bound):
            requests = content_bytes, style_bytes, steps, content_weight, style_weight, tv_weight
            return {"stylized_bytes": tf.map_fn(one, requests, fn_output_signature=tf.string)}

    one_pass = {one.__name__: one for one in (stylize, style_code, stylize_code, stylize_bytes)}
    tf.saved_model.save(tf.Module(), f"{folder}/arbitrary/1", one_pass)
    tf.saved_model.save(tf.Module(), f"{folder}/gatys/1", {"optimize_bytes": optimize_bytes})
