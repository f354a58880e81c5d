"""Makes the README's sheets: one photograph repainted after each of our paintings, at the defaults.

    python examples/sheet.py [--method fast|optimize] [-o examples/results/fast.jpg] [--photo china.jpg] [--size 512]

The optimiser takes a minute a painting on two processor cores.
"""

import argparse
import pathlib

from PIL import Image, ImageOps

import tfstyle
from tfstyle import images

HERE = pathlib.Path(__file__).parent
CELL, GAP = (432, 288), 6


def cell(picture):
    """The picture cut to one cell of the sheet."""
    return ImageOps.fit(picture, CELL, Image.Resampling.LANCZOS, centering=(0.4, 0.5))


def sheet(photo, paintings, size, method):
    """Photograph and results in rows of three, each result with its painting in the corner."""
    cells = [cell(Image.open(photo))]
    for painting in paintings:
        result = cell(tfstyle.stylize(photo, painting, method=method, size=size))
        inset = ImageOps.contain(Image.open(painting), (96, 96), Image.Resampling.LANCZOS)
        inset = ImageOps.expand(inset, 2, "white")
        result.paste(inset, (CELL[0] - inset.width - 8, CELL[1] - inset.height - 8))
        cells.append(result)
    rows = -(-len(cells) // 3)
    page = Image.new("RGB", (3 * CELL[0] + 2 * GAP, rows * CELL[1] + (rows - 1) * GAP), "white")
    for index, picture in enumerate(cells):
        page.paste(picture, ((index % 3) * (CELL[0] + GAP), (index // 3) * (CELL[1] + GAP)))
    return page


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="fast", choices=("fast", "optimize"))
    parser.add_argument("-o", "--output", type=pathlib.Path)
    parser.add_argument("--photo", default="china.jpg")
    parser.add_argument("--size", type=int, default=512)
    options = parser.parse_args()
    paintings = sorted((HERE / "style").glob("*.jpg"))
    page = sheet(HERE / "content" / options.photo, paintings, options.size, options.method)
    output = options.output or HERE / "results" / f"{options.method}.jpg"
    output.parent.mkdir(parents=True, exist_ok=True)
    images.write(output, images.read(page), quality=90)


if __name__ == "__main__":
    main()
