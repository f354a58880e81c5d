"""The client of a served tfstyle: pictures of any kind in, a PIL image out, as `tfstyle.stylize` has it."""

import io
import random
import time

import numpy as np

from tfstyle import images
from tfstyle.checks import InputError, check_choice, check_number, check_weights
from tfstyle.controls import Controls, read_style
from tfstyle.gatys.settings import GatysSettings
from tfstyle.serving.connection import Address, Connection, place
from tfstyle.serving.failures import Failure, ServingError, translated

__all__ = ["METHODS", "OPTIMIZER", "Client"]

OPTIMIZER = "gatys"  # the name under which the optimization is served
METHODS = ("fast", "optimize")
_SETTINGS = ("steps", "content_weight", "style_weight", "tv_weight")
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

    def stylize(self, content, style, method="fast", size=512, *, weights=None, strength=1.0, style_size=None,
                **settings):
        """Paints one picture, as `tfstyle.stylize` does.

        The pictures are turned, brought to sRGB and resized here, and the content's alpha is put back here. One style
        picture at the default `style_size` travels as PNG, 8 bits a channel; all else travels as float32, which is
        much larger, in REST's JSON above all.

        Args:
            content: a picture of any kind that `tfstyle.images.read` takes.
            style: a picture, a code from `style_code`, or a list of either, which are mixed.
            method: "fast": one pass. "optimize": as `optimize` does with the further settings.
            size: long side of the result in px; None keeps the content's own.
            weights: one number for each style, scaled to sum 1; None weighs them alike.
            strength: of the style, 0 (the photo itself, for which no server is asked) to 1.
            style_size: long side in px at which style pictures are looked at; None takes the result's.
            **settings: for "optimize": steps, content_weight, style_weight, tv_weight.

        Returns:
            PIL image of the content's shape at `size`: RGB, or RGBA if the content has alpha.

        Raises:
            InputError: pictures, codes or settings that do not work, here or in the server's eyes.
            ServingError: a server that cannot be reached, lacks the model, takes too long or fails.
        """
        check_choice("method", method, METHODS)
        if method == "optimize":
            for name, value in (("strength", strength), ("style_size", style_size)):
                if value != getattr(Controls, name):
                    raise InputError(f"{name} is a setting of method='fast', not of 'optimize'; leave it out.")
            return self.optimize(content, style, size=size, **_known(settings, _SETTINGS))
        _known(settings, ())
        Controls(size=size, style_size=style_size, strength=strength)
        styles = list(style) if isinstance(style, (list, tuple)) else [style]
        if not styles:
            raise InputError("There is no style picture; give one or more.")
        weights = check_weights(weights, len(styles))
        photo = images.read(content, name="content picture", size=size)
        side = max(photo.rgb.shape[:2])
        files = style_size is None and len(styles) == 1 and not _is_code(styles[0])
        if files:
            seen = [_not_enlarged(styles[0], side)]
        else:
            seen = [_checked_code(one) if _is_code(one) else read_style(one, style_size, side).rgb for one in styles]
        if strength == 0:
            return images.to_pil(photo.rgb, photo.alpha)
        ask = self._asker(self._settings.model, _SECONDS)
        if len(seen) > 1 or _is_code(seen[0]):
            painted = _under_codes(ask, photo.rgb, seen, weights, strength)
        elif files:
            painted = _by_files(ask, "stylize_bytes", photo.rgb, seen[0], strength=np.float32([strength]))
        else:
            painted = ask(
                "stylize", (1, *photo.rgb.shape), content_image=photo.rgb[None], style_image=seen[0][None],
                strength=np.float32([strength]),
            )[0]
        return images.to_pil(painted, photo.alpha)

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
        return _code(self._asker(self._settings.model, _SECONDS), picture)

    def optimize(self, content, style, *, steps=None, content_weight=GatysSettings.content_weight,
                 style_weight=GatysSettings.style_weight, tv_weight=GatysSettings.tv_weight, size=512, model=OPTIMIZER):
        """Paints one picture by optimization, as `tfstyle.stylize(..., method="optimize")` does; it takes a while.

        Args:
            content: a picture of any kind.
            style: one picture of any kind.
            steps: evaluations at each scale; None takes Python's defaults. The served graph sets a bound, for large
                pictures a lower one.
            content_weight, style_weight, tv_weight: of the losses, as `tfstyle.GatysSettings` has them.
            size: long side of the result in px; None keeps the content's own. The served graph sets a bound.
            model: name under which the optimization is served.

        Returns:
            PIL image of the content's shape at `size`: RGB, or RGBA if the content has alpha.

        Raises:
            InputError, ServingError: as `stylize`.
        """
        if isinstance(style, (list, tuple)):
            if len(style) != 1:
                raise InputError(f"The served optimization takes one style picture; received {len(style)}.")
            (style,) = style
        chosen = {} if steps is None else {"steps": (check_number("steps", steps, 1, integer=True),)}
        GatysSettings(size=size, **chosen, content_weight=content_weight, style_weight=style_weight,
                      tv_weight=tv_weight)
        photo = images.read(content, name="content picture", size=size)
        painting = _not_enlarged(style, max(photo.rgb.shape[:2]))
        painted = _by_files(
            self._asker(model, _OPTIMIZE_SECONDS), "optimize_bytes", photo.rgb, painting, steps=np.int32([steps or 0]),
            content_weight=np.float32([content_weight]), style_weight=np.float32([style_weight]),
            tv_weight=np.float32([tv_weight]),
        )
        return images.to_pil(painted, photo.alpha)

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
                return _shaped(self._transport.predict(address, signature, inputs, seconds), shape)

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


