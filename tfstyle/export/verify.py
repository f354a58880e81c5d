"""Exported SavedModels against the Python engines, on real pictures, before they are kept."""

import io
import pathlib

import numpy as np

from tfstyle import images
from tfstyle.export import ExportError, loaders, single, translation
from tfstyle.gatys.loop import optimize
from tfstyle.gatys.objective import Objective
from tfstyle.gatys.settings import GatysSettings
from tfstyle.images.masks import read_masks
from tfstyle.look import Look, finished, painted
from tfstyle.stylizer import ArbitraryStylizer

__all__ = ["PICTURES", "check_arbitrary", "check_gatys", "check_single", "check_translation"]

# A photograph (CC0) and a painting of our own (examples/README.md), small; warm-up requests are made of them, too.
PICTURES = tuple(pathlib.Path(__file__).parent / "pictures" / name for name in ("photo.jpg", "painting.jpg"))

# Largest difference of a pixel in [0, 1]. bfloat16 has 8 bits, and two loaders may sum in two orders, which networks of
# other makes may amplify more than the shipped one.
_ARBITRARY = {"float32": 1e-5, "bfloat16": 0.05}
_OTHER = 1e-4
# Where colors are matched, they may be moved as many times as far apart.
_APART = 4
_LOOKS = (Look(), Look(strength=0.5, color="luminance"), Look(strength=0.5, color="match", color_when="after"))
_SINGLE = {"float32": 1e-4, "bfloat16": 0.05}
# The optimizer: after one step; on average after ten, which amplify every rounding; of the final loss.
_ONE_STEP, _TEN_STEPS, _LOSS = 1e-5, 1 / 255, 0.01
# Files are rounded.
_EIGHT_BITS = 0.6 / 255


def check_arbitrary(path, settings):
    """Compares every signature, in every loader, with `ArbitraryStylizer`.

    Args:
        path: of the SavedModel.
        settings: `ExportSettings`, with which it was made.

    Returns:
        {what: largest difference of a pixel}, ready for JSON.

    Raises:
        ExportError: a difference is larger than it may be.
    """
    stylizer = ArbitraryStylizer(settings.model, precision=settings.precision)
    most, told = _ARBITRARY[settings.precision], {}
    if settings.model != "default":
        most = max(most, _OTHER)
    hub, two = loaders.hub_call(path), loaders.signature_calls(path)
    with loaders.in_session(path) as session:
        for shape in ((96, 128), (75, 117)):
            content, style = (_eight_bits(images.resize(images.read(picture).rgb, shape)) for picture in PICTURES)
            code = np.stack([stylizer.style_code(style[0], max(shape))])
            whole, half = (stylizer.stylize_batch(content, code, strength) for strength in (1.0, 0.5))
            asked = {"content_image": content, "style_image": style}
            files = {"content_bytes": [_png(content)], "style_bytes": [_png(style)]}
            pairs = {"hub": (hub(content, style), whole)}
            for loader, call in (("tensorflow", two), ("session", session)):
                pairs[f"{loader} style_code"] = call("style_code", style_image=style)["style_code"], code
                pairs[f"{loader} serving_default"] = call("serving_default", **asked)["stylized_image"], whole
                strengths = np.float32([0.5])
                pairs[f"{loader} stylize"] = call("stylize", **asked, strength=strengths)["stylized_image"], half
                found = call("stylize_code", content_image=content, style_code=code)["stylized_image"]
                pairs[f"{loader} stylize_code"] = found, whole
                found = call("stylize_bytes", **files, strength=strengths)["stylized_bytes"]
                _tell(told, f"{loader} stylize_bytes", np.abs(_read(found) - half).max(), max(most, _EIGHT_BITS))
            for what, (found, wanted) in pairs.items():
                _tell(told, what, np.abs(found - wanted).max(), most)
            codes = np.concatenate([code, [stylizer.style_code(1 - style[0], max(shape))]])
            for look in _LOOKS:
                given, wanted = _looked(stylizer, content, codes, look)
                for loader, call in (("tensorflow", two), ("session", session)):
                    found = call("stylize_look", **given)["stylized_image"][0]
                    _tell(told, f"{loader} stylize_look", np.abs(found - wanted).max(), _APART * most)
    return told


