"""The client of a served tfstyle: pictures of any kind in, a PIL image out, as `tfstyle.stylize` has it."""

import random
import time

import numpy as np

from tfstyle import images
from tfstyle.checks import InputError, check_choice, check_number, check_weights
from tfstyle.controls import check_styles, controls_of
from tfstyle.gatys.settings import GatysSettings
from tfstyle.images.masks import read_masks
from tfstyle.look import Look, painted, settled
from tfstyle.serving.connection import Address, Connection, place
from tfstyle.serving.failures import Failure, ServingError, translated
from tfstyle.serving.requests import (
    AROUND,
    LOOK,
    OPTIMIZE,
    by_files,
    code,
    known,
    shaped,
    styles_sent,
    under_styles,
)

__all__ = ["METHODS", "OPTIMIZER", "Client"]

OPTIMIZER = "gatys"  # the name under which the optimization is served
METHODS = ("fast", "optimize")
_SECONDS, _OPTIMIZE_SECONDS = 60.0, 600.0
_LONGEST_WAIT = 10.0


class Client:
    """Asks TensorFlow Serving for painted pictures. Keep one for many; threads may share it.

    Args:
        url: "http(s)://host:8501" for REST, or "grpc(s)://host:8500" for gRPC, which is quicker for large pictures
            that are sent as floats and needs tfstyle[grpc].
        model: name under which the one-pass network is served.
        version, label: which version of a model; the newest by default. They hold for every model that is asked.
        timeout: seconds that a whole call may take, retries included; None: 60, and 600 for `optimize`.
        retries: further attempts where the server is unavailable (gRPC UNAVAILABLE; HTTP 503, or a connection that is
            refused or reset before there is an answer). Whatever else goes wrong is told at once.
        backoff: seconds before the first of them, give or take half; doubled each time, up to 10.

    Raises:
        InputError: an address or setting that does not work, or gRPC without its packages.
    """

    def __init__(self, url=Connection.url, *, model=Connection.model, version=None, label=None, timeout=None,
                 retries=Connection.retries, backoff=Connection.backoff):
        self._settings = Connection(url, model, version, label, timeout, retries, backoff)
        where = place(self._settings.url)
        if where.scheme.startswith("grpc"):
            from tfstyle.serving.grpc_transport import GrpcTransport as Transport
        else:
            from tfstyle.serving.rest import RestTransport as Transport
        self._transport, self._closed = Transport(where), False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Closes the connections; the client cannot be asked again."""
        self._closed = True
        self._transport.close()

    def stylize(self, content, style, method="fast", size=512, *, weights=None, masks=None, **settings):
        """Paints one picture, as `tfstyle.stylize` does.

        The pictures are turned, brought to sRGB and resized here, and what lies around the network is done here: color,
        masks, light and palette alone, the content's alpha. One style picture at the default size travels as PNG, 8
        bits a channel; all else travels as float32, which is much larger, in REST's JSON above all.

        Args:
            content: a picture of any kind that `tfstyle.images.read` takes.
            style: a picture, a code from `style_code`, or a list of either.
            method: "fast": one pass. "optimize": as `optimize` does with the further settings.
            size: long side of the result in px; None keeps the content's own.
            weights: one number for each style, scaled to sum 1, by which they are mixed; None weighs them alike.
            masks: one picture for each style, or one fewer, as `tfstyle.stylize` takes them.
            **settings: the fields of `tfstyle.look.Look` but `tiled`; for "optimize" those that `optimize` takes.

        Returns:
            PIL image of the content's shape at `size`: RGB, or RGBA if the content has alpha.

        Raises:
            InputError: pictures, codes or settings that do not work, here or in the server's eyes.
            ServingError: a server that cannot be reached, lacks the model, takes too long or fails.
        """
        check_choice("method", method, METHODS)
        if method == "optimize":
            if weights is not None:
                raise InputError("weights are for several styles, and the client has one optimized; leave them out.")
            return self.optimize(content, style, size=size, masks=masks, **known(settings, OPTIMIZE, "optimize"))
        styles = list(style) if isinstance(style, (list, tuple)) else [style]
        controls = controls_of({"size": size, **known(settings, LOOK, "fast")})
        look = settled(controls, styles)
        if not styles:
            raise InputError("There is no style picture; give one or more.")
        check_styles(weights, masks)
        weights = check_weights(weights, len(styles))
        photo = images.read(content, name="content picture", size=size)
        shares = None if masks is None else read_masks(masks, photo.rgb.shape[:2], len(styles))
        seen, as_files = styles_sent(styles, photo, shares, look)
        if look.strength == 0:
            return images.to_pil(photo.rgb, photo.alpha)
        ask = self._asker(self._settings.model, _SECONDS)

        def paint(given):
            if as_files:
                return [by_files(ask, "stylize_bytes", given, seen[0], strength=np.float32([look.strength]))]
            if shares is None:
                return [under_styles(ask, given, seen, weights, look.strength)]
            return [under_styles(ask, given, [one], (1.0,), look.strength) for one in seen]

        return images.to_pil(painted(photo.rgb, look, shares, paint, photo.alpha), photo.alpha)

    def style_code(self, style, style_size=512):
        """The code of a style: numbers that can be kept (np.save), sent and mixed, in place of the picture.

        Args:
            style: a picture of any kind.
            style_size: long side in px at which it is looked at, and so the size of the strokes.

        Returns:
            float32 (100,) for the shipped network.

        Raises:
            InputError, ServingError: as `stylize`.
        """
        check_number("style_size", style_size, images.LEAST_SIDE, integer=True)
        picture = images.read(style, name="style picture", size=style_size).rgb
        return code(self._asker(self._settings.model, _SECONDS), picture)

    def optimize(self, content, style, *, steps=None, content_weight=GatysSettings.content_weight,
                 style_weight=GatysSettings.style_weight, tv_weight=GatysSettings.tv_weight, size=512, masks=None,
                 model=OPTIMIZER, **look):
        """Paints one picture by optimization, as `tfstyle.stylize(..., method="optimize")` does; it takes a while.

        Args:
            content: a picture of any kind.
            style: one picture of any kind.
            steps: evaluations at each scale; None takes Python's defaults. The served graph sets a bound, for large
                pictures a lower one.
            content_weight, style_weight, tv_weight: of the losses, as `tfstyle.GatysSettings` has them.
            size: long side of the result in px; None keeps the content's own. The served graph sets a bound.
            masks: a picture, white where the style goes; None for everywhere.
            model: name under which the optimization is served.
            **look: of the fields of `tfstyle.look.Look`: color, color_when, photoreal.

        Returns:
            PIL image of the content's shape at `size`: RGB, or RGBA if the content has alpha.

        Raises:
            InputError, ServingError: as `stylize`.
        """
        if isinstance(style, (list, tuple)):
            if len(style) != 1:
                raise InputError(f"The client has one style picture optimized; received {len(style)}.")
            (style,) = style
        chosen = {} if steps is None else {"steps": (check_number("steps", steps, 1, integer=True),)}
        GatysSettings(size=size, **chosen, content_weight=content_weight, style_weight=style_weight,
                      tv_weight=tv_weight)
        look = settled(Look(**known(look, AROUND, "optimize")), [style])
        photo = images.read(content, name="content picture", size=size)
        shares = None if masks is None else read_masks(masks, photo.rgb.shape[:2], 1)
        (painting,), _ = styles_sent([style], photo, shares, look)
        numbers = {"content_weight": content_weight, "style_weight": style_weight, "tv_weight": tv_weight}
        numbers = {name: np.float32([value]) for name, value in numbers.items()} | {"steps": np.int32([steps or 0])}
        ask = self._asker(model, _OPTIMIZE_SECONDS)
        found = painted(
            photo.rgb, look, shares, lambda given: [by_files(ask, "optimize_bytes", given, painting, **numbers)],
            photo.alpha,
        )
        return images.to_pil(found, photo.alpha)

    def status(self, model=None):
        """The states of a model's versions, such as {1: "AVAILABLE"}.

        Args:
            model: name; None takes the client's own.

        Raises:
            ServingError: no such model, or a server that cannot be reached.
        """
        address = self._address(self._settings.model if model is None else model)
        return self._answer(lambda seconds: self._transport.status(address, seconds), address, *self._clock(_SECONDS))

    def _address(self, model):
        return Address(model, self._settings.version, self._settings.label)

    def _clock(self, default):
        """(seconds for one call, when they are over)"""
        seconds = default if self._settings.timeout is None else self._settings.timeout
        return seconds, time.monotonic() + seconds

    def _asker(self, model, default):
        """A function (signature, shape of the answer, **inputs) -> answer; all requests of one call share its time."""
        address, clock = self._address(model), self._clock(default)

        def ask(signature, shape, **inputs):
            def request(seconds):
                return shaped(self._transport.predict(address, signature, inputs, seconds), shape)

            return self._answer(request, address, *clock)

        return ask

    def _answer(self, request, address, seconds, deadline):
        """What a request of the transport returns, asked again while the server is unavailable and there is time."""
        attempts = 0
        while True:
            if self._closed:
                raise ServingError("This client has been closed; make a new one.")
            attempts += 1
            try:
                if (left := deadline - time.monotonic()) <= 0:
                    raise Failure("DEADLINE_EXCEEDED", "")
                return request(left)
            except Failure as failure:
                wait = min(self._settings.backoff * 2 ** (attempts - 1), _LONGEST_WAIT) * random.uniform(0.5, 1.5)
                over = attempts > self._settings.retries or time.monotonic() + wait >= deadline
                if failure.code != "UNAVAILABLE" or over:
                    raise translated(failure, self._settings.url, address, seconds, attempts) from failure
            time.sleep(wait)
