"""A panel for notebooks: two pictures and what can be asked of tfstyle on one side, the painted picture on the other.

Nothing here imports TensorFlow before the first picture is to be painted, nor ipywidgets before there is a panel.
"""

import dataclasses
import html
import math
import threading
import time

from tfstyle import images
from tfstyle.checks import InputError, check_choice, check_number
from tfstyle.controls import Controls
from tfstyle.previews import Watch, jpeg
from tfstyle.weights.files import shipped_styles

__all__ = ["panel"]

METHODS = {"fast": "any style, in one pass", "optimize": "any style, by the optimizer"}
SHOWN = 1024  # px, long side of the result on the page at most; what is saved has all of them
_LARGEST = 2048  # px, end of the slider
_STEP = 1 / 8  # octaves, of style_scale
_REST = 0.25  # seconds for which a slider has to rest before it is heeded

# ipywidgets' button for files takes none that are dropped on it. Its input is in no document: it shows itself when it
# is asked to open.
_DROP = """
if (!window.tfstyleDrop) {
  window.tfstyleDrop = true;
  const place = (event) => event.target.closest && event.target.closest(".tfstyle-drop");
  const taken = (event) => { event.preventDefault(); event.stopPropagation(); };
  document.addEventListener("dragover", (event) => { if (place(event)) taken(event); }, true);
  document.addEventListener("drop", (event) => {
    if (!place(event)) return;
    taken(event);
    const click = HTMLInputElement.prototype.click;
    HTMLInputElement.prototype.click = function () {
      this.files = event.dataTransfer.files;
      this.dispatchEvent(new Event("change"));
    };
    try { place(event).querySelector(".widget-upload").click(); }
    finally { HTMLInputElement.prototype.click = click; }
  }, true);
}
"""


def panel(content=None, style=None, *, method="fast", **start):
    """A panel to paint with in a notebook.

    Pictures are dropped on it or chosen. In one pass it paints anew whenever something is changed; the optimizer waits
    for its button, shows the picture so far, and can be stopped.

    Args:
        content, style: pictures to begin with, of any kind that `tfstyle.stylize` takes; None for none yet.
        method: "fast", "optimize", or the name of a shipped network for one style.
        **start: where the controls stand: strength, style_scale, color and size, as `tfstyle.stylize` takes them.

    Returns:
        An ipywidgets box. As the last line of a cell it is the panel.

    Raises:
        InputError: ipywidgets is not installed, or a picture or value that does not work.
    """
    try:
        import ipywidgets
    except ImportError:
        raise InputError("The panel needs ipywidgets: pip install 'tfstyle[notebook]'.") from None
    for name in start:
        check_choice("setting", name, ("strength", "style_scale", "color", "size"))
    check_choice("method", method, (*METHODS, *shipped_styles()))
    controls = Controls(**start)
    check_number("size", controls.size, integer=True)
    sides = {"photo": content, "painting": style}
    pictures = {role: (given, _read(given, role)) for role, given in sides.items() if given is not None}
    return _Panel(ipywidgets, pictures, method, controls).box


def _read(source, role):
    return images.read(source, name=role).rgb


def _put(image, data):
    """Shows a picture where there may have been none, which browsers draw as a broken one."""
    image.value, image.layout.display = data, None


