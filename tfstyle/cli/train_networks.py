"""What tfstyle train knows of each network: its flags, what it reads before the work, and the function that trains it.

Nothing here imports Keras before a training begins.
"""

import dataclasses
from collections.abc import Callable

from tfstyle import images, weights
from tfstyle.checks import InputError
from tfstyle.cli import outputs
from tfstyle.train.data import PictureSet, fingerprint
from tfstyle.train.perceptual_settings import StylePace, StyleSettings, SuperResPace, SuperResSettings
from tfstyle.train.settings import ArbitrarySettings, TrainSettings
from tfstyle.train.translate_settings import DSMAPPace, DSMAPSettings, check_domains

__all__ = ["NETWORKS", "Network"]


@dataclasses.dataclass(frozen=True)
class Network:
    """One of the networks that can be trained.

    Attributes:
        text: what it is, for help.
        settings, pace: its settings' classes; each of their fields is a flag.
        usage: of the flags that it needs.
        examples: lines of help.
        starts: words that --init takes beside files.
        init: what help says of --init.
        add_flags: called with an `add_argument`: the flags of its data.
        read: called with (args, settings): ([PictureSet], {what of the data a resumed run must agree in: fingerprint}).
            Raises `InputError` for all that can be found wrong without Keras.
        train: called with (those sets, args, settings, pace, measured) and the options that all trainings take; returns
            the steps done. Only this imports Keras.
    """

    text: str
    settings: type
    pace: type
    usage: str
    examples: str
    starts: tuple
    init: str
    add_flags: Callable
    read: Callable
    train: Callable


_FOLDERS = "its folders and .tar files too; or a .tar file; may be given several times"


def _content_flag(add):
    add("--content-dir", metavar="DIR", action="append", required=True, help=f"folder of photographs, {_FOLDERS}")


def _photographs(args):
    """(PictureSet, what a resumed run must agree in) of --content-dir."""
    photos = _pictures("--content-dir", args.content_dir)
    return photos, {"photographs": photos.fingerprint}


def _pictures(flag, folders):
    """The pictures of folders that a flag names; what is wrong with them is told with the flag."""
    try:
        return PictureSet(folders)
    except InputError as error:
        raise InputError(f"{flag}: {error}") from None


# Any style


def _arbitrary_flags(add):
    _content_flag(add)
    add("--style-dir", metavar="DIR", action="append", required=True, help="the same of paintings")
    add("--bank", metavar="DIR",
        help="folder of the measured paintings, which runs may share (default: WORKDIR/styles)")


def _arbitrary_data(args, settings):
    (photos, agreed), paintings = _photographs(args), _pictures("--style-dir", args.style_dir)
    if args.bank is not None:
        outputs.check_folder(args.bank, "--bank", make=not args.dry_run)
    return [photos, paintings], agreed | {"paintings": paintings.fingerprint}


def _train_arbitrary(sets, args, settings, pace, measured, **options):
    from tfstyle.train.arbitrary import train_arbitrary

    return train_arbitrary(*sets, args.workdir, settings, pace, bank=args.bank, measured=measured, **options)


# One style


def _style_flags(add):
    _content_flag(add)
    add("--style", dest="painting", metavar="PICTURE", required=True, help="the painting")


def _style_data(args, settings):
    photos, agreed = _photographs(args)
    painting = images.read(args.painting, name="style picture", size=settings.style_size).rgb
    _check_judge(settings)
    return [photos], agreed | {"painting": fingerprint(painting)}


def _train_style(sets, args, settings, pace, measured, **options):
    from tfstyle.train.feedforward import train_style

    return train_style(*sets, args.painting, args.workdir, settings, pace, **options)


# Enlargement


def _superres_data(args, settings):
    photos, agreed = _photographs(args)
    _check_judge(settings)
    return [photos], agreed


def _train_superres(sets, args, settings, pace, measured, **options):
    from tfstyle.train.superres import train_superres

    return train_superres(*sets, args.workdir, settings, pace, **options)


# Translation


