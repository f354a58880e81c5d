"""The page itself: two pictures, a button, and everything else folded away. Imports gradio."""

import functools
import html
import logging
import pathlib

import fastapi
import gradio as gr

from tfstyle.checks import InputError
from tfstyle.controls import Controls
from tfstyle.look import COLORS
from tfstyle.web.guard import Guard
from tfstyle.web.orders import METHODS, checked_picture, no_picture, ordered, too_large
from tfstyle.web.parts import HERE, about, chooser, fetch_nothing, notice, picture, preview, share, slider, theme, words
from tfstyle.web.results import files

__all__ = ["application"]

_METHOD_NAMES = ("Fast", "Optimized", "Learned style")
_METHODS_TOLD = (
    "Fast: any painting, in a second or so. Optimized: any painting, the best looking, in a minute or more. "
    "Learned style: networks that know one painting each."
)
_COLOR_NAMES = ("The painting's", "The photo's hues", "Like the photo's", "The photo's, closely")
_SCALES = (0.2, 3.0)  # of style_scale: where most of the difference is
_STEP = 16  # px, of size
_PICTURES = {"photo": "photo", "style": "painting", "second": "second painting"}  # and how sentences call them
_WELCOME = "An example: drag the line across it. Then choose a photo and a painting of your own, and press Paint."
_GONE = "The page's server has ended; start tfstyle web again and reload."
_LOG = logging.getLogger(__name__)


def application(limits, jobs, folder):
    """The page as an ASGI application.

    Args:
        limits: `tfstyle.web.settings.WebSettings`.
        jobs: `tfstyle.web.jobs.Jobs`.
        folder: for pictures on their way to the browser.
    """
    fetch_nothing()
    gr.set_static_paths([HERE / name for name in ("styles", "photos", "learned", "example.jpg")])
    blocks = _page(limits, jobs, folder)
    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    gr.mount_gradio_app(
        app, blocks, path="/", footer_links=[], run_history=False, show_error=True,
        max_file_size=int(limits.upload * 2**20), ssr_mode=False, enable_monitoring=False, pwa=False, mcp_server=False,
        theme=theme(), css_paths=[HERE / "page.css"],
        head=_head(limits),
    )
    blocks.has_launched = True  # otherwise gradio hands out any file of the server that a visitor names
    return Guard(app, limits, folder)


def _head(limits):
    """What the browser does itself, and what it has to know for that."""
    told = {
        "upload": int(limits.upload * 2**20), "too-large": too_large(limits, "{}"), "no-picture": no_picture("{}"),
        "gone": _GONE,
    }
    known = "".join(f'<meta name="tfstyle-{name}" content="{html.escape(str(it))}">' for name, it in told.items())
    return f"{known}<script>{(HERE / 'page.js').read_text(encoding='utf-8')}</script>"


def _page(limits, jobs, folder):
    age = round(limits.keep * 60)
    with gr.Blocks(title="tfstyle", analytics_enabled=False, fill_width=True, delete_cache=(60, age)) as blocks:
        words("<h1>tfstyle</h1><p>A photo, repainted after a painting.</p>", elem_id="head")
        with gr.Row(elem_id="body"):
            with gr.Column(scale=2, min_width=300, elem_id="asked"):
                asked = _asked(limits)
            with gr.Column(scale=5, min_width=300, elem_id="told"):
                told = _told()
        _wire(blocks, limits, jobs, folder, asked, told)
    blocks.queue(default_concurrency_limit=None, api_open=False)
    return blocks


def _asked(limits):
    """The components that a visitor fills in, {name: component}; those of an order have the names of its keywords."""
    photo = picture("Photo", elem_id="photo", height=210)
    photos, photo_paths = chooser("photos", "Photos to try", elem_id="photos")
    with gr.Column(elem_classes="part") as any_style:
        style = picture("Painting", elem_id="style", height=210)
        styles, style_paths = chooser("styles", "Paintings to try", elem_id="styles")
    with gr.Column(elem_classes="part", visible=False) as one_style:
        words("<div>Learned style</div>", elem_classes="label")
        learned, learned_paths = chooser("learned", "Learned styles", elem_id="learned", selected_index=0)
        model = gr.State(_stem(learned_paths[0]))
    paint = gr.Button("Paint", variant="primary", size="lg", elem_id="paint")
    stop = gr.Button("Stop", size="lg", elem_id="stop", visible=False)
    status = words(notice(_WELCOME), elem_id="status")
    with gr.Accordion("More", open=False, elem_id="more"):
        method = gr.Radio(
            list(zip(_METHOD_NAMES, METHODS, strict=True)), value=METHODS[0], label="Method", info=_METHODS_TOLD,
            elem_id="method",
        )
        size = slider(Controls, "size", "Size", high=limits.largest, step=_STEP)
        with gr.Column(elem_classes="part") as of_styles:
            strength = slider(Controls, "strength", "Strength")
            style_scale = slider(Controls, "style_scale", "Stroke size", *_SCALES, info="Larger gives larger strokes.")
        color = gr.Radio(
            list(zip(_COLOR_NAMES, COLORS, strict=True)), label="Colors", elem_id="color", value=Controls.color,
            info="Whose colors the result has: the painting's, or the photo's, kept in three ways.",
        )
        photoreal = gr.Checkbox(label="Light and colors alone", elem_id="photoreal", **about(Controls, "photoreal"))
        with gr.Column(elem_classes="part") as of_mix:
            second = picture("Second painting", elem_id="second", height=200)
            seconds, _ = chooser("styles", "Second paintings to try", elem_id="seconds")
            mix = share("Mix", "Share of the second painting, where there is one.", elem_id="mix")
    for chosen, paths, target in (
        (photos, photo_paths, photo), (styles, style_paths, style), (seconds, style_paths, second),
    ):
        chosen.select(_picked(paths), None, target, queue=False, show_progress="hidden", api_visibility="private")
    learned.select(
        _picked([_stem(path) for path in learned_paths]), None, model, queue=False, show_progress="hidden",
        api_visibility="private",
    )
    method.change(
        lambda chosen: [gr.update(visible=(chosen == "learned") == there) for there in (False, True, False, False)],
        method, [any_style, one_style, of_styles, of_mix], queue=False, show_progress="hidden",
        api_visibility="private",
    )
    return {
        "photo": photo, "style": style, "second": second, "mix": mix, "method": method, "model": model, "size": size,
        "strength": strength, "style_scale": style_scale, "color": color, "photoreal": photoreal, "paint": paint,
        "stop": stop, "status": status,
    }


