"""What can be asked of an export: its settings, written once. Imports no TensorFlow."""

import dataclasses
import os

from tfstyle.checks import InputError, check_choice
from tfstyle.controls import check_model, saved_card
from tfstyle.enlarge_settings import FACTORS, check_factor
from tfstyle.enlarge_settings import check_model as check_superres
from tfstyle.settings import check_fields, setting
from tfstyle.translate_settings import check_model as check_translation
from tfstyle.weights.files import STYLE, SUPERRES, TRANSLATE, shipped_factors, shipped_styles, shipped_translations

__all__ = ["DIRECTIONS", "NAMED", "NAMES", "SINGLE", "ExportSettings"]

SINGLE = ("style", "superres")  # networks that take one picture and no other input
NAMED = (*SINGLE, "translate")  # networks that are served under a name of their own
NAMES = ("arbitrary", "gatys", *NAMED)
DIRECTIONS = ("a2b", "b2a")  # of translations that are served; from a domain to itself is none
TRAINED = "weights"  # what trainings call their file: its folder's name says more


@dataclasses.dataclass(frozen=True)
class ExportSettings:
    """How `tfstyle.export.savedmodel.export` writes an engine. Each field carries its unit and range in its metadata.

    Raises:
        InputError: a value outside its range or not among its choices.
    """

    model: str = setting(
        "default", "default: shipped with tfstyle; the path of an .npz or a .keras; of style and translate, a shipped "
        "network's name, too; of style, a checkpoint folder of fast-style-transfer", group="network",
    )
    factor: int | None = setting(
        None, "by which superres enlarges, 4 or 8; none takes the model's own, and 4 of those shipped", group="network"
    )
    direction: str | None = setting(
        None, "in which translate works, from domain a to b or back; none takes a2b", group="network",
        choices=DIRECTIONS,
    )
    precision: str = setting(
        "float32", "of all networks' convolutions but the optimizer's: float32 runs everywhere; bfloat16 is faster "
        "where the server's processor has it, as this one must, and very slow where it has not",
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
        for field, owner in (("factor", "superres"), ("direction", "translate")):
            if name != owner and getattr(self, field) is not None:
                raise InputError(f"{field} is for {owner} alone; leave it out.")
        if self.factor is not None:
            check_factor(self.factor)
        if name in NAMED and self.shipped_file(name) is None:
            self._check_file(name)

    @property
    def domains(self):
        """("a", "b") where pictures of A are translated to B, or ("b", "a")."""
        source, _, target = self.direction or DIRECTIONS[0]
        return source, target

    def served_as(self, name):
        """The name under which a server knows the engine: that of the folder, and of files for small devices.

        Of a translation the direction stands behind it, so that both can be served: monet_a2b and monet_b2a.
        """
        if name not in NAMED:
            return name
        if name == "translate":
            return f"{self._own_name(name)}_{'2'.join(self.domains)}"
        return self._own_name(name)

    def _own_name(self, name):
        """What a network is called: by tfstyle, or by its file."""
        if self.shipped_file(name) is not None:
            return f"superres{self.factor or FACTORS[0]}" if name == "superres" else self.model
        path = os.path.abspath(self.model)
        stem = os.path.basename(path if os.path.isdir(path) else os.path.splitext(path)[0])
        return os.path.basename(os.path.dirname(path)) if stem == TRAINED else stem

    def shipped_file(self, name):
        """The shipped file of `tfstyle.weights.files` that holds one of NAMED; None if it is a user's."""
        if name != "superres":
            form, names = (STYLE, shipped_styles()) if name == "style" else (TRANSLATE, shipped_translations())
            return form.format(self.model) if self.model in names else None
        factor = self.factor or FACTORS[0]
        return SUPERRES.format(factor) if self.model == "default" and factor in shipped_factors() else None

    def _check_file(self, name):
        """Refuses what cannot be a user's network, as far as that goes without loading it."""
        model = self.model
        if name == "superres":
            check_superres(model, self.factor)
        elif name == "translate":
            if model == ExportSettings.model:
                names = "".join(f"{one}, or " for one in shipped_translations())
                raise InputError(f"No network translates by default; give {names}the path of an .npz or .keras file.")
            check_translation(model)
        elif check_model(model) != "style":
            shipped = f"{', '.join(shipped_styles())}, or " if shipped_styles() else ""
            raise InputError(
                f"{model!r} is no network for one style; give {shipped}the path of an .npz or .keras file as model."
            )
        if os.path.isdir(model) and saved_card(model) is not None:
            raise InputError(f"{model!r} is a SavedModel already; give the file that it was made from.")
        if self.served_as(name) in NAMES[:2]:
            raise InputError(f"{model!r} would be served as {self.served_as(name)!r}, another engine; rename it.")
