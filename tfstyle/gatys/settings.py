"""Settings of the optimiser: one frozen dataclass, the presets, and their checks."""

import dataclasses
from dataclasses import dataclass

from tfstyle.checks import InputError, check_choice
from tfstyle.look import Look
from tfstyle.settings import setting

CONTENT_LAYERS = ("relu4_2",)
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
# Where a run can start without a picture or file of its own.
STARTS = ("content", "style", "noise")


@dataclass(frozen=True)
class GatysSettings(Look):
    """How `tfstyle.gatys.optimize` works. The defaults are ours: the best-looking pictures for their time.

    Each field carries its unit, range and source in `metadata["text"]`, from which the command line makes its help.
    "The paper" is Gatys, Ecker and Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016.

    Raises:
        InputError: a value outside its range or not among its choices.
    """

    size: int | None = setting(
        512, "long side of the result in pixels; none keeps the content's own", group="picture", low=16
    )
    init: str = setting(
        "content", "picture to start from: content, style, noise, the path of a picture, or a checkpoint (.npz)",
        group="picture",
    )
    noise: float = setting(
        0.25, "standard deviation around mid-gray of init=noise, pixel values being in [0, 1]",
        group="picture", low=0.0, high=1.0,
    )

    content_weight: float = setting(1.0, "weight of the content loss (alpha of eq. 7)", group="loss", low=0.0)
    style_weight: float = setting(6.0, "weight of the style loss (beta of eq. 7)", group="loss", low=0.0)
    tv_weight: float = setting(0.5, "weight of total variation, against grain", group="loss", low=0.0)
    content_layers: tuple[str, ...] = setting(
        CONTENT_LAYERS, "layers whose features keep the content (the paper: relu4_2)", group="loss"
    )
    style_layers: tuple[str, ...] = setting(
        STYLE_LAYERS, "layers whose statistics make the style (the paper: relu1_1 to relu5_1)", group="loss"
    )
    style_layer_weights: tuple[float, ...] | None = setting(
        None, "weight of each style layer (w_l of eq. 5); none weighs all alike, summing to 1", group="loss", low=0.0
    )
    style_statistic: str = setting(
        "gram", "what of the features makes the style", group="loss",
        choices=("gram", "moments", "wasserstein", "mmd"),
    )
    style_normalization: str = setting(
        "relative",
        "relative: each layer's error over its target's size; paper: eq. 4; mean; size (see tfstyle.losses)",
        group="loss", choices=("relative", "paper", "mean", "size"),
    )
    content_normalization: str = setting(
        "relative", "relative: error over the target's size; mean: mean square; paper: eq. 1; positions: that over H W",
        group="loss", choices=("relative", "mean", "paper", "positions"),
    )
    tv_kind: str = setting(
        "mean", "mean or sum of absolute differences, or mean squared ones", group="loss",
        choices=("mean", "sum", "squared"),
    )

    optimizer: str = setting(
        "lbfgs", "lbfgs needs a third to a half of adam's steps", group="optimizer", choices=("lbfgs", "adam")
    )
    steps: tuple[int, ...] = setting(
        (140, 68), "evaluations at each scale, coarse to fine; the last number serves all further scales",
        group="optimizer", low=1, high=1_000_000,
    )
    scales: int | None = setting(
        None, "sizes of the coarse-to-fine pyramid, each half of the next; none: down to 192 px or more",
        group="optimizer", low=1, high=12,
    )
    history: int = setting(10, "pairs that lbfgs remembers", group="optimizer", low=1, high=200)
    learning_rate: float = setting(
        0.05, "adam's step in pixel values of [0, 1]", group="optimizer", low=1e-6, high=1.0
    )
    schedule: str = setting(
        "cosine", "adam's step over each scale: constant, or falling to 0 by a cosine", group="optimizer",
        choices=("cosine", "constant"),
    )
    beta_1: float = setting(0.9, "adam's decay of the mean gradient", group="optimizer", low=0.0, high=0.9999)
    epsilon: float = setting(1e-8, "adam's epsilon", group="optimizer", low=0.0, high=10.0)
    average: float = setting(
        0.0, "decay of a running average of the pictures, which then is the result; 0 is off",
        group="optimizer", low=0.0, high=0.9999,
    )

    network: str = setting("vgg19", "the loss network", group="network", choices=("vgg19", "vgg16"))
    network_weights: str = setting(
        "default", "default: shipped with tfstyle; imagenet: fetched by Keras; or the path of a .h5, .npz or .mat file",
        group="network",
    )
    pooling: str = setting("max", "pooling of the network (the paper: average)", group="network",
                           choices=("max", "average"))
    normalized: bool = setting(
        False, "scale every filter to mean activation 1 over natural pictures (the paper does)", group="network"
    )
    padding: str = setting(
        "reflect", "what surrounds the picture: zero (as trained) prints a frame into it, a mirrored margin does not",
        group="network", choices=("reflect", "replicate", "zero"),
    )

    precision: str = setting(
        "auto",
        "of the convolutions; statistics and losses are float32 always; auto: bfloat16 where the processor has it",
        group="run", choices=("auto", "float32", "bfloat16"),
    )
    seed: int = setting(0, "seed of init=noise", group="run", low=0, high=2**32 - 1)
    deterministic: bool = setting(
        False, "the same bits from the same call on the same machine; holds for the rest of the process", group="run"
    )

    def __post_init__(self):
        super().__post_init__()
        if self.strength < 1 and self.style_statistic == "mmd":
            raise InputError(
                "strength below 1 needs a statistic that can be mixed, and mmd's samples cannot; use gram."
            )
        if not self.steps:
            raise InputError("steps is empty; give the evaluations at each scale, such as 120,80.")
        if self.content_weight == 0 and self.style_weight == 0:
            raise InputError("content_weight and style_weight are both 0, so there is nothing to optimize; raise one.")
        weights = self.style_layer_weights
        if weights is not None and len(weights) != len(self.style_layers):
            raise InputError(
                f"style_layer_weights must have one number for each of the {len(self.style_layers)} style layers; "
                f"received {len(weights)}."
            )
        if weights is not None and self.style_weight and not any(weights):
            raise InputError("style_layer_weights are all 0; raise one or set style_weight to 0.")
        for name in ("content_layers", "style_layers"):
            layers = getattr(self, name)
            if len(set(layers)) < len(layers):
                twice = next(layer for layer in layers if layers.count(layer) > 1)
                raise InputError(
                    f"{name} holds {twice!r} more than once; name it once, with a larger weight if wanted."
                )
        if not self.content_layers and self.content_weight:
            raise InputError("content_layers is empty; name a layer such as relu4_2 or set content_weight to 0.")
        if not self.style_layers and self.style_weight:
            raise InputError("style_layers is empty; name a layer such as relu3_1 or set style_weight to 0.")
        if self.tiled == "yes" and self.style_statistic != "gram":
            raise InputError(
                f"tiled yes needs the style_statistic gram; received {self.style_statistic!r}; use gram or tiled auto."
            )