def _told():
    """The components that answer, {name: component}."""
    sofar = words("", elem_id="sofar", visible=False)
    example = (str(HERE / "photos" / "chelsea.jpg"), str(HERE / "example.jpg"))
    result = gr.ImageSlider(
        example, type="filepath", label="Before and after", show_label=False, interactive=False, buttons=["fullscreen"],
        container=False, elem_id="result", max_height=900,
    )
    with gr.Row(elem_id="take"):
        png = gr.DownloadButton("Download PNG", visible=False, elem_id="png")
        jpeg = gr.DownloadButton("Download JPEG", visible=False, elem_id="jpeg")
    return {"sofar": sofar, "result": result, "png": png, "jpeg": jpeg}


def _wire(blocks, limits, jobs, folder, asked, told):
    """What happens when."""
    # What is given comes as it is: gradio would decode pictures, and refuse numbers out of range as errors.
    quiet = {"show_progress": "hidden", "api_visibility": "private", "preprocess": False}
    asked = dict(asked)
    paint, stop, status = (asked.pop(name) for name in ("paint", "stop", "status"))

    def painted(given, request: gr.Request):
        @functools.cache
        def order():
            values = {name: given[part] for name, part in asked.items()}
            return ordered(limits, **values | {name: _path(values[name], folder) for name in _PICTURES})

        try:
            for update in jobs.run(request.session_hash, order):
                yield shown(order, update)
        except InputError as error:
            yield refused(str(error))
        except Exception:
            _LOG.exception("A picture could not be painted.")
            yield refused("Something is wrong here that should not be; the terminal of tfstyle web says what.")

    def shown(order, update):
        """The components that change with an `Update`."""
        over = update.state in ("done", "stopped")
        changes = {
            status: notice(update.sentence, update.share, update.state),
            paint: gr.update(visible=over),
            stop: gr.update(visible=not over, interactive=update.state != "stopping"),
        }
        if not over:  # they would be of the picture before
            changes |= {told[kind]: gr.update(visible=False) for kind in ("png", "jpeg")}
        else:
            changes |= {told["sofar"]: gr.update(visible=False), told["result"]: gr.update(visible=True)}
        if update.preview is not None:
            changes |= {
                told["sofar"]: gr.update(value=preview(update.preview), visible=True),
                told["result"]: gr.update(visible=False),
            }
        if update.picture is not None:
            paths = files(order(), update.picture, folder)
            changes[told["result"]] = gr.update(value=(paths["before"], paths["after"]), visible=True)
            changes |= {told[kind]: gr.update(value=paths[kind], visible=True) for kind in ("png", "jpeg")}
        return changes

    def refused(sentence):
        return {
            status: _fault(sentence), told["sofar"]: gr.update(visible=False),
            told["result"]: gr.update(visible=True), paint: gr.update(visible=True), stop: gr.update(visible=False),
        }

    def leaving(request: gr.Request):
        jobs.stop(request.session_hash)

    paint.click(painted, {*asked.values()}, [*told.values(), paint, stop, status], concurrency_limit=None, **quiet)
    stop.click(leaving, None, None, queue=False, **quiet)
    blocks.unload(leaving)
    for name, label in _PICTURES.items():
        asked[name].upload(
            _checking(limits, folder, label), asked[name], [asked[name], status], queue=False, **quiet
        )


def _checking(limits, folder, label):
    """A function of a picture that has just been given: what becomes of it, and of the notice."""

    def check(given):
        try:
            checked_picture(limits, _path(given, folder), label)
        except InputError as error:
            return None, _fault(str(error))
        return gr.skip(), notice("")

    return check


def _path(given, folder):
    """The path in what gradio tells of a picture; None where there is none.

    It comes from the visitor's browser, so that only what lies in the page's own folders counts: None elsewhere.
    """
    if not isinstance(given, dict):
        return None
    path = pathlib.Path(str(given.get("path"))).resolve()
    return str(path) if any(path.is_relative_to(pathlib.Path(own).resolve()) for own in (folder, HERE)) else None


def _picked(values):
    """A function of a click on a gallery: the value of the picture clicked."""

    def picked(event: gr.SelectData):
        return values[event.index]

    return picked


def _fault(sentence):
    return notice(sentence[0].upper() + sentence[1:], kind="fault")


def _stem(path):
    return pathlib.Path(path).stem
