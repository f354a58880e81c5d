"""Parts of the page: fields for pictures, what is shipped to choose from, and its look. Imports gradio."""

import base64
import dataclasses
import html
import pathlib

import gradio as gr
from gradio import processing_utils

from tfstyle.checks import InputError

__all__ = [
    "HERE", "about", "chooser", "fetch_nothing", "notice", "picture", "preview", "share", "slider", "theme", "words",
]

HERE = pathlib.Path(__file__).parent
_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
_MONO = ("ui-monospace", "Menlo", "Consolas", "monospace")


def picture(label, **options):
    """A field for a picture file."""
    asked = f"# Drop a {label.lower()} here\nor click to choose a file"
    return gr.Image(label=label, placeholder=asked, type="filepath", sources=["upload"], buttons=[], **options)


def chooser(folder, label, **options):
    """Pictures of the package as a gallery.

    Args:
        folder: of "photos", "styles", "learned", beside this module.
        label: for those who cannot see it.

    Returns:
        (gr.Gallery, list of the paths in it).
    """
    paths = sorted(map(str, (HERE / folder).glob("*.jpg")))
    shown = [(path, pathlib.Path(path).stem.capitalize()) for path in paths]
    gallery = gr.Gallery(
        shown, label=label, show_label=False, columns=len(shown), height="auto", object_fit="cover",
        allow_preview=False, interactive=False, buttons=[], container=False, elem_classes="chooser", **options,
    )
    return gallery, paths


def about(settings, name):
    """What a setting's field says of it, as keywords of a component: the beginning of its text, and its default."""
    field = _field(settings, name)
    text = field.metadata["text"].partition(";")[0]
    return {"value": field.default, "info": text[0].upper() + text[1:] + "."}


def slider(settings, name, label, low=None, high=None, step=0.05, **other):
    """A slider for a setting, over its own range and with its own text unless others are given."""
    field, told = _field(settings, name), about(settings, name) | other
    ends = (field.metadata["low"] if low is None else low, field.metadata["high"] if high is None else high)
    told["value"] = min(told["value"], ends[1])
    return gr.Slider(*ends, step=step, label=label, elem_id=name, **told)


def share(label, info, **options):
    """A slider from 0 to 1 that no setting stands behind."""
    return gr.Slider(0, 1, 0.5, step=0.05, label=label, info=info, **options)


def _field(settings, name):
    return next(field for field in dataclasses.fields(settings) if field.name == name)


def words(text, **options):
    """HTML that is all ours. gr.HTML would do, but runs its text as a program, which `Guard` has browsers refuse."""
    return gr.Markdown(text, sanitize_html=False, latex_delimiters=[], **options)


def notice(sentence, share=None, kind="told"):
    """A sentence, and how much is done, as HTML that is read out when it changes."""
    bar = "" if share is None else f'<progress value="{share:.3f}" max="1" aria-label="Progress"></progress>'
    return f'<div class="notice {kind}" role="status" aria-live="polite">{html.escape(sentence)}{bar}</div>'


def preview(jpeg):
    """A picture that is not finished, as HTML."""
    data = base64.b64encode(jpeg).decode()
    return f'<img class="preview" alt="The picture so far" src="data:image/jpeg;base64,{data}">'


def theme():
    """gradio's plainest theme, in the fonts of the visitor's own system, and without a color: pictures have those."""
    gray = gr.themes.colors.neutral
    return gr.themes.Base(
        primary_hue=gray, secondary_hue=gray, neutral_hue=gray, font=_FONTS, font_mono=_MONO,
        radius_size=gr.themes.sizes.radius_md,
    ).set(
        body_background_fill="#ffffff", body_background_fill_dark="#121212",
        background_fill_secondary="*neutral_100", background_fill_secondary_dark="*neutral_900",
        body_text_color_subdued="*neutral_600", body_text_color_subdued_dark="*neutral_400",
        block_info_text_color="*neutral_600", block_info_text_color_dark="*neutral_400",
        button_primary_background_fill="*neutral_900", button_primary_background_fill_dark="*neutral_100",
        button_primary_background_fill_hover="*neutral_700", button_primary_background_fill_hover_dark="*neutral_300",
        button_primary_text_color="white", button_primary_text_color_dark="*neutral_950",
        slider_color="*neutral_700", slider_color_dark="*neutral_300",
        checkbox_background_color_selected="*neutral_800", checkbox_background_color_selected_dark="*neutral_300",
        checkbox_border_color="*neutral_400", checkbox_border_color_dark="*neutral_500",
        error_text_color="#b42318", error_text_color_dark="#ff9c8f",
        block_border_width="0px", block_shadow="none",
    )


def fetch_nothing():
    """Keeps gradio, in this process, from loading pictures from addresses, of which visitors could name any.

    Raises:
        InputError: this gradio does it in another way than is known here.
    """

    async def refused(address):
        raise InputError(f"This page takes pictures as files, not by their address; received {address!r}.")

    if not hasattr(processing_utils, "async_ssrf_protected_get"):
        raise InputError(
            f"gradio {gr.__version__} cannot be kept from loading addresses; get another: pip install 'tfstyle[web]'."
        )
    processing_utils.async_ssrf_protected_get = refused
