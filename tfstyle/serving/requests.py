"""What a client sends to a server, and what it takes for an answer."""

import dataclasses
import io

import numpy as np

from tfstyle import images
from tfstyle.checks import InputError
from tfstyle.controls import read_style
from tfstyle.look import Look, color_weights, is_code, painted_size, style_given
from tfstyle.serving.failures import Failure

__all__ = [
    "AROUND", "LOOK", "OPTIMIZE", "by_files", "checked_code", "code", "known", "shaped", "styles_sent",
    "under_styles",
]

# Settings of each method: servers paint pictures whole, and what lies around their networks is done by the client.
LOOK = tuple(field.name for field in dataclasses.fields(Look) if field.name != "tiled")
AROUND = ("color", "color_when", "photoreal")
OPTIMIZE = ("steps", "content_weight", "style_weight", "tv_weight", "model", *AROUND)


def styles_sent(styles, photo, shares, look):
    """What of the styles is sent.

    Args:
        styles: list of pictures of any kind and codes.
        photo: `tfstyle.images.Picture` at the result's size.
        shares: (R, H, W) float32 of the masks; None without.
        look: a settled `tfstyle.look.Look`.

    Returns:
        (list of codes (K,) and pictures (h, w, 3) float32, whether they can be sent as files): one picture at its own
        size, if it is smaller than the photo, which the server enlarges.
    """
    side = painted_size(look, max(photo.rgb.shape[:2]))
    if len(styles) == 1 and not is_code(styles[0]) and (look.style_size, look.style_scale) == (None, 1.0):
        seen, as_files = [_not_enlarged(styles[0], side)], True
    else:
        seen = [checked_code(one) if is_code(one) else read_style(one, look, side).rgb for one in styles]
        as_files = False
    if look.color == "style" or look.color_when == "after":
        return seen, as_files
    regions = color_weights(len(seen), shares, photo.alpha)
    return [style_given(one, photo.rgb, look, region) for one, region in zip(seen, regions, strict=True)], as_files


def under_styles(ask, photo, seen, weights, strength):
    """A photo (H, W, 3) painted after codes and pictures mixed, at any strength: what `ArbitraryStylizer` computes."""
    if len(seen) == 1 and not is_code(seen[0]):
        return ask(
            "stylize", (1, *photo.shape), content_image=photo[None], style_image=seen[0][None],
            strength=np.float32([strength]),
        )[0]
    codes = [one if is_code(one) else code(ask, one) for one in seen]
    if len({one.shape for one in codes}) > 1:
        raise InputError("The style codes have unlike lengths, so they are of unlike networks; make them anew.")
    mixed = np.float32(weights) @ np.stack(codes)
    if strength == 1:
        return ask("stylize_code", (1, *photo.shape), content_image=photo[None], style_code=mixed[None])[0]
    less, own = 1 - np.float32(strength), code(ask, photo)
    under = np.stack([less * own + np.float32(strength) * mixed, own])
    contents = np.stack([photo, photo])
    found, plain = ask("stylize_code", contents.shape, content_image=contents, style_code=under)
    return found + less * (photo - plain)


def by_files(ask, signature, photo, painting, **numbers):
    """Both pictures as PNG, and a PNG back."""
    files = {"content_bytes": [_png(photo)], "style_bytes": [_png(painting)]}
    return ask(signature, (1, *photo.shape), **files, **numbers)[0]


def _not_enlarged(style, side):
    """A style picture (h, w, 3) reduced to the photo's long side.

    The server does what else `tfstyle.stylize` does to it: it enlarges smaller ones, and keeps 16 px of long ones.
    """
    whole = images.read(style, name="style picture").rgb
    if max(whole.shape[:2]) <= side or min(images.fitted_shape(*whole.shape[:2], side)) < images.LEAST_SIDE:
        return whole
    return images.resize(whole, images.fitted_shape(*whole.shape[:2], side))


def known(settings, names, method):
    """The settings, refused where one is not among the names."""
    for name in settings:
        if name not in names:
            raise InputError(f"{name} is no setting of the method {method} on a server; there are {', '.join(names)}.")
    return settings


def code(ask, picture):
    """The code (K,) of a picture (h, w, 3)."""
    return ask("style_code", (1, None), style_image=picture[None])[0]


def _png(picture):
    file = io.BytesIO()
    images.to_pil(picture).save(file, "PNG", compress_level=1)  # the network is rarely slower than zlib
    return file.getvalue()


def shaped(answer, shape):
    """An answer as finite numbers of a shape, None being any side; files become pictures.

    Raises:
        Failure: anything else.
    """
    if isinstance(answer, list):
        try:
            answer = np.stack([images.read(file).rgb for file in answer])
        except ValueError:  # no picture, or pictures of unlike sizes
            answer = np.empty(0)
    sides = [found if side is None else side for side, found in zip(shape, answer.shape, strict=False)]
    if len(shape) != answer.ndim or tuple(sides) != answer.shape or not np.isfinite(answer).all():
        raise Failure("UNIMPLEMENTED", "its answer is not what this signature gives")
    return answer


def checked_code(code):
    """A code as float32 (K,), else `InputError`."""
    code = np.asarray(code)
    if code.dtype.kind != "f" or not len(code):
        raise InputError(f"A style code must be float of shape (100,); received {code.dtype} of {code.shape}.")
    if not np.isfinite(code).all():
        raise InputError("A style code holds NaN or infinite values; make it anew from its picture.")
    return code.astype(np.float32)
