"""tfstyle evaluate: checks two folders of pictures, measures how far they are apart, and says so."""

import contextlib
import functools
import os
import sys
import warnings

from tfstyle.atomic import replaced
from tfstyle.checks import InputError
from tfstyle.cli import backend, flags, manners, outputs
from tfstyle.evaluate_settings import EvaluateSettings, draw, paired
from tfstyle.metrics.distributions import FewPicturesWarning, few_pictures
from tfstyle.train.data import PictureSet

EXAMPLES = """fid and kid are printed where Inception-v3 saw the pictures with ImageNet's weights as Keras has them;
frechet_vgg19 and kernel_vgg19, of the weights shipped with tfstyle, are other figures and do not compare with them.

examples:
  tfstyle evaluate paintings translated
  tfstyle evaluate paintings translated --features vgg19 --count 200 -o figures.json
  tfstyle evaluate paintings.tar translated --features inception_v3 --json
  tfstyle evaluate originals enlarged --paired
"""


def add_flags(parser):
    """Adds the verb's own flags and one for each field of `EvaluateSettings`."""
    parser.usage = "tfstyle evaluate REAL_DIR FAKE_DIR [flags]"
    add = parser.add_argument_group("pictures").add_argument
    add("real", metavar="REAL_DIR", help="folder or .tar file of pictures as they should look, such as the paintings")
    add("fake", metavar="FAKE_DIR", help="the same of pictures to judge, such as translations")
    add("-o", "--output", metavar="OUT.json", help="file to write the figures to, as --json prints them")
    manners.add_run(parser, quiet="no progress bar")
    flags.add_settings(parser, EvaluateSettings)


def run(args):
    """Runs the verb: 0 done, 1 it came to nothing through no fault of its input."""
    settings = EvaluateSettings(**flags.given(args, EvaluateSettings))
    real, fake = _pictures("REAL_DIR", args.real), _pictures("FAKE_DIR", args.fake)
    if args.output is not None:
        _check_output(args, settings, real, fake)
    chosen = draw(settings, len(real), len(fake))
    pairs = paired(real.names, fake.names, chosen[1]) if settings.paired else []
    _check_pictures(args, real, fake, chosen, pairs)
    if args.dry_run:
        count, left = len(chosen[0]), "" if args.output is None else f"; {args.output} would be written"
        line = f"{count} of {len(real)} real and {count} of {len(fake)} fake pictures would be compared{left}"
        manners.tell(
            args, line, real=args.real, fake=args.fake, output=args.output, count=count, pairs=len(pairs),
            of=[len(real), len(fake)], features=settings.features,
        )
        return 0

    backend.keras()
    try:
        with warnings.catch_warnings(), _progress(args.quiet) as tell:
            warnings.simplefilter("ignore", FewPicturesWarning)  # said below
            figures = _measured(real, fake, pairs, settings, tell)
    except MemoryError:
        raise manners.Failed("memory ran out; close other programs.") from None
    if args.json:
        manners.tell(args, "", **figures)
    else:
        print(_lines(figures), end="")
    sentence = few_pictures(figures["protocol"]["n"], figures["protocol"]["d"])
    if sentence is not None:
        print(f"tfstyle: {sentence}", file=sys.stderr)
    if args.output is not None:
        _write(args.output, manners.document(figures) + "\n")
    return 0


def _pictures(name, folder):
    try:
        return PictureSet(folder)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def _check_output(args, settings, real, fake):
    """Raises `InputError` unless the figures can be written, and over nothing that is read."""
    pictures = {_file(folder, name) for folder, found in ((args.real, real), (args.fake, fake)) for name in found.names}
    given = {name: getattr(settings, name) for name in ("inception_weights", "lpips_weights", "vgg16_weights")}
    weights = {flags.flag(name): path for name, path in given.items() if path != "imagenet"}
    outputs.check_names(sorted(pictures), weights | {"--output": args.output})
    outputs.check_file(args.output, "--output")
    if os.path.splitext(args.output)[1].lower() != ".json":
        raise InputError(f"--output {args.output!r} is for figures, written as JSON; name a file that ends in .json.")


def _check_pictures(args, real, fake, chosen, pairs):
    """Reads all that will be measured, which takes little beside the measuring: `InputError` for what cannot be."""
    shapes = [{}, {}]
    wanted = {*chosen[0].tolist(), *(index for index, _ in pairs)}, chosen[1].tolist()
    for side, folder, found, indices in zip(shapes, (args.real, args.fake), (real, fake), wanted, strict=True):
        side.update((index, _read(folder, found, index).shape[:2]) for index in indices)
    for mine, other in pairs:
        (height, width), (fake_height, fake_width) = shapes[0][mine], shapes[1][other]
        if (height, width) != (fake_height, fake_width):
            raise InputError(
                f"picture {_path(args.fake, fake.names[other])!r} is {fake_width}x{fake_height} px, but "
                f"{_path(args.real, real.names[mine])!r} is {width}x{height}; pairs must have one size."
            )