PRESETS = {
    "default": {},
    "gatys2016": dict(
        init="content", content_weight=1e-3, style_weight=1.0, tv_weight=0.0, content_normalization="positions",
        style_normalization="paper", pooling="average", normalized=True, padding="zero",
        optimizer="lbfgs", scales=1, steps=(500,), history=20,
    ),
    "tf-tutorial": dict(
        init="content", content_layers=("block5_conv2",),
        style_layers=("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1"),
        content_weight=1e4, style_weight=1e-2, tv_weight=30.0, content_normalization="mean",
        style_normalization="mean", tv_kind="sum", padding="zero", optimizer="adam", learning_rate=0.02,
        beta_1=0.99, epsilon=0.1, schedule="constant", scales=1, steps=(1000,),
    ),
    "matconvnet-1000": dict(
        init="noise", noise=0.1, content_weight=5.0, style_weight=0.2, tv_weight=0.0, content_normalization="mean",
        style_normalization="size", pooling="average", padding="zero", optimizer="adam", learning_rate=0.02,
        schedule="constant", scales=1, steps=(1000,),
    ),
}


def preset(name="default", **overrides):
    """The named recipe as `GatysSettings`, with any field replaced.

    Args:
        name: one of `PRESETS`:
            "default": ours; measured by benchmarks/gatys.py.
            "gatys2016": the paper. L-BFGS, average pooling, normalized activations, alpha/beta = 1e-3, w_l = 1/5. It
            starts from white noise as well as from the photo (figure 6): give init="noise" for the former. Ours: 500
            steps and 512 px, which it leaves open, and eq. 1 over the number of positions, as eq. 4 has it: its plain
            sum grows with the picture, and with it 1e-3 gives a photograph with hardly any style.
            "tf-tutorial": tensorflow.org/tutorials/generative/style_transfer. Adam 0.02 from the photo,
            block5_conv2, TV 30.
            "matconvnet-1000": the recipe of many ports of the MatConvNet network. Content 5, style 0.2, Gram matrices
            divided by the size of the feature matrix, average pooling, relu4_2 and relu1_1 to relu5_1, noise x 0.1,
            1000 steps. Ours where it is silent: mean squared errors, layers weighed alike, Adam with a constant step
            of 0.02, no TV, zero padding, 512 px.
        **overrides: fields of `GatysSettings`.

    Raises:
        InputError: an unknown preset or field, naming the nearest; a value out of range.
    """
    check_choice("preset", name, tuple(PRESETS))
    known = tuple(field.name for field in dataclasses.fields(GatysSettings))
    for key in overrides:
        check_choice("setting", key, known)
    return GatysSettings(**(PRESETS[name] | overrides))
