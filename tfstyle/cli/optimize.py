"""tfstyle optimize: runs what has passed every check, and writes what was asked for."""

import dataclasses
import os
import platform
import sys

from tfstyle.checks import InputError
from tfstyle.cli import backend, flags, manners, outputs
from tfstyle.cli.optimize_job import NOTHING, checked_job
from tfstyle.cli.watch import interrupts, progress, write_frame
from tfstyle.gatys.settings import PRESETS, GatysSettings
from tfstyle.version import __version__


def _presets():
    """What each preset stands for, as the flags that one would type."""
    told = ["presets, which flags of your own override:"]
    for name, recipe in PRESETS.items():
        words = " ".join(flags.typed(field, value) for field, value in recipe.items())
        told.append(f"  {name}: {words or 'the defaults shown above'}")
    return "\n".join(told)


FAILED = "it diverged or came to nothing, or some file beside the picture failed"
EXAMPLES = f"""{_presets()}

examples:
  tfstyle optimize photo.jpg painting.jpg -o painted.png
  tfstyle optimize photo.jpg one.jpg two.jpg --weights 0.7 0.3 --size 1024 -o painted.jpg
  tfstyle optimize photo.jpg painting.jpg --preset gatys2016 --steps 200 --plot loss.png -o painted.png
  tfstyle optimize photo.jpg painting.jpg --color luminance -o painted.png  # in the photo's colors
  tfstyle optimize photo.jpg one.jpg two.jpg --masks sky.png -o painted.png  # one.jpg in the sky
  tfstyle optimize photo.jpg painting.jpg --texture canvas.jpg -o painted.png
  tfstyle optimize photo.jpg evening.jpg --photoreal -o painted.png  # light and palette alone
  tfstyle optimize none painting.jpg -o texture.png  # a texture, from the style alone
  tfstyle optimize photo.jpg --style-weight 0 -o content.png  # what the content layers keep
"""


def add_flags(parser):
    """Adds the verb's own flags and one for each field of `GatysSettings`."""
    parser.usage = "tfstyle optimize CONTENT [STYLE ...] -o OUT [flags]"
    pictures = parser.add_argument_group("pictures")
    add = pictures.add_argument
    add("content", metavar="CONTENT", help=f"picture to repaint, or {NOTHING} to synthesize a texture")
    add("style", metavar="STYLE", nargs="*", default=[],
        help="painting to repaint it after, or several; none with --style-weight 0")
    add("-o", "--output", metavar="OUT", required=True, help="picture to write (.png, .jpg, .webp, ...)")
    add("--quality", metavar="N", default="95", help="of JPEG, WebP and AVIF, 1 to 100 (default: 95)")
    add("--preset", metavar="NAME", default="default", help=f"recipe to start from: {', '.join(PRESETS)}")
    flags.add_weights(add)
    flags.add_masks(add)
    add = parser.add_argument_group("files beside the picture").add_argument
    add("--checkpoint", metavar="FILE.npz", help="keep the run's state here, to go on from after a kill")
    add("--save-every", metavar="N", help="write the picture of every Nth step as OUT-0010.png, ...")
    add("--frames-dir", metavar="DIR", help="folder for those pictures, made if missing (default: OUT's)")
    add("--plot", metavar="FILE", help="plot the losses against time (.png, .svg, .pdf; needs tfstyle[plot])")
    add("--trace", metavar="FILE.json", help="write settings, versions and all losses as one JSON document")
    manners.add_run(parser)
    flags.add_settings(parser, GatysSettings)


