"""Settings of the training of translation between two domains. Free of Keras."""

import dataclasses

from tfstyle.checks import InputError
from tfstyle.settings import check_fields, setting
from tfstyle.train.perceptual_settings import other
from tfstyle.train.settings import TrainSettings, check_crop

__all__ = ["METHODS", "DSMAPPace", "DSMAPSettings", "check_domains"]

# What a method sets wherever a setting is left out: DSMAP as published (ECCV 2020), and MUNIT (ECCV 2018).
METHODS = {
    "dsmap": {
        "image_weight": 10.0, "style_weight": 10.0, "content_weight": 2.0, "mapped_weight": 2.0, "cycle_weight": 5.0,
        "contextual_weight": 1.0, "example_weight": 1.0, "mapping": True, "shared_tail": True, "halvings": 3,
    },
    "munit": {
        "image_weight": 10.0, "style_weight": 1.0, "content_weight": 1.0, "mapped_weight": 0.0, "cycle_weight": 0.0,
        "contextual_weight": 0.0, "example_weight": 0.0, "mapping": False, "shared_tail": False, "halvings": 2,
    },
}
LEAST_CROP = 64  # px that leave a discriminator's third scale one position


@dataclasses.dataclass(frozen=True)
class DSMAPPace(TrainSettings):
    """`TrainSettings` for translation: the published learning rate, held and halved in steps."""

    steps: int = other("steps", 200_000)
    learning_rate: float = setting(
        1e-4, "Adam's, of generators and discriminators alike", group="run", low=1e-8, high=1.0
    )
    warmup: int = other("warmup", 0)
    halve_every: int = setting(
        100_000, "steps after which the learning rate is halved, again and again", group="run", low=1, high=10**9
    )
    weight_decay: float = setting(
        1e-4, "of every weight, times which it is added to its gradient", group="run", low=0.0, high=1.0
    )
    clip: float | None = setting(
        None, "global norm to which the gradients of each side are cut; none leaves them", group="run", low=1e-6,
        high=1e9,
    )
    average: float = other("average", 0.999)
    encoder_rate: float = setting(
        1.0, "times the learning rate at which content encoders learn; 2 is nearly what the published code does, which "
        "updates them twice in a step", group="run", low=0.0, high=100.0,
    )
    log_every: int = other("log_every", 50)
    preview_every: int = other("preview_every", 1000)
    checkpoint_every: int = other("checkpoint_every", 1000)