def _read(folder, pictures, index):
    """One picture; what is wrong with it is said with its path, where the name alone may be in both folders."""
    try:
        return pictures[index]
    except InputError as error:
        name = pictures.names[index]
        path = _path(folder, name)
        raise InputError(str(error).replace(f"picture {name}", f"picture {path!r}", 1)) from None


def _path(folder, name):
    """Where a picture lies, inside a tar file too."""
    return os.path.join(folder if os.path.isdir(folder) else os.path.dirname(folder), name)


def _file(folder, name):
    """The file that holds a picture: itself, or a tar file."""
    path = _path(folder, name)
    while path and not os.path.lexists(path):
        path = os.path.dirname(path)
    return path


def _measured(real, fake, pairs, settings, tell):
    """All figures as one dict; only this needs Keras."""
    from tfstyle.metrics import distribution_distances

    # First, since it may have to fetch a network.
    compared = {"paired": _compared(real, fake, pairs, settings, tell)} if pairs else {}
    figures = distribution_distances(
        real, fake, settings.features, settings.inception_weights, settings.count, settings.seed, settings.subsets,
        settings.subset_size, told=tell,
    )
    return figures | compared


def _compared(real, fake, pairs, settings, tell):
    """Means over the pairs, {name: float}, with their number and the files of LPIPS."""
    from tfstyle.metrics import lpips_distance, perceptual_distance, psnr, ssim
    from tfstyle.metrics.lpips import lpips_figure

    measures, files = {"psnr": psnr, "ssim": ssim, "vgg_dist": perceptual_distance}, {}
    if settings.lpips_weights is not None:
        files = {"lpips_weights": settings.lpips_weights, "vgg16_weights": settings.vgg16_weights}
        measures[lpips_figure(settings.vgg16_weights)] = functools.partial(
            lpips_distance, weights=settings.lpips_weights, network=settings.vgg16_weights
        )
    sums = dict.fromkeys(measures, 0.0)
    for done, (mine, other) in enumerate(pairs, start=1):
        pair = real[mine], fake[other]
        for name, measure in measures.items():
            sums[name] += measure(*pair)
        tell(done, len(pairs))
    return {name: total / len(pairs) for name, total in sums.items()} | {"n": len(pairs)} | files


def _lines(figures):
    """The figures, a line each, and under what conditions they hold."""
    told, pairs = figures["protocol"], figures.get("paired", {})
    means = {name: value for name, value in pairs.items() if isinstance(value, float)}
    names = [name for name in figures if isinstance(figures[name], float) and not name.endswith("_std")]
    width = max(map(len, (*names, *means)))
    lines = []
    for name in names:
        deviation = f", deviation {figures[f'{name}_std']:.4g}" if f"{name}_std" in figures else ""
        lines.append(f"{name:{width}}  {figures[name]:.6g}{deviation}")
    lines += [f"{name:{width}}  {value:.6g}" for name, value in means.items()]
    sides = " and ".join(f"{told['n']} of {of} {side}" for of, side in zip(told["of"], ("real", "fake"), strict=True))
    lines += [
        f"{sides} pictures, seed {told['seed']}; {told['subsets']} subsets of {told['subset_size']}",
        f"{told['side']}x{told['side']} px ({told['resize']}); {told['text']}",
        f"weights {told['weights']}, SHA-256 {told['weights_sha256'] or 'unknown'}",
    ]
    if told["features"] == "vgg19":
        lines.append("not FID and KID, which need ImageNet's weights of Inception-v3: see --features")
    if pairs:
        lines.append(f"{pairs['n']} pairs at their own size; PSNR and SSIM of luminance, vgg_dist by VGG-19")
    if "lpips_weights" in pairs:
        lines.append(f"LPIPS' weights {pairs['lpips_weights']}, VGG-16 {pairs['vgg16_weights']}")
    return "\n".join(lines) + "\n"


def _write(path, text):
    """The file of figures, whole or not at all."""
    try:
        with replaced(path) as beside, open(beside, "x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"--output {path!r} could not be written ({error.strerror}).") from error


@contextlib.contextmanager
def _progress(quiet):
    """A bar on stderr, if that is a terminal; yields a function for pictures or pairs done."""
    from tqdm import tqdm

    with tqdm(disable=True if quiet else None, desc="looking at pictures", dynamic_ncols=True) as bar:

        def tell(done, of):
            if of != bar.total:
                bar.reset(of)
            bar.update(done - bar.n)

        yield tell

