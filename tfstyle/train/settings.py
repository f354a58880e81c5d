"""Settings of the trainings, free of Keras so that the command line can check and explain them at once."""

import dataclasses

from tfstyle.checks import InputError
from tfstyle.settings import check_fields, setting

__all__ = ["BEFORE", "ArbitrarySettings", "TrainSettings", "check_crop", "run_of"]

CONTENT_LAYERS = tuple(f"relu{name}" for name in "3_1 3_2 3_3 3_4 4_1 4_2 4_3 4_4 5_1".split())
# What a resumed run may have otherwise than the killed one: it changes how far and how fast, not what is computed.
FREE = ("steps", "log_every", "preview_every", "checkpoint_every", "workers")
# What runs were that began before there was such a setting, as `run_of` tells it.
BEFORE = {"predictor": "'vgg19'", "imagenet": "False"}
PREDICTORS = ("vgg19", "inception_v3")
INCEPTION_SIDE = 75  # the least side in px that Inception-v3 takes


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """How long and how fast, whatever the network. Each field carries its text and range in `metadata`.

    Raises:
        InputError: a value outside its range or not among its choices.
    """

    steps: int = setting(
        12000, "optimizer steps in all, those before a resume included", group="run", low=1, high=10**9
    )
    learning_rate: float = setting(
        1.5e-3, "Adam's highest, reached after the warm-up; falls to nothing along a cosine", group="run",
        low=1e-8, high=1.0,
    )
    warmup: int = setting(200, "steps in which the learning rate rises from 0", group="run", low=0, high=10**9)
    clip: float = setting(2.0, "global norm to which gradients are cut", group="run", low=1e-6, high=1e9)
    average: float = setting(
        0.999, "share that the moving average of the weights, which is what is kept, retains from step to step",
        group="run", low=0.0, high=0.999999,
    )
    precision: str = setting(
        "auto", "of the convolutions; weights, statistics and losses are float32 always; auto: bfloat16 where the "
        "device has it", group="run", choices=("auto", "float32", "bfloat16"),
    )
    workers: int | None = setting(
        None, "threads that read pictures ahead; none: one for every two processors, at most 16", group="run",
        low=1, high=256,
    )
    log_every: int = setting(20, "steps between lines of log.jsonl", group="run", low=1)
    preview_every: int = setting(500, "steps between sheets of previews", group="run", low=1)
    checkpoint_every: int = setting(200, "steps between checkpoints", group="run", low=1)

    def __post_init__(self):
        check_fields(self)