@dataclasses.dataclass(frozen=True)
class DSMAPSettings:
    """What a translation between two domains is trained on, and for what; each field tells more in its `metadata`.

    Raises:
        InputError: a value outside its range or not among its choices.
    """

    crop: int = setting(192, "side of the crops in pixels, a multiple of 16", group="batch", low=LEAST_CROP, high=4096)
    pictures: int = setting(2, "of each domain in a batch", group="batch", low=1, high=4096)
    short_side: int | None = setting(
        None, "short side in pixels to which pictures are scaled before they are cropped; none: the crop's",
        group="batch", low=LEAST_CROP, high=4096,
    )
    seed: int = setting(0, "of everything drawn", group="batch", low=0, high=2**32 - 1)

    method: str = setting(
        "dsmap", "dsmap, or munit: what every weight and shape that is left out becomes", group="loss",
        choices=tuple(METHODS),
    )
    image_weight: float | None = setting(
        None, "weight of the error of a picture coded and decoded in its own domain; none: 10", group="loss", low=0.0
    )
    style_weight: float | None = setting(
        None, "weight of the error of a random style code read back; none: 10, munit 1", group="loss", low=0.0
    )
    content_weight: float | None = setting(
        None, "weight of the error of the content read back from translated pictures; none: 2, munit 1", group="loss",
        low=0.0,
    )
    mapped_weight: float | None = setting(
        None, "weight of the error between a content and its map in its own domain, the domain-specific content loss; "
        "none: 2, munit 0", group="loss", low=0.0,
    )
    cycle_weight: float | None = setting(
        None, "weight of the error of a picture translated there and back; none: 5, munit 0", group="loss", low=0.0
    )
    contextual_weight: float | None = setting(
        None, "weight of the contextual loss, which draws VGG's features to those of the other domain's picture; none: "
        "1, munit 0", group="loss", low=0.0,
    )
    invariant_weight: float = setting(
        0.0, "weight of MUNIT's distance of instance-normalized VGG features to the content picture", group="loss",
        low=0.0,
    )
    example_weight: float | None = setting(
        None, "weight of the adversarial and contextual terms of translations after an example, against 1 of those in "
        "random styles; none: 1, munit 0", group="loss", low=0.0,
    )
    loss_network: str = setting(
        "vgg19", "that measures the VGG terms; vgg16 is the papers', whose weights are not shipped", group="loss",
        choices=("vgg19", "vgg16"),
    )
    loss_weights: str = setting(
        "default", "of it: default (shipped, vgg19), imagenet (downloaded once by Keras) or the path of a file",
        group="loss",
    )
    loss_layer: str = setting(
        "pool5", "of it, at which the VGG terms are taken; relu4_3 or relu5_3 for invariant_weight, to which the few "
        "positions of pool5 would be noise", group="loss",
    )

    width: int = setting(
        64, "channels at the picture's size, of generators and discriminators", group="network", low=1, high=1024
    )
    style: int = setting(8, "numbers in a style code", group="network", low=1, high=4096)
    hidden: int = setting(
        256, "width of the perceptron that turns a style code into scales and shifts", group="network", low=1,
        high=65536,
    )
    blocks: int = setting(4, "residual blocks of encoders and decoders", group="network", low=1, high=64)
    halvings: int | None = setting(
        None, "3: content at 1/8 of the sides; 2: at 1/4; none: 3, munit 2", group="network", low=2, high=3
    )
    mapping: bool | None = setting(
        None, "map contents into each domain's own content space; none: yes, munit no", group="network"
    )
    shared_tail: bool | None = setting(
        None, "let both content encoders end in one shared block; none: yes, munit no", group="network"
    )

    def __post_init__(self):
        check_fields(self)
        if self.mapping is False and self.mapped_weight is None:
            object.__setattr__(self, "mapped_weight", 0.0)
        if self.mapping and self.halvings is None:
            object.__setattr__(self, "halvings", 3)
        for name, value in METHODS[self.method].items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        if self.short_side is None:
            object.__setattr__(self, "short_side", self.crop)
        check_crop(self.crop, None)
        if self.short_side < self.crop:
            raise InputError(
                f"short_side ({self.short_side}) is under crop ({self.crop}), so that no crop fits; raise it."
            )
        if self.mapping and self.halvings != 3:
            raise InputError("2 halvings need mapping turned off; do that too, or leave halvings out.")
        if self.mapped_weight and not self.mapping:
            raise InputError("mapped_weight is for networks with mapping; leave one of the two out.")


def check_domains(a, b, crop):
    """Raises `InputError` for domains from which no translation can be learned, before the work.

    Args:
        a, b: the `tfstyle.train.data.PictureSet` of each.
        crop: side in px that must fit into every picture.
    """
    for domain, pictures in (("a", a), ("b", b)):
        sizes = [(name, size) for name, size in zip(pictures.names, pictures.sizes(), strict=True) if size]
        if len(sizes) < 2:
            held = "a single picture" if sizes else "no picture"
            raise InputError(f"Domain {domain} holds {held} that can be read; give it more, at best hundreds.")
        small = [(name, size) for name, size in sizes if min(size) < crop]
        if small:
            name, (width, height) = small[0]
            raise InputError(
                f"{len(small)} of domain {domain}'s {len(sizes)} pictures are smaller than the crop of {crop} px, such "
                f"as {name} ({width}x{height}); take them out, or use a smaller crop."
            )
    if a.fingerprint == b.fingerprint:
        raise InputError("Both domains are the same pictures, between which there is nothing to learn; name another.")
