"""Mean activation of every filter of VGG-19 over natural photographs, for the normalized network.

    python tools/vgg_mean_activations.py PHOTOS... -o tfstyle/weights/vgg19_mean_activations.npz

PHOTOS are folders, tar files or single pictures. Each picture goes through the shipped VGG-19 whole, in
float32, with max pooling and zero padding; activations after ReLU are averaged over all positions of all
pictures, so that a large picture counts for more than a small one. The file has one float32 vector per layer.
When it changes, its SHA-256 in tfstyle/weights/files.py changes too.
"""

import argparse
import hashlib
import io
import pathlib
import tarfile

import keras
import numpy as np
from PIL import Image

from tfstyle.nets.vgg import vgg
from tfstyle.weights import convolutions

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"}


def pictures(paths):
    """Yields the bytes of each picture, in a fixed order."""
    for path in map(pathlib.Path, paths):
        if path.is_dir():
            yield from pictures(p for p in sorted(path.rglob("*")) if p.suffix.lower() in SUFFIXES | {".tar"})
        elif path.suffix.lower() == ".tar":
            with tarfile.open(path) as tar:
                for member in tar:
                    if pathlib.PurePath(member.name).suffix.lower() in SUFFIXES:
                        yield tar.extractfile(member).read()
        else:
            yield path.read_bytes()


def averages():
    """A model: picture -> (layers' means over the positions of the picture)."""
    network = vgg(list(convolutions("vgg19")))
    return keras.Model(network.input, {
        layer: keras.ops.mean(features, axis=(0, 1, 2)) for layer, features in network.output.items()
    })


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", nargs="+")
    parser.add_argument("-o", "--output", required=True)
    arguments = parser.parse_args()

    model = averages()
    sums = {layer: np.zeros(width) for layer, (_, width) in convolutions("vgg19").items()}
    positions = dict.fromkeys(sums, 0)
    number = 0
    for number, content in enumerate(pictures(arguments.photos), start=1):
        picture = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), "float32")[None] / 255
        found = model.predict_on_batch(picture)
        for layer, means in found.items():
            stride = 2 ** (int(layer[5]) - 1)
            count = (picture.shape[1] // stride) * (picture.shape[2] // stride)
            sums[layer] += np.asarray(means, "float64") * count
            positions[layer] += count
        if number % 50 == 0:
            print(f"{number} pictures", flush=True)
    if not number:
        parser.error("no pictures found")

    means = {layer: (total / positions[layer]).astype("float32") for layer, total in sums.items()}
    np.savez_compressed(arguments.output, **means)
    dead = sum(int((values < 1e-6).sum()) for values in means.values())
    digest = hashlib.sha256(pathlib.Path(arguments.output).read_bytes()).hexdigest()
    print(f"{number} pictures, {sum(map(len, means.values()))} filters, {dead} dead, SHA-256 {digest}")


if __name__ == "__main__":
    main()