def _looked(stylizer, content, codes, look):
    """A request of two styles that share a photo (1, H, W, 3), with soft edges; and what Python answers to it."""
    across = np.linspace(0, 255, content.shape[2]).astype(np.uint8)
    masks = [np.broadcast_to(row, content.shape[1:3]) for row in (across, 200 - np.minimum(across, 200))]

    def paint(given):
        return stylizer.stylize_batch(np.stack([given, given]), codes, look.strength)

    given = {
        "content_image": content, "style_code": codes[None], "masks": np.stack(masks)[None].astype(np.float32) / 255,
        "strength": np.float32([look.strength]), "color": np.array([look.color], object),
    }
    return given, painted(content[0], look, read_masks(masks, content.shape[1:3], 2), paint)


def check_gatys(path):
    """Compares the optimizer's signatures, in both loaders, with `tfstyle.gatys.optimize` in float32.

    Returns:
        {what: difference}, as `check_arbitrary`: of a pixel, largest after one step, mean after ten; of the final loss
        at the default settings relative to Python's.

    Raises:
        ExportError: a difference is larger than it may be.
    """
    told, two, kinds = {}, loaders.signature_calls(path), ("content", "style", "tv")
    weights = {f"{kind}_weight": np.float32([getattr(GatysSettings, f"{kind}_weight")]) for kind in kinds}
    with loaders.in_session(path) as session:
        calls = (("tensorflow", two), ("session", session))
        # 400 px are painted in two scales; one step is two evaluations.
        for side, steps, measure, most in ((128, 2, np.max, _ONE_STEP), (400, 2, np.mean, _TEN_STEPS),
                                           (128, 11, np.mean, _TEN_STEPS)):
            content, style = _pair(side)
            settings = GatysSettings(size=None, steps=(steps,), precision="float32")
            wanted = optimize(content[0], [style[0]], settings, report=False).image
            asked = {"content_image": content, "style_image": style, "steps": np.int32([steps]), **weights}
            for loader, call in calls:
                found = call("optimize", **asked)["stylized_image"][0]
                _tell(told, f"{loader}, {steps - 1} steps at {side} px", measure(np.abs(found - wanted)), most)
                if most == _ONE_STEP:  # more steps amplify what threads sum in another order
                    files = {"content_bytes": [_png(content)], "style_bytes": [_png(style)], "steps": np.int32([steps])}
                    filed = _read(call("optimize_bytes", **files, **weights)["stylized_bytes"])[0]
                    _tell(told, f"{loader}, optimize_bytes", np.abs(filed - found).max(), _EIGHT_BITS)
        for steps, strength, measure, most in ((2, 1.0, np.max, _ONE_STEP), (11, 0.7, np.mean, _TEN_STEPS)):
            given, wanted = _mixture(steps, strength)
            for loader, call in calls:
                found = call("optimize_look", **given, **weights)["stylized_image"][0]
                difference = measure(np.abs(found - wanted))
                _tell(told, f"{loader}, optimize_look, {steps - 1} steps", difference, _APART * most)
        content, style = _pair(96)
        settings = GatysSettings(size=None, precision="float32")
        wanted = optimize(content[0], [style[0]], settings, report=False).image
        loss = _loss(settings, wanted, content[0], style[0])
        for loader, call in calls:
            found = call("serving_default", content_image=content, style_image=style)["stylized_image"][0]
            _tell(told, f"{loader}, final loss", abs(_loss(settings, found, content[0], style[0]) / loss - 1), _LOSS)
    return told


def _mixture(steps, strength):
    """A request of two styles, smaller than the photo; and what Python answers to it."""
    (content,), (style,) = _pair(128)
    styles, shares = [images.resize(one, (64, 80)) for one in (style, 1 - style)], np.float32([0.75, 0.25])
    settings = GatysSettings(
        size=None, style_size=80, steps=(steps,), strength=strength, color="match", color_when="after",
        precision="float32",
    )
    given = {
        "content_image": content[None], "style_image": np.stack(styles)[None], "weights": shares[None],
        "steps": np.int32([steps]), "strength": np.float32([strength]), "color": np.array([settings.color], object),
    }
    result = optimize(content, styles, settings, style_weights=shares, report=False)
    return given, finished(result.image, content, settings)