@dataclasses.dataclass(frozen=True)
class ArbitrarySettings:
    """What the arbitrary-style network is trained on, and for what; each field tells more in its `metadata`.

    Raises:
        InputError: a value outside its range or not among its choices.
    """

    crop: int = setting(
        128, "side of the photographs' crops in pixels, a multiple of 16", group="batch", low=32, high=4096
    )
    photos: int = setting(4, "photographs in a batch", group="batch", low=1, high=4096)
    styles: int = setting(
        2, "paintings for each of them: a batch makes photos x styles pictures", group="batch", low=1, high=64
    )
    photo_side: int | None = setting(
        400, "short side in pixels to which larger photographs are reduced before they are cropped; none keeps them",
        group="batch", low=32,
    )
    measure_styles: bool | None = setting(
        None, "measure every painting once before training, instead of augmented crops of it at each step; left out: "
        "yes on a processor, no on a GPU and for inception_v3, which has to see them", group="batch",
    )
    style_crop: int = setting(
        224, "side in pixels of the squares of paintings that are measured or cropped", group="batch", low=32, high=4096
    )
    style_sizes: tuple[int, ...] | None = setting(
        None, "short sides in pixels at which paintings are measured once, as far as they are so large; none: "
        "style_crop and 10/7 of it", group="batch", low=32, high=4096,
    )
    augment: float = setting(
        1.0, "of the crops at each step: changes of color as a share of the paper's; 0 is the plain middle square",
        group="batch", low=0.0, high=1.0,
    )
    seed: int = setting(0, "of everything drawn", group="batch", low=0, high=2**32 - 1)

    content_layer: str = setting(
        "relu4_2", "VGG-19 layer whose features the result shares with the photograph", group="loss",
        choices=CONTENT_LAYERS,
    )
    style_weight: float = setting(4.0, "weight of the style term against the content term", group="loss", low=0.0)
    moments_weight: float = setting(
        0.5, "weight of the moments' error within the style term, against the Gram matrices' 1", group="loss", low=0.0
    )
    identity_weight: float = setting(
        4.0, "weight of the mean error of a photograph painted in its own style", group="loss", low=0.0
    )
    identity_every: int = setting(
        4, "steps between those whose first picture is such a photograph", group="loss", low=1
    )
    tv_weight: float = setting(0.5, "weight of total variation, against grain", group="loss", low=0.0)

    widths: tuple[int, ...] = setting(
        (16, 48, 96, 128), "channels at 1, 1/2, 1/4 and 1/8 of the picture's sides", group="network", low=1, high=4096
    )
    blocks: int = setting(4, "residual blocks at 1/8 of the sides", group="network", low=1, high=64)
    code: int = setting(100, "numbers in a style code", group="network", low=1, high=4096)
    hidden: int = setting(
        512, "width of the style predictor's hidden layer; inception_v3 has none", group="network", low=1, high=65536
    )
    predictor: str = setting(
        "vgg19", "what codes of paintings are predicted from: vgg19, the moments of its features; or inception_v3, the "
        "paintings themselves by the paper's network, 9 million weights that are trained along", group="network",
        choices=PREDICTORS,
    )
    imagenet: bool = setting(
        False, "begin inception_v3 with ImageNet's weights, which Keras downloads, and keep their batch statistics, "
        "rather than with random ones and the statistics of each batch; --init takes the weights' place",
        group="network",
    )

    def __post_init__(self):
        check_fields(self)
        check_crop(self.crop, self.photo_side)
        if self.photos * self.styles < 2:
            raise InputError("photos x styles must be at least 2, of which one serves identity; raise one.")
        if len(self.widths) != 4:
            raise InputError(f"widths must be four numbers; received {len(self.widths)}.")
        if self.style_sizes is None:
            object.__setattr__(self, "style_sizes", (self.style_crop, round(self.style_crop * 10 / 7)))
        if not self.style_sizes or min(self.style_sizes) < self.style_crop:
            raise InputError(f"style_sizes must be at least one number, none under style_crop ({self.style_crop}).")
        if self.predictor == "inception_v3":
            self._check_inception()
        elif self.imagenet:
            raise InputError("imagenet needs the predictor inception_v3; use that too, or leave imagenet out.")

    def _check_inception(self):
        if self.measure_styles:
            raise InputError(
                "measure_styles needs the predictor vgg19, since inception_v3 has to see the paintings; leave it out."
            )
        if self.style_crop < INCEPTION_SIDE:
            raise InputError(
                f"style_crop must be at least {INCEPTION_SIDE} for the predictor inception_v3; "
                f"received {self.style_crop}."
            )
        object.__setattr__(self, "measure_styles", False)


def run_of(*settings, **data):
    """What a checkpoint must agree in with the run that resumes it, as a dict of texts.

    Args:
        *settings: dataclasses; their fields count, but for `FREE`.
        **data: fingerprints of the data, by a name that an error sentence can use.
    """
    fields = {name: value for one in settings for name, value in dataclasses.asdict(one).items()}
    return {name.replace("_", " ") if name in data else name: repr(value)
            for name, value in (fields | data).items() if name not in FREE}


def check_crop(crop, photo_side):
    """Raises `InputError` for a side of crops that networks cannot halve, or that photographs are reduced below."""
    if crop % 16:
        raise InputError(f"crop must be a multiple of 16; received {crop}.")
    if photo_side is not None and photo_side < crop:
        raise InputError(
            f"photo_side ({photo_side}) is under crop ({crop}), so that photographs would be reduced and enlarged "
            "again; raise it, best to one and a half crops."
        )