def _translate_flags(add):
    for domain in ("a", "b"):
        add(f"--{domain}", metavar="DIR", action="append", required=True,
            help=f"folder of the pictures of domain {domain.upper()}, {_FOLDERS}")


def _translate_data(args, settings):
    sets = {domain: _pictures(f"--{domain}", getattr(args, domain)) for domain in ("a", "b")}
    check_domains(**sets, crop=settings.crop)
    if settings.contextual_weight or settings.invariant_weight:
        _check_judge(settings)
    return list(sets.values()), {f"domain_{domain}": pictures.fingerprint for domain, pictures in sets.items()}


def _train_translate(sets, args, settings, pace, measured, **options):
    from tfstyle.train.translate import train_translate

    return train_translate(*sets, args.workdir, settings, pace, **options)


def _check_judge(settings):
    """Reads weights of the loss network that are a file of the user's; the others are checked where they are used."""
    file = settings.loss_weights
    if file != "imagenet" and (file, settings.loss_network) != ("default", "vgg19"):
        weights.load(file, settings.loss_network)


NETWORKS = {
    "arbitrary": Network(
        text="any style in one pass (Ghiasi et al. 2017); its WORKDIR/weights.npz is a --model for tfstyle stylize",
        settings=ArbitrarySettings, pace=TrainSettings, usage="--content-dir DIR --style-dir DIR --workdir DIR",
        examples="""\
  tfstyle train arbitrary --content-dir photos --style-dir paintings --workdir run
  tfstyle train arbitrary --content-dir photos --style-dir one --style-dir two.tar --workdir run --steps 40000
  tfstyle train arbitrary --content-dir photos --style-dir mine --workdir tuned --init default --learning-rate 3e-4
""",
        starts=("default",),
        init="default (the shipped weights), a weights.npz or a checkpoint.npz (default: random weights)",
        add_flags=_arbitrary_flags, read=_arbitrary_data, train=_train_arbitrary,
    ),
    "style": Network(
        text="one style in one pass (Johnson et al. 2016); its WORKDIR/weights.npz is a --model for tfstyle stylize",
        settings=StyleSettings, pace=StylePace, usage="--style PICTURE --content-dir DIR --workdir DIR",
        examples="""\
  tfstyle train style --style painting.jpg --content-dir photos --workdir run
  tfstyle train style --style painting.jpg --content-dir photos --workdir run --network paper --steps 40000
""",
        starts=("default", "random"),
        init="default (the shipped network for any style, as it paints after this painting), random, or a weights.npz, "
        ".keras or checkpoint.npz (default: default where network, widths, blocks and normalization are its own, else "
        "random)",
        add_flags=_style_flags, read=_style_data, train=_train_style,
    ),
    "superres": Network(
        text="enlargement by 4 or 8 (Johnson et al. 2016); its WORKDIR/weights.npz is a --model for tfstyle enlarge",
        settings=SuperResSettings, pace=SuperResPace, usage="--content-dir DIR --workdir DIR",
        examples="""\
  tfstyle train superres --factor 4 --content-dir photos --workdir run
  tfstyle train superres --factor 8 --content-dir photos --workdir pixels --feature-weight 0 --pixel-weight 1
""",
        starts=("random",), init="random, or a weights.npz, .keras or checkpoint.npz (default: random)",
        add_flags=_content_flag, read=_superres_data, train=_train_superres,
    ),
    "translate": Network(
        text="translation between two domains (DSMAP, Chang et al. 2020; MUNIT, Huang et al. 2018); its "
        "WORKDIR/weights.npz is a --model for tfstyle translate",
        settings=DSMAPSettings, pace=DSMAPPace, usage="--a DIR --b DIR --workdir DIR",
        examples="""\
  tfstyle train translate --a photos --b paintings --workdir run
  tfstyle train translate --a summer --b winter --workdir run --method munit --crop 256 --pictures 1
  tfstyle train translate --a photos --b paintings --workdir small --width 24 --crop 128 --steps 10000
""",
        starts=("random",), init="random, or a weights.npz, .keras or checkpoint.npz (default: random)",
        add_flags=_translate_flags, read=_translate_data, train=_train_translate,
    ),
}