def check_single(path, name, settings):
    """Compares both signatures of a network of one picture, in every loader, with Keras.

    Args:
        path: of the SavedModel.
        name: "style" or "superres".
        settings: `ExportSettings`, with which it was made.

    Returns:
        {what: largest difference of a pixel}, as `check_arbitrary`.

    Raises:
        ExportError: a difference is larger than it may be.
    """
    inner = "mixed_bfloat16" if settings.precision == "bfloat16" else "float32"
    network, config = single.load(name, settings, inner)
    names, least = single.NAMES[name], getattr(config, "least_side", images.LEAST_SIDE)
    most, told = _SINGLE[settings.precision], {}
    hub, two = loaders.hub_call(path), loaders.signature_calls(path)
    with loaders.in_session(path) as session:
        for shape in single.SHAPES[name]:
            picture = _eight_bits(images.resize(images.read(PICTURES[0]).rgb, [max(side, least) for side in shape]))
            wanted = network(picture).numpy()
            _tell(told, "hub", np.abs(hub(picture) - wanted).max(), most)
            for loader, call in (("tensorflow", two), ("session", session)):
                found = call("serving_default", **{names.picture: picture})[names.answer]
                _tell(told, f"{loader} serving_default", np.abs(found - wanted).max(), most)
                found = call(names.of_files, **{names.file: [_png(picture)]})[names.answer_file]
                difference = np.abs(_read(found) - wanted).max()
                _tell(told, f"{loader} {names.of_files}", difference, max(most, _EIGHT_BITS))
    return told


def check_translation(path, settings):
    """Compares every signature of a translation, in every loader, with Keras.

    Args:
        path: of the SavedModel.
        settings: `ExportSettings`, with which it was made.

    Returns:
        {what: largest difference}, as `check_arbitrary`: of a pixel; of a code's number, in units of the largest one
        where that is over 1.

    Raises:
        ExportError: a difference is larger than it may be.
    """
    inner = "mixed_bfloat16" if settings.precision == "bfloat16" else "float32"
    painter, reader, _ = translation.load(settings, inner)
    most, told = _SINGLE[settings.precision], {}
    hub, two = loaders.hub_call(path), loaders.signature_calls(path)
    with loaders.in_session(path) as session:
        for shapes in translation.SHAPES:
            content, style = (
                _eight_bits(images.resize(images.read(picture).rgb, shape))
                for picture, shape in zip(PICTURES, shapes, strict=True)
            )
            code = reader(style).numpy()
            whole, unit = painter([content, code]).numpy(), max(1.0, np.abs(code).max())
            asked = {"content_image": content, "style_image": style}
            pairs = {"hub": (hub(content, style), whole)}
            for loader, call in (("tensorflow", two), ("session", session)):
                for name in ("serving_default", "translate"):
                    pairs[f"{loader} {name}"] = call(name, **asked)["stylized_image"], whole
                found = call("encode_style", style_image=style)["style_code"]
                pairs[f"{loader} encode_style"] = found / unit, code / unit
                found = call("translate_code", content_image=content, style_code=code)["stylized_image"]
                pairs[f"{loader} translate_code"] = found, whole
                found = call("translate_bytes", content_bytes=[_png(content)], style_bytes=[_png(style)])
                difference = np.abs(_read(found["stylized_bytes"]) - whole).max()
                _tell(told, f"{loader} translate_bytes", difference, max(most, _EIGHT_BITS))
            for what, (found, wanted) in pairs.items():
                _tell(told, what, np.abs(found - wanted).max(), most)
    return told


def _pair(side):
    return [_eight_bits(images.read(picture, size=side).rgb) for picture in PICTURES]


def _eight_bits(picture):
    """(H, W, 3) as a batch of one that a PNG file holds without loss."""
    return images.to_uint8(picture)[None].astype(np.float32) / 255


def _png(pictures):
    file = io.BytesIO()
    images.to_pil(pictures[0]).save(file, "PNG")
    return file.getvalue()


def _read(files):
    return np.stack([images.read(bytes(file)).rgb for file in files])


def _loss(settings, image, content, style):
    """The loss that the optimizer minimizes, of a finished picture."""
    objective = Objective(settings, (1.0,), "float32")
    targets = objective.measure_content(content), [objective.measure(style)]
    raw = objective.losses(image[None], objective.measure_content(image), *targets)
    return objective.total({name: float(value) for name, value in raw.items()})


def _tell(told, what, difference, most):
    told[what] = max(told.get(what, 0.0), float(difference))
    if not difference <= most:
        raise ExportError(
            f"The exported graph was not kept: {what} differs from Python by {difference:.2g}, more than {most:.2g}."
        )
