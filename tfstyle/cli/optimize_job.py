"""What a command line of tfstyle optimize asks for, checked as far as that needs no TensorFlow."""

import dataclasses
import os

from tfstyle.checks import InputError, check_number
from tfstyle.cli import flags, outputs
from tfstyle.controls import check_styles
from tfstyle.gatys.settings import STARTS, GatysSettings, preset

__all__ = ["NOTHING", "OptimizeJob", "checked_job"]

NOTHING = "none"  # in CONTENT's place


@dataclasses.dataclass(frozen=True)
class OptimizeJob:
    """A command line that has passed every check that can be made without TensorFlow."""

    call: dict  # arguments of `tfstyle.api.optimize_pictures`
    recipe: GatysSettings
    quality: int
    save_every: int | None
    shape: tuple  # (height, width) of the finished picture
    scales: list  # of (height, width, steps)
    alpha: object  # the content's, (height, width), or None


def checked_job(args):
    """`OptimizeJob` of a command line; raises `InputError` for whatever can be found wrong without TensorFlow."""
    content = None if args.content.lower() == NOTHING else args.content
    recipe, given = _recipe(args, content)
    weights = flags.style_weights(args)
    quality = check_number("--quality", flags.number(args.quality), 1, 100, integer=True)
    save_every = None
    if args.save_every is not None:
        save_every = check_number("--save-every", flags.number(args.save_every), 1, integer=True)
    elif args.frames_dir is not None:
        raise InputError("--frames-dir needs --save-every N.")

    masks = _masks(args, content)
    shape, alpha = _check_pictures(content, args.style, recipe)
    others = flags.check_masks(masks, shape, len(args.style))
    from tfstyle.gatys.pyramid import plan

    scales = plan(*shape, recipe)
    _check_outputs(args, shape, others)
    call = given | masks | {
        "content": content, "style": args.style or None, "preset": args.preset, "size": recipe.size,
        "init": given.get("init"), "weights": weights, "checkpoint": args.checkpoint,
    }
    return OptimizeJob(call, recipe, quality, save_every, shape, scales, alpha)


def _recipe(args, content):
    """(settings of the run, those that differ from the preset's)."""
    given = flags.given(args, GatysSettings)
    if content is None:
        if not args.style:
            raise InputError("There is neither a CONTENT nor a STYLE picture; name at least one.")
        if given.setdefault("content_weight", 0.0):
            raise InputError(f"CONTENT is {NOTHING}, so leave out --content-weight, or name a picture.")
    if content is None or not args.style:
        given.setdefault("init", "noise")  # figure 1 of the paper; from the picture itself nothing would move
    recipe = preset(args.preset, **given)
    if not args.style and recipe.style_weight:
        raise InputError(
            "There is no STYLE picture; name one, or give --style-weight 0 for what the content layers keep."
        )
    return recipe, given


def _masks(args, content):
    """What was given of --masks and --texture, if there are pictures for them to go with."""
    masks = flags.given_masks(args)
    if "masks" in masks and content is None:
        raise InputError(f"--masks lie over a photo, and CONTENT is {NOTHING}; leave them out, or name a picture.")
    if masks and not args.style:
        raise InputError(f"{flags.flag(next(iter(masks)))} goes with a STYLE picture; name one after CONTENT.")
    check_styles(args.weights, masks.get("masks"))
    return masks


def _check_pictures(content, styles, recipe):
    """Reads the pictures and weights once before the work; returns ((height, width), alpha) of the result."""
    from tfstyle import images, weights

    file = recipe.network_weights
    if file != "imagenet" and (file, recipe.network) != ("default", "vgg19"):
        weights.load(file, recipe.network)
    photo = None if content is None else images.read(content, name="content picture", size=recipe.size)
    painted = [images.read(style, name="style picture").rgb.shape[:2] for style in styles]
    if recipe.init not in STARTS:
        if not os.path.exists(recipe.init):
            raise InputError(
                f"--init {recipe.init!r} is neither {', '.join(STARTS)} nor the path of a picture "
                "or checkpoint."
            )
        if not recipe.init.lower().endswith(".npz"):
            images.read(recipe.init, name="start picture")
    if photo is not None:
        return photo.rgb.shape[:2], photo.alpha
    return images.fitted_shape(*painted[0], recipe.size or max(painted[0])), None  # a texture has the style's


def _check_outputs(args, shape, others):
    """Every file to be written can be written, each has a name of its own, and none is an input."""
    from tfstyle import images

    images.check_output(args.output, shape)
    outputs.check_names((args.content, *args.style, *others), {
        "--output": args.output, "--plot": args.plot, "--trace": args.trace, "--checkpoint": args.checkpoint,
    })
    if args.checkpoint is not None:
        if not args.checkpoint.lower().endswith(".npz"):
            raise InputError(f"--checkpoint {args.checkpoint!r} must end in .npz.")
        outputs.check_file(args.checkpoint, "--checkpoint")
    if args.trace is not None:
        outputs.check_file(args.trace, "--trace")
    if args.plot is not None:
        outputs.check_plot(args.plot, "--plot")
    if args.save_every is not None:
        folder = args.frames_dir or os.path.dirname(args.output) or "."
        outputs.check_folder(folder, "--frames-dir", make=not args.dry_run)
