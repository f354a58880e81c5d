"""Figures of one stylized picture beside its photograph and its painting, and of any picture beside another."""

import functools
import math
from typing import NamedTuple

import numpy as np
from keras import ops

from tfstyle import images
from tfstyle.checks import InputError, check_number
from tfstyle.losses import content_loss, gram_matrix, style_distance
from tfstyle.metrics.pixels import mean_variation, ssim
from tfstyle.nets.vgg import vgg

__all__ = ["Evaluator", "perceptual_distance"]

CONTENT_LAYER = "relu4_2"
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
MOMENT_LAYERS = STYLE_LAYERS[:4]
PERCEPTUAL_LAYERS = ("relu1_2", "relu2_2", "relu3_4", "relu4_4", "relu5_4")

_STYLES = 64  # looks at styles kept, 2.4 MB each; of a content, 100 MB at 512 px, only the last one


class _Look(NamedTuple):
    """What is kept of one picture."""

    grams: dict  # (1, C, C) at STYLE_LAYERS
    moments: dict  # mean and deviation, (1, C) each, at MOMENT_LAYERS
    content: object  # features (1, h, w, C) at CONTENT_LAYER; None of a style
    directions: dict  # features scaled to length 1 at each position, at PERCEPTUAL_LAYERS; empty of a style


class Evaluator:
    """Measures stylized pictures: `evaluator(content, style, stylized)` -> dict of figures.

    Protocol. All pictures are RGB of 8 bits, alpha dropped, as their files hold them. Content and style are resized to
    `size` on the long side (Lanczos in 8 bits, up or down), the stylized picture to exactly the content's resized
    shape, so that figures do not depend on how large a method paints. The network is VGG-19 as trained on ImageNet
    (the shipped weights; max pooling, zero padding, float32), its features F after ReLU, of C channels at M positions.

    Figures, lower being nearer but for ssim:
        content_mse: mean (F - P)^2 at relu4_2, P the content's features.
        content_loss: the same divided by mean P^2: 0 is the content itself, 1 as far off as an empty map.
        style_loss: mean of E_l over relu1_1, relu2_1, relu3_1, relu4_1, relu5_1, with E_l = sum (G - A)^2 / (4 C^2),
            G and A the Gram matrices F F^T / M of the picture and of the style. The loudest layer decides it.
        style_layers: {layer: E_l}.
        style_rel: mean over those layers of |G - A|^2 / |A|^2, so that all count alike; 0 is the style itself.
        style_rel_layers: {layer: |G - A|^2 / |A|^2}.
        style_of_content, style_rel_of_content: style_loss and style_rel of the bare content: where a method starts.
        adain_loss: sum over relu1_1 to relu4_1 of mean (m - m_s)^2 + mean (d - d_s)^2, m and d the means and standard
            deviations of the channels.
        adain_rel: mean over those layers of the same divided by mean m_s^2 + mean d_s^2.
        tv, tv_content, tv_style: `mean_variation` of the three pictures.
        ssim: `ssim` of content and stylized picture; higher keeps more of the photo's structure.
        vgg_dist: mean over relu1_2, relu2_2, relu3_4, relu4_4, relu5_4 of the mean squared distance between the
            feature vectors of content and stylized picture, each scaled to length 1; 0 to 2.
        eval_size, stylized_size: [width, height] measured at, and of the stylized picture as given.
        aspect_error: |log| of the stylized picture's width / height over the content's; 0 is the same shape.

    Figures made with other weights or sizes are not comparable.

    Args:
        size: long side in px, at least 16.

    Call:
        content, style, stylized: pictures in any form that `tfstyle.images.read` takes.
        Returns: dict of floats, dicts and lists as above, ready for JSON. What was measured of the last content and
        of 64 styles is kept, so go through a grid content by content.

    Raises:
        InputError: an impossible size; no readable picture of at least 16 px a side, before and after resizing.

    Source: Gatys, Ecker and Bethge, CVPR 2016, eq. 1 and 3 to 5 with w_l = 1/5 (Gram matrices divided by M, so that
    pictures of unlike shapes compare); Huang and Belongie, ICCV 2017, eq. 13 (squared); SSIM: Wang et al. 2004;
    vgg_dist: Zhang et al., "The Unreasonable Effectiveness of Deep Features", CVPR 2018, eq. 1, without its learned
    weights.
    """

    def __init__(self, size=512):
        self.size = check_number("size", size, images.LEAST_SIDE, integer=True)
        self._network = vgg(tuple(dict.fromkeys((*STYLE_LAYERS, CONTENT_LAYER, *PERCEPTUAL_LAYERS))))
        # Keyed by the pixels themselves: a file may change, and an array or a file of the same picture are one.
        self._content = functools.lru_cache(1)(self._look)
        self._style = functools.lru_cache(_STYLES)(functools.partial(self._look, statistics_only=True))

    def __call__(self, content, style, stylized):
        photo, painting, result = (
            images.to_uint8(images.read(picture, name=f"{kind} picture").rgb)
            for kind, picture in (("content", content), ("style", style), ("stylized", stylized))
        )
        (height, width), (result_height, result_width) = photo.shape[:2], result.shape[:2]
        aspect_error = abs(math.log(result_width / result_height * height / width))
        photo = images.fit(photo, self.size, name="content picture")
        painting = images.fit(painting, self.size, name="style picture")
        result = images.resize(result, photo.shape[:2])

        target = self._style(painting.tobytes(), painting.shape)
        theirs = self._content(photo.tobytes(), photo.shape)
        found = self._look(result.tobytes(), result.shape)
        start = _style_figures(theirs, target)
        return {
            **_content_figures(found, theirs),
            **_style_figures(found, target),
            "style_of_content": start["style_loss"],
            "style_rel_of_content": start["style_rel"],
            **_moment_figures(found, target),
            "tv": mean_variation(result),
            "tv_content": mean_variation(photo),
            "tv_style": mean_variation(painting),
            "ssim": ssim(photo, result),
            "stylized_size": [result_width, result_height],
            "eval_size": list(photo.shape[1::-1]),
            "aspect_error": aspect_error,
        }

    def _look(self, pixels, shape, statistics_only=False):
        """The `_Look` at a picture: the bytes and the shape (H, W, 3) of its uint8 array."""
        features = self._network(_unit(np.frombuffer(pixels, np.uint8).reshape(shape)))
        look = _Look({}, {}, None if statistics_only else features[CONTENT_LAYER], {})
        for name in list(features):
            layer = features.pop(name)  # the early ones are large: let go of as soon as measured
            if name in STYLE_LAYERS:
                look.grams[name] = gram_matrix(layer)
            if name in MOMENT_LAYERS:
                look.moments[name] = _moments(layer)
            if name in PERCEPTUAL_LAYERS and not statistics_only:
                look.directions[name] = _directions(layer)
        return look


