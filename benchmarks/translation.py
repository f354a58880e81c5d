"""Measures networks that translate between two domains; prints one JSON line a case.

    python benchmarks/translation.py distances --a A --b B [--model M ...] [--features vgg19]  between sets of pictures
    python benchmarks/translation.py codes --a A --b B --model M [...]                         what comes back of codes
    python benchmarks/translation.py diversity --a A --model M [...] [--contents 20]           of random styles

A and B are folders of the two domains, M files that `tfstyle.nets.network_files` reads. Pictures go through at the size
that they have, --direction a2b or b2a; the random styles are of --seeds 0,1,2, one for each picture and seed.

`distances` holds translated pictures of the source against the target's by `tfstyle.metrics.distribution_distances`.
Two baselines come first: `identity`, the source's pictures as they are, and `untrained`, the networks of --width with
random weights. `codes` has, free of any network but the translator's own: `content`, the mean absolute error of the
content read back, relative to the content's mean size; `style`, that of the style code, whose numbers are drawn from
N(0, 1); `image`, of pictures coded and decoded in their own domain, and `cycle`, there and back, both in [0, 1].
`diversity` is `tfstyle.metrics.diversity` by vgg_dist over ten random styles of each content.
"""

import argparse
import functools
import os
import pathlib
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from gatys import Quiet, tell  # beside this script
from perceptual import numbers
from quality import machine, means


def distances(arguments):
    """Baselines, then every model."""
    from tfstyle.metrics import distribution_distances

    source, target = folders(arguments)
    for name, network in [("identity", None), *networks(arguments)]:
        for seed in arguments.seeds if network is not None else (0,):
            pictures = source if network is None else [
                translated(network, picture, arguments.direction, code)
                for picture, code in drawn(source, network, seed)
            ]
            with Quiet() as quiet, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the protocol says so
                found = distribution_distances(target, pictures, features=arguments.features)
            protocol = found.pop("protocol")
            tell("distances", model=name, direction=arguments.direction, seed=seed,
                 **{key: round(value, 6) for key, value in found.items()},
                 **{key: protocol[key] for key in ("features", "n", "d", "singular")}, others=quiet.others, **machine())


def codes(arguments):
    """What comes back of contents, styles and pictures."""
    import numpy as np
    from keras import ops

    from tfstyle.nets.dsmap import part, translation

    source, _ = folders(arguments)
    here, there = arguments.direction.split("2")
    for name, network in networks(arguments):
        own, across, back = (
            translation(network, *pair) for pair in ((here, here), (here, there), (there, here))
        )
        style = {domain: part(network, domain, "style") for domain in (here, there)}
        content = {domain: part(network, domain, "content") for domain in (here, there)}
        rows = []
        for seed in arguments.seeds:
            for picture, code in drawn(source, network, seed):
                image, code = ops.convert_to_tensor(picture[None]), ops.convert_to_tensor(code[None])
                mine = style[here](image)
                painted = across([image, code])
                before, after = content[here](multiple(image))[0], content[there](multiple(painted))[0]
                error = {
                    "content": ops.mean(ops.abs(after - before)) / ops.mean(ops.abs(before)),
                    "style": ops.mean(ops.abs(style[there](painted) - code)),
                    "image": ops.mean(ops.abs(own([image, mine]) - image)),
                    "cycle": ops.mean(ops.abs(back([painted, mine]) - image)),
                }
                rows.append({key: float(np.asarray(value)) for key, value in error.items()})
        tell("codes", model=name, direction=arguments.direction, count=len(rows), **means(rows), **machine())


def diversity(arguments):
    """How unlike the translations of one picture are."""
    from tfstyle.metrics import diversity as measured
    from tfstyle.metrics import perceptual_distance

    source = folders(arguments)[0][:arguments.contents]
    for name, network in networks(arguments):
        painted = [
            [translated(network, picture, arguments.direction, code) for code in codes_of(network, 10, number)]
            for number, picture in enumerate(source)
        ]
        tell("diversity", model=name, direction=arguments.direction, contents=len(source), styles=10, draws=15,
             vgg_dist=round(measured(painted, perceptual_distance), 4), **machine())


def networks(arguments):
    """(name, network): with random weights, and of the models."""
    import keras

    from tfstyle.nets import network_files
    from tfstyle.nets.dsmap import DSMAPConfig, dsmap

    keras.utils.set_random_seed(0)
    yield "untrained", dsmap(DSMAPConfig(width=arguments.width))
    for path in arguments.model:
        yield pathlib.Path(path).stem, network_files.load(path, "translate")[0]


def folders(arguments):
    """([pictures of the source], [of the target]) of the direction, float32 arrays in [0, 1]."""
    from tfstyle import images
    from tfstyle.train.data import PictureSet

    found = []
    for domain in arguments.direction.split("2"):
        place = getattr(arguments, domain)
        pictures = PictureSet(place) if place else ()
        found.append([images.read(pictures[i]).rgb for i in range(len(pictures))])
    return found


def drawn(pictures, network, seed):
    """Pairs of every picture and a random code."""
    return zip(pictures, codes_of(network, len(pictures), seed), strict=True)


def codes_of(network, count, seed):
    import numpy as np

    from tfstyle.nets.dsmap import part

    width = part(network, "a", "style").output.shape[-1]
    return np.random.default_rng(seed).standard_normal((count, width), np.float32)


def translated(network, picture, direction, code):
    """One picture (H, W, 3) painted in the other domain."""
    import numpy as np

    return np.asarray(across(network, direction)([picture[None], code[None]])[0]).clip(0, 1)


@functools.cache
def across(network, direction):
    from tfstyle.nets.dsmap import translation

    return translation(network, *direction.split("2"))


def multiple(image):
    """A picture reflected to the sides that a content encoder takes."""
    from tfstyle.nets.dsmap import STRIDE
    from tfstyle.nets.layers import ReflectToMultiple

    return ReflectToMultiple(STRIDE)(image)


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=("distances", "codes", "diversity"))
    parser.add_argument("--a", help="folder of pictures of domain A")
    parser.add_argument("--b", help="of domain B")
    parser.add_argument("--model", action="append", default=[], help="may be given several times")
    parser.add_argument("--direction", default="a2b", choices=("a2b", "b2a"))
    parser.add_argument("--seeds", type=numbers, default=[0, 1, 2])
    parser.add_argument("--features", default="auto")
    parser.add_argument("--width", type=int, default=64, help="of the untrained networks")
    parser.add_argument("--contents", type=int, default=20, help="pictures, of `diversity`")
    arguments = parser.parse_args(words)
    wanted = arguments.direction.split("2")[:1 if arguments.case == "diversity" else 2]
    if not all(getattr(arguments, domain) for domain in wanted):
        raise SystemExit(f"{arguments.case} needs {' and '.join(f'--{domain}' for domain in wanted)}.")
    {"distances": distances, "codes": codes, "diversity": diversity}[arguments.case](arguments)


if __name__ == "__main__":
    main()
