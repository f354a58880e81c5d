"""Settings of the trainings with perceptual losses alone: one style, and enlargement. Free of Keras."""

import dataclasses

from tfstyle.checks import InputError
from tfstyle.settings import check_fields, setting
from tfstyle.train.settings import TrainSettings, check_crop

__all__ = ["StylePace", "StyleSettings", "SuperResPace", "SuperResSettings", "other"]


def other(name, default):
    """The field of `TrainSettings` with another default."""
    return dataclasses.field(default=default, metadata=TrainSettings.__dataclass_fields__[name].metadata)


@dataclasses.dataclass(frozen=True)
class StylePace(TrainSettings):
    """`TrainSettings` for one style: a short run, since it begins with the weights of the network for any."""

    steps: int = other("steps", 2400)
    learning_rate: float = other("learning_rate", 1e-3)
    warmup: int = other("warmup", 50)
    average: float = other("average", 0.99)


@dataclasses.dataclass(frozen=True)
class SuperResPace(TrainSettings):
    """`TrainSettings` for enlargement: the learning rate of Johnson et al. 2016, a tenth of their steps."""

    steps: int = other("steps", 20000)
    learning_rate: float = other("learning_rate", 1e-3)


@dataclasses.dataclass(frozen=True)
class StyleSettings:
    """What a network for one style is trained on, and for what; each field tells more in its `metadata`.

    Raises:
        InputError: a value outside its range or not among its choices.
    """

    crop: int = setting(
        320, "side of the photographs' crops in pixels, a multiple of 16", group="batch", low=32, high=4096
    )
    photos: int = setting(1, "photographs in a batch (4 of 256 px in the paper)", group="batch", low=1, high=4096)
    photo_side: int | None = setting(
        400, "short side in pixels to which larger photographs are reduced before they are cropped; none keeps them",
        group="batch", low=32,
    )
    style_size: int = setting(
        512, "long side in pixels at which the painting is measured, and so the size of the strokes", group="batch",
        low=32, high=4096,
    )
    seed: int = setting(0, "of everything drawn", group="batch", low=0, high=2**32 - 1)

    loss_network: str = setting(
        "vgg19", "that measures content and style; vgg16 is the paper's, whose weights are not shipped", group="loss",
        choices=("vgg19", "vgg16"),
    )
    loss_weights: str = setting(
        "default", "of it: default (shipped, vgg19), imagenet (downloaded once by Keras) or the path of a file",
        group="loss",
    )
    content_layer: str | None = setting(
        None, "layer whose features the result shares with the photograph; none: relu4_2, and for network paper the "
        "paper's relu3_3", group="loss",
    )
    style_layers: tuple[str, ...] | None = setting(
        None, "layers at which Gram matrices are matched; none: relu1_1 to relu5_1, and for network paper the "
        "paper's relu1_2, relu2_2, relu3_3 and relu4_3", group="loss",
    )
    style_weight: float = setting(
        2.5, "weight of the style term against the content term; less keeps more of the photograph", group="loss",
        low=0.0,
    )
    tv_weight: float = setting(0.5, "weight of total variation, against grain", group="loss", low=0.0)

    network: str = setting(
        "compact", "compact: ours, the faster; paper: of Johnson et al. 2016", group="network",
        choices=("compact", "paper"),
    )
    widths: tuple[int, ...] | None = setting(
        None, "channels at 1, 1/2, 1/4 (compact: and 1/8) of the picture's sides; none: 16,48,96,128 or the paper's "
        "32,64,128", group="network", low=1, high=4096,
    )
    blocks: int | None = setting(
        None, "residual blocks at the least of them; none: 4, or the paper's 5", group="network", low=1, high=64
    )
    normalization: str = setting(
        "instance", "instance, or batch as in the paper of 2016", group="network", choices=("instance", "batch")
    )

    def __post_init__(self):
        check_fields(self)
        check_crop(self.crop, self.photo_side)
        paper, blocks = self.network == "paper", self.blocks or 5
        if paper and self.crop <= 8 * blocks:
            raise InputError(
                f"crop must be at least {8 * blocks + 1} for the network paper with {blocks} blocks, which reflects "
                f"{8 * blocks} px; received {self.crop}."
            )
        if self.content_layer is None:
            object.__setattr__(self, "content_layer", "relu3_3" if paper else "relu4_2")
        if self.style_layers is None:
            names = ("1_2", "2_2", "3_3", "4_3") if paper else ("1_1", "2_1", "3_1", "4_1", "5_1")
            object.__setattr__(self, "style_layers", tuple(f"relu{name}" for name in names))


@dataclasses.dataclass(frozen=True)
class SuperResSettings:
    """What a network that enlarges is trained on, and for what; each field tells more in its `metadata`.

    Raises:
        InputError: a value outside its range or not among its choices.
    """

    factor: int = setting(4, "by which sides grow: 4 or 8", group="batch", low=1)
    crop: int = setting(288, "side of the large pictures' crops, a multiple of 16", group="batch", low=32, high=4096)
    photos: int = setting(4, "photographs in a batch", group="batch", low=1, high=4096)
    photo_side: int | None = setting(
        None, "short side in pixels to which larger photographs are reduced before they are cropped; none keeps them",
        group="batch", low=32,
    )
    blur: float = setting(
        1.0, "standard deviation in pixels of the Gaussian that blurs a crop before it is reduced", group="batch",
        low=0.0, high=16.0,
    )
    seed: int = setting(0, "of everything drawn", group="batch", low=0, high=2**32 - 1)

    loss_network: str = setting(
        "vgg19", "that measures features; vgg16 is the paper's, whose weights are not shipped", group="loss",
        choices=("vgg19", "vgg16"),
    )
    loss_weights: str = setting(
        "default", "of it: default (shipped, vgg19), imagenet (downloaded once by Keras) or the path of a file",
        group="loss",
    )
    feature_layers: tuple[str, ...] = setting(
        ("relu2_2",), "layers whose features are to be reconstructed; relu2_2 alone is the paper's choice, relu1_2 "
        "beside it keeps a fine grid out of flat areas", group="loss",
    )
    feature_weight: float = setting(
        1.0, "weight of the features' relative squared error, the mean over the layers; 0 with a pixel weight is the "
        "paper's comparison", group="loss", low=0.0,
    )
    pixel_weight: float = setting(0.0, "weight of the pixels' mean squared error", group="loss", low=0.0)
    tv_weight: float = setting(0.0, "weight of total variation, against grain", group="loss", low=0.0)

    width: int = setting(64, "channels of every layer but the last", group="network", low=1, high=4096)
    blocks: int = setting(4, "residual blocks at the small picture's size", group="network", low=1, high=64)
    normalization: str = setting(
        "batch", "batch as in the paper, or none", group="network", choices=("batch", "none")
    )
    residual: bool = setting(
        False, "paint what is missing of the picture enlarged bilinearly, rather than all as in the paper",
        group="network",
    )

    def __post_init__(self):
        check_fields(self)
        if self.factor not in (4, 8):
            raise InputError(f"factor must be 4 or 8; received {self.factor}.")
        check_crop(self.crop, self.photo_side)
        if self.crop < 5 * self.factor:
            raise InputError(
                f"crop must be at least {5 * self.factor} for the factor {self.factor}, so that 5 small pixels are "
                f"left; received {self.crop}."
            )
        if not self.feature_layers:
            raise InputError("feature_layers is empty; name one or more, such as relu2_2.")
        if not self.feature_weight and not self.pixel_weight:
            raise InputError("feature_weight and pixel_weight are both 0, so that nothing is learned; raise one.")
