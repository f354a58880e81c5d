"""tfstyle translate: checks everything that needs no TensorFlow, translates a picture, and writes one or several."""

import contextlib
import io
import os
import time

import numpy as np
from PIL import Image

from tfstyle import images
from tfstyle.atomic import replaced
from tfstyle.checks import InputError, check_number
from tfstyle.cli import backend, flags, manners, outputs
from tfstyle.translate_settings import TranslateSettings, check_model
from tfstyle.weights.files import shipped_translations

EXAMPLES = """examples:
  tfstyle translate photo.jpg --model mine.npz -o painted.png  # in a random style
  tfstyle translate photo.jpg --model mine.npz --style painting.jpg -o painted.png
  tfstyle translate painting.jpg --model mine.npz --direction b2a -o photo.png
  tfstyle translate photo.jpg --model mine.npz --random-styles 5 --seed 3 -o out.png  # out-1.png to out-5.png
  tfstyle translate photo.jpg --model mine.npz --interpolate one.jpg two.jpg 7 -o out.gif
"""
MOST = 1000  # pictures of one run
ANIMATED = {".gif": "GIF", ".webp": "WEBP"}
_MILLISECONDS = {"random_styles": 1000, "interpolate": 200}  # that a picture of an animation is shown
_LONGEST_GIF = 65535  # px a side
_MODES = {"reference": "--style", "random_styles": "--random-styles", "interpolate": "--interpolate"}


def add_flags(parser):
    """Adds the verb's own flags and one for each field of `TranslateSettings`."""
    parser.usage = "tfstyle translate PHOTO --model MODEL -o OUT [flags]"
    add = parser.add_argument_group("pictures and network").add_argument
    add("photo", metavar="PHOTO", help="picture to translate")
    shipped = "".join(f"{name}, " for name in shipped_translations())
    add("--model", metavar="MODEL", required=True, help=f"{shipped}or the path of an .npz, a .keras or a SavedModel "
        "folder" if shipped else "path of an .npz, a .keras or a SavedModel folder")
    add("-o", "--output", metavar="OUT", required=True,
        help="picture to write (.png, .jpg, .webp, ...); several are numbered, such as out-1.png, or with .gif and "
             ".webp one animation")
    add("--quality", metavar="N", default="95", help="of JPEG, WebP and AVIF, 1 to 100 (default: 95)")
    add = parser.add_argument_group("the style, one of these (default: a random one)").add_argument
    add("--style", dest="reference", metavar="REF", help="that of a picture of the target domain")
    add("--random-styles", metavar="N", help="so many random ones")
    add("--interpolate", nargs=3, metavar=("A", "B", "N"),
        help="so many from that of picture A to that of picture B, both of the target domain; an animation also goes "
             "back")
    manners.add_run(parser, quiet="no line at the end")
    flags.add_settings(parser, TranslateSettings)


def run(args):
    """Runs the verb: 0 done, 1 it came to nothing through no fault of its input."""
    settings = TranslateSettings(**flags.given(args, TranslateSettings))
    quality = check_number("--quality", flags.number(args.quality), 1, 100, integer=True)
    mode, references, count = _asked(args)
    check_model(args.model, settings.direction)
    photo = images.read(args.photo, name="picture", size=settings.size)
    seen = [images.read(path, name="style picture", size=settings.style_size) for path in references]
    paths = _paths(args.output, count, photo.rgb.shape[:2])
    for path in paths:
        outputs.check_names([args.photo, *references], {"--output": path})

    height, width = photo.rgb.shape[:2]
    frames = 2 * count - 2 if mode == "interpolate" else count
    facts = {"input": args.photo, "styles": references, "outputs": paths, "model": args.model,
             "direction": settings.direction, "width": width, "height": height, "pictures": count}
    told = paths[0] if len(paths) == 1 else f"{paths[0]} to {paths[-1]}"
    if len(paths) < count:
        facts["frames"], told = frames, f"{told}  {frames} pictures of"
    told += f" {width}x{height}" if len(paths) < count else f"  {width}x{height}"
    if args.dry_run:
        manners.tell(args, f"{told}  would be written", **facts)
        return 0

    tf = backend.tensorflow()
    from tfstyle.translator import Translator

    start = time.perf_counter()
    try:
        translator = Translator(args.model, precision=settings.precision)
        codes = _codes(translator, settings, seen, count)
        made = [translator.translate(photo, code, direction=settings.direction, size=None) for code in codes]
    except (MemoryError, tf.errors.ResourceExhaustedError):
        raise manners.Failed("memory ran out; use a smaller --size.") from None
    if len(paths) < count:
        _animate(paths[0], (made + made[-2:0:-1])[:frames], _MILLISECONDS[mode], quality)
    else:
        _write(paths, made, quality)
    seconds = time.perf_counter() - start
    manners.tell(args, f"{told}  {seconds:.1f} s", **facts, seconds=seconds)
    return 0