class _Panel:
    """The widgets, and the thread that paints while the notebook listens."""

    def __init__(self, widgets, pictures, method, controls):
        """
        Args:
            widgets: the module ipywidgets.
            pictures: {"photo" or "painting": (as `tfstyle.stylize` takes it, (H, W, 3))} to begin with.
            method: a value of the list of methods.
            controls: `Controls`.
        """
        self._lock, self._stopped, self._worker, self._due = threading.Lock(), threading.Event(), None, None
        self._pictures, self.painted = {role: given for role, (given, _) in pictures.items()}, None
        self.uploads, self.thumbnails, hidden = {}, {}, {"object_fit": "contain", "display": "none"}
        for role in ("photo", "painting"):
            label = f"{role.capitalize()}: drop or choose"
            upload = widgets.FileUpload(accept="image/*", description=label, layout={"width": "100%"})
            thumbnail = widgets.Image(format="jpeg", layout=hidden | {"max_height": "160px"})
            self.uploads[role], self.thumbnails[role] = upload, thumbnail
            if role in pictures:
                _put(thumbnail, jpeg(pictures[role][1]))
            upload.observe(self._uploaded, "value")
        self.method = widgets.Dropdown(
            options=[(text, name) for name, text in METHODS.items()]
            + [(f"one style: {name}", name) for name in shipped_styles()],
            value=method, description="method",
        )
        self.controls = _sliders(widgets, controls)
        self.paint = widgets.Button(description="Paint", button_style="primary", icon="paint-brush")
        self.stop = widgets.Button(description="Stop", icon="stop", disabled=True, tooltip="keeps the picture so far")
        self.progress = widgets.FloatProgress(min=0, max=1, layout={"width": "100%", "visibility": "hidden"})
        self.said = widgets.HTML()
        self.result = widgets.Image(format="jpeg", layout=hidden | {"max_height": "40em"})
        self.file = widgets.Text("painted.png", description="file", tooltip="where to save: .png, .jpg, .webp, ...")
        self.save = widgets.Button(description="Save", icon="save", disabled=True)
        self.method.observe(self._chosen, "value")
        for control in self.controls.values():
            control.observe(self._moved, "value")
        self.paint.on_click(lambda _: self._ask())
        self.stop.on_click(lambda _: self._halt())
        self.save.on_click(lambda _: self._save())
        self._fit_controls()
        self.box = self._laid_out(widgets)

    def _laid_out(self, widgets):
        drops = []
        for role, upload in self.uploads.items():
            drops.append(widgets.VBox([upload, self.thumbnails[role]], layout={"width": "50%"}))
            drops[-1].add_class("tfstyle-drop")
        script = {"output_type": "display_data", "data": {"application/javascript": _DROP}, "metadata": {}}
        asked = [
            widgets.HBox(drops), self.method, *self.controls.values(), widgets.HBox([self.paint, self.stop]),
            widgets.Output(outputs=(script,), layout={"display": "none"}),
        ]
        given = [self.progress, self.said, self.result, widgets.HBox([self.file, self.save])]
        return widgets.HBox(
            [widgets.VBox(asked, layout={"width": "24em", "flex": "0 1 auto"}),
             widgets.VBox(given, layout={"flex": "1 1 20em"})],
            layout={"flex_flow": "row wrap", "grid_gap": "1em"},
        )

    def _say(self, words):
        self.said.value = html.escape(words)

    # What the hand does

    def _uploaded(self, change):
        """A file has come: it takes the place of the picture before, if it is one."""
        role = next(role for role, upload in self.uploads.items() if upload is change["owner"])
        for file in change["new"][:1]:
            source = bytes(file["content"])
            try:
                picture = _read(source, role)
            except InputError as error:
                self._say(str(error))
                return
            self._pictures[role] = source
            _put(self.thumbnails[role], jpeg(picture))
            self._say("")
            self._moved()

    def _chosen(self, _):
        self._fit_controls()
        self._moved()

    def _fit_controls(self):
        """Greys out what is of no use to a network of one style."""
        one_style = self.method.value not in METHODS
        for name in ("strength", "style_scale"):
            self.controls[name].disabled = one_style
        self.uploads["painting"].disabled = one_style

    def _moved(self, _=None):
        """Something has been changed: what takes a moment is painted anew, as soon as the hand rests."""
        if self.method.value != "optimize" and not self._missing():
            self._ask(_REST)

    def _missing(self):
        """What there is to do before there is anything to paint; empty if there is nothing."""
        needed = ("photo", "painting") if self.method.value in METHODS else ("photo",)
        return next((f"There is no {role}; drop or choose one." for role in needed if role not in self._pictures), "")

    def _halt(self):
        self._say("stopping after this step ...")
        self._stopped.set()

    def _save(self):
        try:
            images.write(self.file.value, self.painted)
        except InputError as error:
            self._say(str(error))
        else:
            width, height = self.painted.size
            self._say(f"{self.file.value} is written, {width}x{height} px.")

    # What is done meanwhile, in a thread of its own

    def _ask(self, wait=0.0):
        """Has a picture painted in `wait` seconds, unless asked again by then; what is being painted is broken off."""
        if missing := self._missing():
            self._say(missing)
            return
        with self._lock:
            self._due = time.monotonic() + wait
            self._stopped.set()
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="tfstyle.panel", daemon=True)
                self._worker.start()

    def _work(self):
        while self._awaited():
            self._repaint()

    def _awaited(self):
        """Waits for what was asked; False, and the end of the thread, where it was nothing more."""
        while True:
            with self._lock:
                if self._due is None:
                    self._worker = None
                    return False
                left = self._due - time.monotonic()
                if left <= 0:
                    self._due = None
                    self._stopped.clear()
                    return True
            time.sleep(left)

    def _repaint(self):
        self._say("painting ...")
        try:
            painted = self._painted()
        except Exception as error:  # nobody else would hear of it
            self._say(str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}")
            return
        finally:
            self.stop.disabled, self.progress.layout.visibility = True, "hidden"
        self.painted, self.save.disabled = painted, False
        _put(self.result, jpeg(painted, SHOWN))
        self._say("")

    def _painted(self):
        """The picture, painted as the controls stand now."""
        from tfstyle import api

        method = self.method.value
        asked = {name: control.value for name, control in self.controls.items() if not control.disabled}
        if method == "fast":
            return api.stylize(self._pictures["photo"], self._pictures["painting"], **asked)
        if method != "optimize":
            return api.stylize(self._pictures["photo"], model=method, **asked)
        self.progress.value, self.progress.layout.visibility, self.stop.disabled = 0.0, "visible", False
        watch = Watch(self._show, lambda record: self._stopped.is_set())
        result, alpha = api.optimize_pictures(
            self._pictures["photo"], self._pictures["painting"], callback=watch, planned=watch.planned, **asked
        )
        return images.to_pil(result.image, alpha)

    def _show(self, share, where, losses, picture):
        self.progress.value = share
        self._say(where)
        if picture is not None:
            _put(self.result, picture)


def _sliders(widgets, controls):
    """{name: widget} of what can be set, with the ranges, choices and texts of `Controls`."""
    fields = {field.name: field.metadata for field in dataclasses.fields(Controls)}

    def common(name):
        return {"value": getattr(controls, name), "description": name, "tooltip": fields[name]["text"]}

    strength, scale = fields["strength"], fields["style_scale"]
    return {
        "strength": widgets.FloatSlider(min=strength["low"], max=strength["high"], step=0.05, **common("strength")),
        "style_scale": widgets.FloatLogSlider(
            # Sliders go in steps from their least value, and 1 is to be one of these.
            base=2, min=math.ceil(math.log2(scale["low"]) / _STEP) * _STEP, max=math.log2(scale["high"]), step=_STEP,
            readout_format=".2f", **common("style_scale"),
        ),
        "size": widgets.IntSlider(
            min=fields["size"]["low"], max=max(_LARGEST, controls.size), step=16, **common("size")
        ),
        "color": widgets.Dropdown(options=fields["color"]["choices"], **common("color")),
    }
