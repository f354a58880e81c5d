"""What can be asked of tfstyle evaluate: its settings, written once, and which pictures of two folders are measured.

Nothing here imports TensorFlow: the command line checks with it before anything heavy is loaded.
"""

import dataclasses
import os

from tfstyle.checks import InputError
from tfstyle.metrics.distributions import subset_of
from tfstyle.metrics.features import FEATURES, check_features, drawn
from tfstyle.metrics.lpips import check_lpips
from tfstyle.settings import check_fields, setting

__all__ = ["EvaluateSettings", "draw", "paired"]


@dataclasses.dataclass(frozen=True)
class EvaluateSettings:
    """How `tfstyle evaluate` measures. Each field carries its unit, range and source in `metadata["text"]`.

    Raises:
        InputError: a value outside its range or not among its choices, or a file of weights that cannot be used.
    """

    features: str = setting(
        "auto", "what sees the pictures: inception_v3 for FID and KID, vgg19 for the stand-in; auto: inception_v3 if "
        "its weights are at hand", group="distance", choices=FEATURES,
    )
    inception_weights: str = setting(
        "imagenet", "imagenet: Keras' file, which --features inception_v3 fetches once; or the path of a .h5, "
        ".weights.h5 or .keras of keras.applications.InceptionV3(include_top=False)", group="distance",
    )
    count: int | None = setting(None, "pictures of each side; none: as many as both have", group="distance", low=2)
    seed: int = setting(0, "of the drawing where one side has more, and of the subsets", group="distance", low=0)
    subsets: int = setting(100, "draws of the kernel distance (arXiv:1801.01401)", group="distance", low=1, high=10**5)
    subset_size: int | None = setting(
        None, "pictures in each draw; none: half of those measured, at most 1000", group="distance", low=2,
    )
    paired: bool = setting(
        False, "PSNR, SSIM and vgg_dist too, between pictures of one name, whatever their ending", group="pairs",
    )
    lpips_weights: str | None = setting(
        None, "with --paired: LPIPS' linear weights for VGG, a .pth or .npz; adds LPIPS", group="pairs",
    )
    vgg16_weights: str = setting(
        "imagenet", "the network of LPIPS: torchvision's vgg16-397923af.pth, as published figures have it; imagenet: "
        "Keras' VGG-16; or another file of VGG-16", group="pairs",
    )

    def __post_init__(self):
        check_fields(self)
        check_features(self.features, self.inception_weights)
        if self.lpips_weights is None:
            if self.vgg16_weights != "imagenet":
                raise InputError("vgg16_weights are of no use without lpips_weights; give those too.")
            return
        if not self.paired:
            raise InputError("lpips_weights are of no use without paired; give that too.")
        check_lpips(self.lpips_weights, self.vgg16_weights)


def draw(settings, real, fake):
    """The indices of so many real and fake pictures that are measured, as `tfstyle.metrics` draws them.

    Raises:
        InputError: too few pictures for what is asked.
    """
    chosen = drawn(real, fake, settings.count, settings.seed)
    subset_of(len(chosen[0]), settings.subset_size)
    return chosen


def paired(real, fake, indices):
    """Which real picture each fake one is compared with.

    Args:
        real, fake: names of all pictures; their endings do not count.
        indices: of the fake pictures measured.

    Returns:
        [(index of the real picture, index of the fake one), ...].

    Raises:
        InputError: a fake picture without a real one of its name, or two real ones of one name.
    """
    places = {}
    for index, name in enumerate(real):
        if places.setdefault(os.path.splitext(name)[0], index) != index:
            raise InputError(f"There are two real pictures called {os.path.splitext(name)[0]!r}; rename one.")
    found = []
    for index in map(int, indices):
        stem = os.path.splitext(fake[index])[0]
        if stem not in places:
            raise InputError(f"There is no real picture of the name of {fake[index]!r} to pair it with; rename it.")
        found.append((places[stem], index))
    return found
