"""What can be asked of an export: its settings, written once. Imports no TensorFlow."""

import dataclasses

from tfstyle.checks import InputError, check_choice
from tfstyle.settings import check_fields, setting

__all__ = ["NAMES", "ExportSettings"]

NAMES = ("arbitrary", "gatys")


@dataclasses.dataclass(frozen=True)
class ExportSettings:
    """How `tfstyle.export.savedmodel.export` writes an engine. Each field carries its unit and range in its metadata.

    Raises:
        InputError: a value outside its range or not among its choices.
    """

    model: str = setting(
        "default", "of the arbitrary engine: default, shipped with tfstyle; or the path of an .npz or a .keras",
        group="network",
    )
    precision: str = setting(
        "float32", "of the arbitrary engine's convolutions: float32 runs everywhere; bfloat16 is faster where the "
        "server's processor has it, as this one must, and very slow where it has not",
        group="network", choices=("float32", "bfloat16"),
    )
    version: int = setting(1, "number of the version; servers take the highest", group="folder", low=1)
    replace: bool = setting(False, "replace this version if it is there already", group="folder")

    def __post_init__(self):
        check_fields(self)

    def check_for(self, name):
        """Raises `InputError` where the engine of that name cannot be exported so."""
        check_choice("name", name, NAMES)
        if name == "gatys" and (self.model, self.precision) != ("default", "float32"):
            raise InputError(
                "The optimizer is exported in float32 with the VGG-19 of tfstyle; leave model and precision out."
            )