def run(args):
    """Runs the verb: 0 done, 1 diverged or some file beside the picture failed, 130 or 143 ended by a signal."""
    job = checked_job(args)
    if args.dry_run:
        manners.tell(args, _plan(args, job), **_facts(args, job))
        return 0
    from tfstyle import images

    records, faults, result, written = [], [], None, False
    with interrupts() as interrupt:
        with progress(job.scales, quiet=args.quiet) as tell:

            def callback(record):
                if not record.step:  # the texture is being mixed: there is nothing yet to write
                    tell(record)
                    return interrupt.asked
                interrupt.started = True
                records.append(record.as_dict())
                if record.figures is None:
                    tell(record)
                    _save_frame(args, job, record, faults)
                return interrupt.asked

            try:
                result, alpha = _paint(job.call, callback)
            except manners.Failed as error:
                faults.append(str(error))
        if result is not None:
            written = _keep(faults, images.write, args.output, result.image, alpha, quality=job.quality)
            records = result.records  # a resumed run's from its start
        if args.trace:
            _keep(faults, _write_trace, args, job, records, result, faults)
        if args.plot and records:
            _keep(faults, outputs.plot, args.plot, records)
    done = {} if result is None else {
        "interrupted": result.interrupted, "step": result.final.step, "seconds": result.final.seconds,
        "figures": result.final.figures,
    }
    failed = {} if written else {"error": faults[0], "exit_code": 1}
    line = _summary(args.output, result) if written else ""
    manners.tell(args, line, **_facts(args, job), **done, written=written, faults=faults, **failed)
    for fault in faults:
        print(f"tfstyle: {fault}", file=sys.stderr)
    return interrupt.code if result is not None and result.interrupted else 1 if faults else 0


def _facts(args, job):
    """What is known of a run before it starts."""
    height, width = job.shape
    files = {name: getattr(args, name) for name in ("checkpoint", "plot", "trace") if getattr(args, name) is not None}
    return {
        "input": job.call["content"], "styles": args.style, "output": args.output, "method": "optimize",
        "preset": args.preset, "width": width, "height": height, "steps": sum(steps for _, _, steps in job.scales),
        "scales": [{"width": w, "height": h, "steps": steps} for h, w, steps in job.scales],
        "frames": sum(steps for *_, steps in job.scales) // job.save_every if job.save_every else 0, **files,
    }


def _plan(args, job):
    """The line of --dry-run."""
    height, width = job.shape
    scales = ", ".join(f"{steps} at {w}x{h}" for h, w, steps in job.scales)
    return f"{args.output}  {width}x{height}  would be painted in at most {scales} steps"


def _paint(call, callback):
    """(Result, alpha) of the run; all that TensorFlow has to do with it."""
    tf = backend.tensorflow()
    from tfstyle.api import optimize_pictures
    from tfstyle.gatys.record import NonFiniteError

    try:
        return optimize_pictures(**call, callback=callback)
    except NonFiniteError as error:
        raise manners.Failed(str(error)) from None
    except (MemoryError, tf.errors.ResourceExhaustedError):
        raise manners.Failed("memory ran out; use a smaller --size, or --optimizer adam.") from None


def _keep(faults, action, *args, **options):
    """Runs an action whose failure must not cost the rest; returns whether it succeeded."""
    try:
        action(*args, **options)
    except InputError as error:
        faults.append(str(error))
        return False
    return True


def _save_frame(args, job, record, faults):
    if job.save_every and record.step % job.save_every == 0 and not faults:
        _keep(faults, write_frame, _frame_stem(args), record, job.shape, job.alpha)


def _frame_stem(args):
    folder, name = os.path.split(args.output)
    return os.path.join(args.frames_dir or folder, os.path.splitext(name)[0])


def _write_trace(args, job, records, result, faults):
    loaded = {name: sys.modules[module].__version__ for name, module in (
        ("tensorflow", "tensorflow"), ("keras", "keras"), ("numpy", "numpy"), ("pillow", "PIL"))}
    outputs.trace(args.trace, {
        "tfstyle": __version__, "versions": {"python": platform.python_version(), **loaded},
        "content": args.content, "styles": args.style, "weights": job.call["weights"],
        "masks": job.call.get("masks"), "texture": job.call.get("texture"),
        "output": args.output, "width": job.shape[1], "height": job.shape[0],
        "preset": args.preset, "settings": dataclasses.asdict(job.recipe),
        "interrupted": result is not None and result.interrupted, "faults": list(faults),
        "records": [record for record in records if not record.get("final")],
        "final": None if result is None else result.final.as_dict(),
    })


def _summary(path, result):
    """The one line on stdout."""
    height, width = result.image.shape[:2]
    final = result.final
    told = [path, f"{width}x{height}", f"{final.seconds:.1f} s"]
    names = ("content_loss", "style_rel", "tv")
    told += [f"{name} {final.figures[name]:.4f}" for name in names if name in final.figures]
    if result.interrupted:
        told.append(f"interrupted at step {final.step} of {final.steps}")
    return "  ".join(told)