def perceptual_distance(first, second):
    """How far apart two pictures are to VGG-19: `Evaluator`'s vgg_dist of them, at their own size.

    Args:
        first, second: pictures of one shape, in any form that `tfstyle.images.read` takes; alpha is dropped.

    Returns:
        Float from 0, the same picture, to 2. The order does not matter.

    Raises:
        InputError: no readable pictures of at least 16 px a side, or of unlike shapes.

    Source: as that of vgg_dist in `Evaluator`.
    """
    first, second = (
        images.to_uint8(images.read(picture, name=f"{which} picture").rgb)
        for which, picture in (("first", first), ("second", second))
    )
    if first.shape != second.shape:
        raise InputError(
            f"pictures to compare must have one shape; received {first.shape} and {second.shape}: resize one of them."
        )
    network = _perceptual_network()
    mine, other = (
        {name: _directions(layer) for name, layer in network(_unit(picture)).items()} for picture in (first, second)
    )
    return _perceptual(mine, other)


@functools.cache
def _perceptual_network():
    """VGG-19 for `perceptual_distance`, kept for the next call."""
    return vgg(PERCEPTUAL_LAYERS)


def _unit(picture):
    """(H, W, 3) uint8 -> (1, H, W, 3) float32 in [0, 1]."""
    return picture[None].astype(np.float32) / 255


def _directions(features):
    """Features (1, h, w, C) scaled to length 1 at each position."""
    return features / (ops.sqrt(ops.sum(ops.square(features), axis=-1, keepdims=True)) + 1e-10)


def _perceptual(mine, other):
    """vgg_dist of {layer: directions} of two pictures."""
    distances = [float(ops.mean(ops.sum(ops.square(mine[name] - other[name]), axis=-1))) for name in PERCEPTUAL_LAYERS]
    return float(np.mean(distances))


def _moments(features):
    """As `tfstyle.losses.style.mean_and_std`, summed in float64: float32 sums of so many positions lose digits."""
    rows = ops.convert_to_numpy(features).reshape(-1, features.shape[-1])
    return tuple(moment(rows, axis=0, dtype=np.float64)[None].astype(np.float32) for moment in (np.mean, np.std))


def _content_figures(found, content):
    return {
        "content_loss": float(content_loss(found.content, content.content)),
        "content_mse": float(content_loss(found.content, content.content, "mean")),
        "vgg_dist": _perceptual(found.directions, content.directions),
    }


def _style_figures(found, style):
    plain, relative = (
        {name: float(style_distance(found.grams[name], style.grams[name], normalization=form)) for name in STYLE_LAYERS}
        for form in ("paper", "relative")
    )
    return {
        "style_loss": float(np.mean(list(plain.values()))),
        "style_rel": float(np.mean(list(relative.values()))),
        "style_layers": plain,
        "style_rel_layers": relative,
    }


def _moment_figures(found, style):
    errors, relative = [], []
    for name in MOMENT_LAYERS:
        mine, target = found.moments[name], style.moments[name]
        channels = target[0].shape[-1]
        errors.append(channels * float(style_distance(mine, target, "moments", "mean")))
        relative.append(float(style_distance(mine, target, "moments", "relative")))
    return {"adain_loss": float(np.sum(errors)), "adain_rel": float(np.mean(relative))}