def _under_codes(ask, photo, seen, weights, strength):
    """A photo (H, W, 3) painted under codes and pictures mixed, at any strength: what `ArbitraryStylizer` computes."""
    codes = [one if _is_code(one) else _code(ask, one) for one in seen]
    if len({code.shape for code in codes}) > 1:
        raise InputError("The style codes have unlike lengths, so they are of unlike networks; make them anew.")
    code = np.float32(weights) @ np.stack(codes)
    if strength == 1:
        return ask("stylize_code", (1, *photo.shape), content_image=photo[None], style_code=code[None])[0]
    less, own = 1 - np.float32(strength), _code(ask, photo)
    under = np.stack([less * own + np.float32(strength) * code, own])
    contents = np.stack([photo, photo])
    painted, plain = ask("stylize_code", contents.shape, content_image=contents, style_code=under)
    return painted + less * (photo - plain)


def _by_files(ask, signature, photo, painting, **numbers):
    """Both pictures as PNG, and a PNG back."""
    files = {"content_bytes": [_png(photo)], "style_bytes": [_png(painting)]}
    return ask(signature, (1, *photo.shape), **files, **numbers)[0]


def _not_enlarged(style, side):
    """A style picture (h, w, 3) reduced to the photo's long side.

    The server does what else `tfstyle.stylize` does to it: it enlarges smaller ones, and keeps 16 px of long ones.
    """
    whole = images.read(style, name="style picture").rgb
    if max(whole.shape[:2]) <= side or min(images.fitted_shape(*whole.shape[:2], side)) < images.LEAST_SIDE:
        return whole
    return images.resize(whole, images.fitted_shape(*whole.shape[:2], side))


def _known(settings, names):
    """The settings, refused where one is not among the names."""
    for name in settings:
        if name not in names:
            raise InputError(f"{name} is no setting of this method here; there are {', '.join(names) or 'none'}.")
    return settings


def _code(ask, picture):
    return ask("style_code", (1, None), style_image=picture[None])[0]


def _png(picture):
    file = io.BytesIO()
    images.to_pil(picture).save(file, "PNG", compress_level=1)  # the network is rarely slower than zlib
    return file.getvalue()


def _shaped(answer, shape):
    """An answer as finite numbers of a shape, None being any side; files become pictures.

    Raises:
        Failure: anything else.
    """
    if isinstance(answer, list):
        try:
            answer = np.stack([images.read(file).rgb for file in answer])
        except ValueError:  # no picture, or pictures of unlike sizes
            answer = np.empty(0)
    sides = [found if side is None else side for side, found in zip(shape, answer.shape, strict=False)]
    if len(shape) != answer.ndim or tuple(sides) != answer.shape or not np.isfinite(answer).all():
        raise Failure("UNIMPLEMENTED", "its answer is not what this signature gives")
    return answer


def _is_code(style):
    return getattr(style, "ndim", None) == 1


def _checked_code(code):
    code = np.asarray(code)
    if code.dtype.kind != "f" or not len(code):
        raise InputError(f"A style code must be float of shape (100,); received {code.dtype} of {code.shape}.")
    if not np.isfinite(code).all():
        raise InputError("A style code holds NaN or infinite values; make it anew from its picture.")
    return code.astype(np.float32)
