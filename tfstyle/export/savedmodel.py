"""SavedModels of all engines, laid out as TensorFlow Serving mounts them: FOLDER/NAME/VERSION."""

import os
import pathlib

import tensorflow as tf

from tfstyle.atomic import replaced_folder
from tfstyle.checks import InputError
from tfstyle.export import card, warmup
from tfstyle.export.arbitrary import ArbitraryModule
from tfstyle.export.disk import no_empty_folders, plain_errors
from tfstyle.export.gatys import GatysModule
from tfstyle.export.settings import NAMED, SINGLE, ExportSettings
from tfstyle.export.single import SingleModule
from tfstyle.export.translation import TranslationModule
from tfstyle.export.verify import check_arbitrary, check_gatys, check_single, check_translation
from tfstyle.machine import resolve

__all__ = ["export", "save"]


def export(name, folder, **settings):
    """Writes one engine as a SavedModel, compared in all loaders with Python before it is kept.

    Args:
        name: "arbitrary" (any style in one pass), "gatys" (the optimizer), "style" (one style in one pass),
            "superres" (enlargement) or "translate" (from one domain to another).
        folder: where models lie; the SavedModel becomes folder/name/version. In place of "style" the folder bears the
            name of the shipped network or of the model's file without its ending (of weights.npz, as trainings call
            it, that of the file's folder); in place of "superres" the same, or superres4 for the shipped network; in
            place of "translate" the same and the direction, such as monet_a2b.
        **settings: fields of `tfstyle.export.settings.ExportSettings`: model, factor, direction, precision, version,
            replace.

    Returns:
        (pathlib.Path of the version's folder, {what was compared: its difference}).

    Raises:
        InputError: a setting out of range, a version that is there, no such model, a folder or disk that refuses.
        ExportError: the SavedModel does not compute what Python does.
    """
    settings = ExportSettings(**settings)
    settings.check_for(name)
    resolve(settings.precision)
    path = pathlib.Path(folder) / settings.served_as(name) / str(settings.version)
    if path.exists() and not settings.replace:
        raise InputError(f"{path} is there already; give the next version, or replace it (replace=True, --replace).")
    try:
        with no_empty_folders(path), replaced_folder(path) as beside:
            module = save(name, beside, settings)
            differences = _checked(name, beside, settings)
            with plain_errors():
                warmup.write(
                    beside, name, settings.version, settings.served_as(name), most_pixels=module.bounds["most_pixels"]
                )
            card.write(beside, name, module, settings, differences)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); choose another folder.") from error
    return path, differences


def save(name, path, settings=ExportSettings()):
    """Writes the SavedModel alone, unchecked, into a folder that is there.

    Returns:
        The `tf.Module` that was saved.

    Raises:
        OSError: the disk refuses.
    """
    if name in SINGLE:
        module = SingleModule(name, settings)
    elif name == "translate":
        module = TranslationModule(settings)
    else:
        module = GatysModule() if name == "gatys" else ArbitraryModule(settings.model, settings.precision)
    signatures = module.signatures()
    with plain_errors():
        tf.saved_model.save(module, os.fspath(path), signatures=signatures)
    if name in NAMED:
        card.write_kind(path, name, module)
    return module


def _checked(name, path, settings):
    """{what was compared: its difference}."""
    if name in SINGLE:
        return check_single(path, name, settings)
    if name == "translate":
        return check_translation(path, settings)
    return check_gatys(path) if name == "gatys" else check_arbitrary(path, settings)
