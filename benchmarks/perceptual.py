"""Measures networks for one style and networks that enlarge; prints one JSON line a case.

    python benchmarks/perceptual.py styles --model M --style S [--content-dir C] [--out DIR]  content_loss, style_rel
    python benchmarks/perceptual.py time [--model M --style S] [--sizes 256,512,1024]         beside the optimizer
    python benchmarks/perceptual.py steps --model M --style S [--steps 10,25,50,100]          beside L-BFGS from noise
    python benchmarks/perceptual.py enlarge [--content-dir C] [--factor 4] [--out DIR]        beside bicubic

M is what `tfstyle.FeedForwardStylizer` or `tfstyle.Enlarger` takes, S the painting that it was trained for. Without
--content-dir the examples' photographs are taken.

`time` paints squares of 4:3 by the model, by the paper's width with random weights, and by `method="optimize"` at its
defaults (once: minutes at 1024 px). `steps` holds what both minimize against each other, content_loss + --style-weight
x style_rel of `tfstyle.metrics.Evaluator`: for the network's picture and after so many steps of L-BFGS at one scale
from noise, the paper's figure 5. `enlarge` follows section 4.2: a picture is blurred by sigma 1.0, reduced
bicubically, enlarged and compared on luminance (PSNR, SSIM), `factor` px of border cut off, and by
`perceptual_distance` in color. --reduce N first reduces pictures to a long side of N px, so that compression leaves no
trace in them.
"""

import argparse
import os
import pathlib
import statistics

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from gatys import EXAMPLES, PICTURES, Quiet, tell  # beside this script
from quality import machine, means, median, timed


def styles(arguments):
    """Means over the photographs at 512 px."""
    import tfstyle
    from tfstyle.metrics import Evaluator

    stylizer = tfstyle.FeedForwardStylizer(arguments.model, precision=arguments.precision)
    evaluator, found = Evaluator(), []
    for content in contents(arguments):
        painted = stylizer.stylize(content, size=512).convert("RGB")
        kept(painted, arguments.out, content)
        found.append(evaluator(content, arguments.style, painted))
        if arguments.verbose:
            tell("photo", content=content.stem, **found[-1])
    tell("styles", model=arguments.model, count=len(found), precision=arguments.precision, **means(found), **machine())