def _asked(args):
    """(which of the modes or None, the style pictures' paths, how many pictures come out)."""
    given = [mode for mode in _MODES if getattr(args, mode) is not None]
    if len(given) > 1:
        raise InputError(f"{_MODES[given[0]]} and {_MODES[given[1]]} exclude each other; give one of them.")
    mode, references, count = given[0] if given else None, [], 1
    if mode == "reference":
        references = [args.reference]
    elif mode == "random_styles":
        count = check_number("--random-styles", flags.number(args.random_styles), 1, MOST, integer=True)
    elif mode == "interpolate":
        *references, text = args.interpolate
        count = check_number("the N of --interpolate", flags.number(text), 2, MOST, integer=True)
    return mode, references, count


def _codes(translator, settings, seen, count):
    """A style code for each picture that comes out."""
    target = settings.direction[-1]
    found = [translator.style_code(picture, target, style_size=settings.style_size) for picture in seen]
    if len(found) == 2:
        return translator.interpolated(*found, count)
    return found or translator.random_codes(count, settings.seed)


def _paths(output, count, shape):
    """The files to write, each of which can be: the output itself, or numbered so that they sort."""
    base, ending = os.path.splitext(output)
    if ending.lower() == ".gif":
        if count == 1:
            raise InputError(f"output {output!r} is for several pictures, and one comes out; use .png, .jpg or .webp.")
        if max(shape) > _LONGEST_GIF:
            raise InputError(f"output {output!r}: GIF holds at most {_LONGEST_GIF} px a side, not {max(shape)}.")
        outputs.check_file(output, "--output")
        return [output]
    paths = [output]
    if count > 1 and ending.lower() not in ANIMATED:
        paths = [f"{base}-{number:0{len(str(count))}}{ending}" for number in range(1, count + 1)]
    for path in paths:
        images.check_output(path, shape)
    return paths


def _write(paths, pictures, quality):
    """Writes every picture beside its place and moves them there once all are whole."""
    path = paths[0]
    try:
        with contextlib.ExitStack() as stack:
            for path, picture in zip(paths, pictures, strict=True):
                beside = stack.enter_context(replaced(path))
                try:
                    images.write(beside, picture, quality=quality)
                except InputError as error:
                    raise InputError(str(error).replace(beside, path)) from error
    except OSError as error:
        raise InputError(f"output {path!r} cannot be written ({error.strerror}); choose another place.") from error


def _animate(path, frames, milliseconds, quality):
    """Writes pictures as one endless animation, whole or not at all."""
    kind, data = ANIMATED[os.path.splitext(path)[1].lower()], io.BytesIO()
    first, *others = map(_with_hard_edges, frames) if kind == "GIF" else frames
    # Every picture of a WebP stands alone: what is half transparent would be laid over the one before it.
    options = {"quality": quality, "kmin": 0, "kmax": 1} if kind == "WEBP" else {}
    try:
        first.save(data, kind, save_all=True, append_images=others, duration=milliseconds, loop=0, **options)
    except Exception as error:
        raise InputError(f"output {path!r} could not be encoded as {kind} ({error}); try .png.") from error
    try:
        with replaced(path) as beside, open(beside, "xb") as file:
            file.write(data.getbuffer())
    except OSError as error:
        raise InputError(f"output {path!r} cannot be written ({error.strerror}); choose another place.") from error


def _with_hard_edges(picture):
    """A picture as GIF can hold it: one transparent color, and nothing between it and the opaque ones."""
    if picture.mode == "RGB":
        return picture
    pixels = np.array(picture)
    pixels[..., 3] = np.where(pixels[..., 3] < 128, 0, 255)
    pixels[pixels[..., 3] == 0] = 0
    return Image.fromarray(pixels)

