"""The one-pass engine as a graph: any style, codes that can be kept, strengths, picture files in and out."""

import functools

import tensorflow as tf

from tfstyle.controls import MOST_SEEN
from tfstyle.export import controls, graph
from tfstyle.export.stored import StoredNetwork, StoredVGG
from tfstyle.losses.style import joined_moments
from tfstyle.nets import arbitrary_weights
from tfstyle.nets.arbitrary import PREDICTOR_LAYERS
from tfstyle.nets.vgg import vgg

__all__ = ["BOUNDS", "ArbitraryModule"]

# Full HD and a little more: the most memory is taken by VGG-19, 0.9 kB a pixel of a style twice as large.
BOUNDS = graph.Bounds(pixels=2**21, pictures=16)
_MOST_CODE = 1000  # those of pictures are about 10; beyond the range of float32 there is no picture
_ANEW = "make it anew from its picture"
_PICTURE = tf.TensorSpec((None, None, 3))


class ArbitraryModule(tf.Module):
    """What `tfstyle.ArbitraryStylizer` computes, as graphs. As a whole it is called as TF Hub's module is.

    Args:
        model: as `tfstyle.nets.arbitrary_weights.load` takes it.
        precision: of the convolutions, "float32" or "bfloat16".
        bounds: of one request.

    Raises:
        InputError: no such model, or a damaged one.
    """

    def __init__(self, model="default", precision="float32", bounds=BOUNDS):
        super().__init__(name="arbitrary")
        inner = "mixed_bfloat16" if precision == "bfloat16" else "float32"
        predictor, transformer, config = arbitrary_weights.load(model, inner)
        self.reader = StoredVGG(vgg(PREDICTOR_LAYERS, dtype=precision)) if config.predictor == "vgg19" else None
        self.predictor, self.transformer = StoredNetwork(predictor), StoredNetwork(transformer)
        self.code_size, self._bounds = config.code, bounds
        self.bounds = {"most_pixels": bounds.pixels, "most_pictures": bounds.pictures,
                       "most_styles": controls.MOST_STYLES}

    @tf.function(input_signature=[tf.TensorSpec(graph.PICTURES, name="content_image"),
                                  tf.TensorSpec(graph.PICTURES, name="style_image")], autograph=False)
    def __call__(self, content_image, style_image):
        """Pictures (N, H, W, 3) and (N, h, w, 3) float32 in [0, 1] -> [painted (N, H, W, 3)], as TF Hub's module."""
        content, style = graph.picture_pairs(content_image, style_image, self._bounds)
        return [self._painted(content, self._codes(style))]

    def signatures(self):
        """{name: tf.function} of all signatures, to be given to `tf.saved_model.save`.

        `stylize` and `stylize_bytes` blend as `tfstyle.ArbitraryStylizer` does:
        picture(s) = net(photo, (1 - s) own + s style) + (1 - s) (photo - net(photo, own)). `stylize_look` does so under
        several codes, each in its mask, and gives the photo its colors back, as `ArbitraryStylizer.stylize` does.
        """
        content, style = (tf.TensorSpec(graph.PICTURES, name=f"{name}_image") for name in ("content", "style"))
        content_file, style_file = (tf.TensorSpec((None,), tf.string, f"{name}_bytes") for name in ("content", "style"))
        strength = tf.TensorSpec((None,), name="strength")
        code = tf.TensorSpec((None, None), name="style_code")
        several, masks = tf.TensorSpec((None, None, None), name="style_code"), tf.TensorSpec((None,) * 4, name="masks")
        color = tf.TensorSpec((None,), tf.string, "color")

        @tf.function(input_signature=[content, style], autograph=False)
        def serving_default(content_image, style_image):
            return {"stylized_image": self(content_image, style_image)[0]}

        @tf.function(input_signature=[content, style, strength], autograph=False)
        def stylize(content_image, style_image, strength):
            content, style, strength = graph.picture_pairs(
                content_image, style_image, self._bounds, ("strength", controls.checked_strength(strength))
            )
            return {"stylized_image": self._blended(content, self._codes(style), strength)}

        @tf.function(input_signature=[style], autograph=False)
        def style_code(style_image):
            return {"style_code": self._codes(graph.pictures(style_image, "style_image", self._bounds.of_style))}

        @tf.function(input_signature=[content, code], autograph=False)
        def stylize_code(content_image, style_code):
            code = graph.codes(style_code, self.code_size, _MOST_CODE, _ANEW)
            content = graph.pictures(content_image, "content_image", self._bounds)
            content, code = graph.same_count(("content_image", content), ("style_code", code))
            return {"stylized_image": self._painted(content, code)}

        @tf.function(input_signature=[content, several, masks, strength, color], autograph=False)
        def stylize_look(content_image, style_code, masks, strength, color):
            strength, color = controls.checked_strength(strength), controls.checked_colors(color)
            content = graph.pictures(content_image, "content_image", self._bounds)
            codes, masks = self._regions(style_code, masks)
            requests = graph.same_count(
                ("content_image", content), ("style_code", codes), ("masks", masks), ("strength", strength),
                ("color", color),
            )
            return {"stylized_image": graph.one_by_one(self._looker(), requests, _PICTURE)}

        @tf.function(input_signature=[content_file, style_file, strength], autograph=False)
        def stylize_bytes(content_bytes, style_bytes, strength):
            requests = graph.requests(
                self._bounds, ("content_bytes", content_bytes), ("style_bytes", style_bytes),
                ("strength", controls.checked_strength(strength)),
            )
            return {"stylized_bytes": graph.one_by_one(self._painted_file, requests, tf.TensorSpec((), tf.string))}

        found = (serving_default, stylize, style_code, stylize_code, stylize_look, stylize_bytes)
        return {function.__name__: function for function in found}

    def _codes(self, pictures):
        """(N, h, w, 3) -> (N, K)."""
        predictor = self.predictor.widened()
        if self.reader is None:  # Inception-v3, which looks at the picture itself
            look = functools.partial(self.predictor, predictor)
        else:
            reader = self.reader.widened()

            def look(pictures):
                return self.predictor(predictor, joined_moments(self.reader(reader, pictures).values()))

        return graph.in_portions(look, (None, self.code_size), pictures)

    def _painted(self, contents, codes):
        """(N, H, W, 3) under (N, K) at full strength."""
        paint = functools.partial(self.transformer, self.transformer.widened())
        return graph.in_portions(paint, graph.SPEC, contents, codes)

    def _blended(self, contents, codes, strength):
        less = 1 - strength

        def blend():
            own = self._own(contents)
            mixed = less[:, None] * own + strength[:, None] * codes
            painted = self._painted(tf.concat([contents, contents], 0), tf.concat([mixed, own], 0))
            painted, back = tf.split(painted, 2)
            return tf.clip_by_value(painted + less[:, None, None, None] * (contents - back), 0.0, 1.0)

        return tf.cond(tf.reduce_all(less <= 0), lambda: self._painted(contents, codes), blend)

    def _own(self, contents):
        """The codes (N, K) of photos, as those of style pictures."""
        height, width = tf.unstack(tf.shape(contents)[1:3])
        return self._codes(graph.resized(
            contents, *graph.fitted(height, width, tf.minimum(tf.maximum(height, width), MOST_SEEN))
        ))

    def _regions(self, codes, masks):
        """Codes (N, S, K) and masks (N, S, h, w), checked."""
        count = controls.checked_count(tf.shape(codes)[1], "style_code")
        with tf.control_dependencies([count]):
            codes = graph.codes(codes, self.code_size, _MOST_CODE, _ANEW)
        return codes, controls.checked_masks(masks, count, self._bounds)

    def _looker(self):
        """A function of (photo (H, W, 3), codes (S, K), masks (S, h, w), strength, color) that paints one picture."""
        transform = functools.partial(self.transformer, self.transformer.widened())

        def look(request):
            photo, codes, masks, strength, color = request

            def paint():
                shares = controls.shares(masks, *tf.unstack(tf.shape(photo)[:2]))
                painted = self._in_regions(transform, photo, codes, controls.parts(shares), strength)
                return controls.finished(painted, photo, color, shares)

            return tf.cond(strength > 0, paint, lambda: photo)

        return look

    def _in_regions(self, transform, photo, codes, parts, strength):
        """One picture (H, W, 3) under codes (S, K), each in its part (S, H, W): the sum of `_blended` times these."""
        less, nothing = 1 - strength, tf.zeros_like(photo)

        def taken_back():
            own = self._own(photo[None])
            return own, less * (photo - transform(photo[None], own)[0])

        own, back = tf.cond(less > 0, taken_back, lambda: (tf.zeros((1, self.code_size)), nothing))

        def one(index, total):
            def layer():
                painted = transform(photo[None], less * own + strength * codes[index, None])[0]
                return parts[index][..., None] * tf.clip_by_value(painted + back, 0.0, 1.0)

            return index + 1, total + tf.cond(tf.reduce_any(parts[index] > 0), layer, lambda: nothing)

        return tf.while_loop(
            lambda index, _: index < tf.shape(codes)[0], one, (tf.constant(0), nothing),
            (tf.TensorShape(()), _PICTURE.shape), parallel_iterations=1,
        )[1]

    def _painted_file(self, request):
        content, style, strength = request
        content, is_png = graph.decoded(content, "content_bytes", self._bounds)
        style, _ = graph.decoded(style, "style_bytes", self._bounds.of_style)
        style = graph.scaled_to(style[None], tf.minimum(tf.reduce_max(tf.shape(content)), MOST_SEEN), self._bounds)
        painted = self._blended(content[None], self._codes(style), strength[None])
        return graph.encoded(painted[0], is_png)