def seconds(arguments):
    """Seconds a picture at several sizes: the model, the paper's width, the optimizer."""
    import numpy as np

    import tfstyle
    from tfstyle import images
    from tfstyle.machine import resolve
    from tfstyle.nets.feedforward import FeedForwardConfig, feedforward

    dtype = "mixed_bfloat16" if resolve(arguments.precision) == "bfloat16" else "float32"
    stylizer = tfstyle.FeedForwardStylizer(arguments.model, precision=arguments.precision)
    paper = graph(feedforward(FeedForwardConfig("paper"), dtype))
    photo = images.read(contents(arguments)[0]).rgb
    for size in arguments.sizes:
        content = images.resize(photo, (size * 3 // 4, size))
        stylizer.stylize(content, size=size)  # compiles
        paper(content[None])
        ours, theirs = [], []
        with Quiet() as quiet:
            for _ in range(arguments.repeat):
                ours.append(timed(lambda content=content, size=size: stylizer.stylize(content, size=size)))
                theirs.append(timed(lambda content=content: np.asarray(paper(content[None]))))
            slow = None
            if arguments.style:
                slow = timed(lambda content=content, size=size: tfstyle.stylize(
                    content, arguments.style, method="optimize", size=size))
        tell("time", size=f"{size}x{size * 3 // 4}", model=arguments.model, precision=arguments.precision,
             seconds=median(ours), least=round(min(ours), 4), paper_width=median(theirs),
             paper_width_least=round(min(theirs), 4), optimizer=slow and round(slow, 1),
             times_faster=slow and round(slow / statistics.median(ours)), others=quiet.others, **machine())


def steps(arguments):
    """The objective after steps of L-BFGS beside the network's, means over the photographs."""
    import tfstyle
    from tfstyle import gatys, images
    from tfstyle.metrics import Evaluator

    stylizer = tfstyle.FeedForwardStylizer(arguments.model, precision=arguments.precision)
    evaluator = Evaluator(arguments.size)
    network, after = [], {count: [] for count in arguments.steps}
    for content in contents(arguments)[:arguments.limit]:
        photo = images.read(content, size=arguments.size).rgb
        painting = images.read(arguments.style, size=arguments.size).rgb
        network.append(evaluator(photo, painting, stylizer.stylize(photo, size=arguments.size)))
        pictures = {}

        def keep(record, pictures=pictures):
            if record.step in after:
                pictures[record.step] = record.image()
            return False

        settings = gatys.preset("default", size=arguments.size, steps=(max(after),), init="noise",
                                content_weight=1.0, style_weight=arguments.style_weight)
        gatys.optimize(photo, [painting], settings, callback=keep)
        for count, picture in pictures.items():
            after[count].append(evaluator(photo, painting, images.to_pil(picture)))
    shown = {"network": network, **after}
    for name, found in shown.items():
        figures = means([{key: one[key] for key in ("content_loss", "style_rel", "tv")} for one in found])
        total = figures["content_loss"] + arguments.style_weight * figures["style_rel"]
        tell("steps", after=name, size=arguments.size, count=len(found), objective=round(total, 4), **figures)


def enlarge(arguments):
    """PSNR, SSIM and feature distance of the network's and of bicubic enlargement, means over the pictures."""
    import tfstyle
    from PIL import Image
    from tfstyle import images
    from tfstyle.images.reduction import low_resolution
    from tfstyle.metrics import perceptual_distance, psnr, ssim

    enlarger = tfstyle.Enlarger(arguments.model, factor=arguments.factor, precision=arguments.precision)
    found = {"bicubic": [], "network": []}
    for path in contents(arguments):
        picture = images.to_uint8(images.read(path, size=arguments.reduce).rgb)
        small, large = low_resolution(picture, arguments.factor)
        shape = large.shape[1], large.shape[0]
        enlarged = {
            "bicubic": Image.fromarray(small).resize(shape, Image.Resampling.BICUBIC),
            "network": enlarger.enlarge(small, match_histogram=not arguments.no_match_histogram),
        }
        for name, image in enlarged.items():
            kept(image, arguments.out and pathlib.Path(arguments.out, name), path)
            pixels = images.to_uint8(images.read(image).rgb)
            found[name].append({
                "psnr": psnr(large, pixels, border=arguments.factor),
                "ssim": ssim(large, pixels, border=arguments.factor),
                "vgg_dist": perceptual_distance(large, pixels),
            })
    for name, figures in found.items():
        tell("enlarge", by=name, model=arguments.model, factor=arguments.factor, count=len(figures),
             matched=not arguments.no_match_histogram, **means(figures), **machine())


def contents(arguments):
    """The photographs' paths."""
    folder = pathlib.Path(arguments.content_dir or EXAMPLES / "content")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    if not found:
        raise SystemExit(f"{folder} holds no pictures ({', '.join(PICTURES)}).")
    return found


def graph(model):
    """A network of one picture as a graph for any size."""
    import tensorflow as tf

    return tf.function(model, input_signature=[tf.TensorSpec((None, None, None, 3))])


def kept(image, folder, source):
    """Writes a result under --out, if that was given."""
    if folder:
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        image.save(pathlib.Path(folder, f"{source.stem}.png"))


def numbers(text):
    return [int(word) for word in text.split(",")]


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=("styles", "time", "steps", "enlarge"))
    parser.add_argument("--model", help="default: the first that is shipped")
    parser.add_argument("--style", help="painting that the model was trained for")
    parser.add_argument("--content-dir", help="photographs (default: the examples')")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--size", type=int, default=384, help="long side in px, of `steps`")
    parser.add_argument("--sizes", type=numbers, default=[256, 512, 1024], help="long sides in px, of `time`")
    parser.add_argument("--steps", type=numbers, default=[10, 25, 50, 100, 200])
    parser.add_argument("--style-weight", type=float, default=5.0, help="of `steps`, as in the training")
    parser.add_argument("--limit", type=int, default=3, help="photographs of `steps`")
    parser.add_argument("--factor", type=int, default=4)
    parser.add_argument("--reduce", type=int, help="long side in px to which pictures are reduced before `enlarge`")
    parser.add_argument("--no-match-histogram", action="store_true")
    parser.add_argument("--out", help="folder for the results")
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--verbose", action="store_true", help="one line a photograph")
    arguments = parser.parse_args(words)
    if arguments.model is None:
        from tfstyle.weights.files import shipped_styles

        arguments.model = "default" if arguments.case == "enlarge" else shipped_styles()[0]
    if arguments.case in ("styles", "steps") and not arguments.style:
        raise SystemExit(f"{arguments.case} needs --style, the painting that the model was trained for.")
    {"styles": styles, "time": seconds, "steps": steps, "enlarge": enlarge}[arguments.case](arguments)


if __name__ == "__main__":
    main()
