"""Makes the README's sheets: one photograph repainted after each of our paintings, by each shipped network for one
style, enlarged, or translated to the world of Monet's landscapes.

    python examples/sheet.py [--method fast|optimize|one-style|enlarge|translate] [-o examples/results/fast.jpg]
                             [--photo china.jpg] [--size 512]

The optimiser takes a minute a painting on two processor cores. `enlarge` shows the middle of the photograph a quarter
as large: enlarged bicubically, by the network, and as it was. `translate` shows five random styles, picked from
sixteen.
"""

import argparse
import pathlib

from PIL import Image, ImageOps

import tfstyle
from tfstyle import images
from tfstyle.images.reduction import low_resolution
from tfstyle.weights.files import shipped_styles

HERE = pathlib.Path(__file__).parent
CELL, GAP = (432, 288), 6
METHODS = ("fast", "optimize", "one-style", "enlarge", "translate")
SEEDS = (2, 7, 8, 10, 14)


def cell(picture):
    """The picture cut to one cell of the sheet."""
    return ImageOps.fit(picture, CELL, Image.Resampling.LANCZOS, centering=(0.4, 0.5))


def repainted(photo, method, size):
    """The photograph, and it repainted after each painting, which is shown in the corner."""
    yield cell(Image.open(photo))
    for painting in sorted((HERE / "style").glob("*.jpg")):
        result = cell(tfstyle.stylize(photo, painting, method=method, size=size))
        inset = ImageOps.contain(Image.open(painting), (96, 96), Image.Resampling.LANCZOS)
        inset = ImageOps.expand(inset, 2, "white")
        result.paste(inset, (CELL[0] - inset.width - 8, CELL[1] - inset.height - 8))
        yield result


def by_networks(photo, size):
    """The photograph repainted by each shipped network for one style."""
    for name in shipped_styles():
        yield cell(tfstyle.stylize(photo, model=name, size=size))


def enlarged(photo):
    """The middle of the photograph enlarged bicubically and by the network, and as it was."""
    whole = images.to_uint8(images.read(photo).rgb)
    small, large = low_resolution(whole, 4)
    size = large.shape[1], large.shape[0]
    for picture in (
        Image.fromarray(small).resize(size, Image.Resampling.BICUBIC), tfstyle.enlarge(small), Image.fromarray(large)
    ):
        yield ImageOps.fit(picture, (CELL[0] * 2 // 3, CELL[1]), Image.Resampling.LANCZOS)


def translated(photo, size):
    """The photograph, and it translated in random styles."""
    yield cell(Image.open(photo))
    translator = tfstyle.Translator("monet")
    for seed in SEEDS:
        yield cell(translator.translate(photo, size=size, seed=seed))


def sheet(cells, columns):
    """Pictures of one size in rows."""
    width, height = cells[0].size
    rows = -(-len(cells) // columns)
    page = Image.new("RGB", (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP), "white")
    for index, picture in enumerate(cells):
        page.paste(picture, ((index % columns) * (width + GAP), (index // columns) * (height + GAP)))
    return page


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="fast", choices=METHODS)
    parser.add_argument("-o", "--output", type=pathlib.Path)
    parser.add_argument("--photo", default="china.jpg")
    parser.add_argument("--size", type=int, default=512)
    options = parser.parse_args()
    photo = HERE / "content" / options.photo
    if options.method == "one-style":
        page = sheet(list(by_networks(photo, options.size)), 2)
    elif options.method == "enlarge":
        page = sheet(list(enlarged(photo)), 3)
    elif options.method == "translate":
        page = sheet(list(translated(photo, options.size)), 3)
    else:
        page = sheet(list(repainted(photo, options.method, options.size)), 3)
    output = options.output or HERE / "results" / f"{options.method}.jpg"
    output.parent.mkdir(parents=True, exist_ok=True)
    images.write(output, images.read(page), quality=84)


if __name__ == "__main__":
    main()
