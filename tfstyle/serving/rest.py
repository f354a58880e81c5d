"""TensorFlow Serving's REST API, version 1, by the standard library alone.

Source: https://www.tensorflow.org/tfx/serving/api_rest
"""

import base64
import collections
import contextlib
import http.client
import json
import re
import ssl
import time
import urllib.parse

import numpy as np

from tfstyle.serving.failures import Failure

__all__ = ["RestTransport"]

# How the server turns its status into one of HTTP; what is not here is its own fault.
_CODES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED", 413: "RESOURCE_EXHAUSTED", 429: "RESOURCE_EXHAUSTED", 501: "UNIMPLEMENTED",
    503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}
_PORTION = 2**18


class RestTransport:
    """Asks over HTTP. Threads may share it: each request has a connection to itself, which the next one takes over.

    Args:
        place: `tfstyle.serving.connection.Place` of the server.
    """

    def __init__(self, place):
        self._place = place
        self._idle, self._closed = collections.deque(), False
        self._tls = ssl.create_default_context() if place.scheme == "https" else None

    def predict(self, address, signature, inputs, seconds):
        """Runs a signature that has one output.

        Args:
            address: `tfstyle.serving.connection.Address` of the model.
            signature: its name.
            inputs: {name: list of bytes, or array}.
            seconds: to give up after.

        Returns:
            List of bytes, or float32 array.

        Raises:
            Failure: no answer, or none of use.
        """
        inputs = {name: _listed(value) for name, value in inputs.items()}
        body = json.dumps({"signature_name": signature, "inputs": inputs}, separators=(",", ":")).encode()
        answer = self._ask("POST", f"{_path(address)}:predict", body, seconds)
        try:
            outputs = answer["outputs"]
            if isinstance(outputs[0], dict):
                return [base64.b64decode(one["b64"], validate=True) for one in outputs]
            return np.asarray(outputs, np.float32)
        except (IndexError, KeyError, TypeError, ValueError):
            raise Failure("UNIMPLEMENTED", "its answer is not what this signature gives") from None

    def status(self, address, seconds):
        """The states of a model's versions, {version: state}."""
        answer = self._ask("GET", _path(address), None, seconds)
        try:
            return {int(one["version"]): str(one["state"]) for one in answer["model_version_status"]}
        except (KeyError, TypeError, ValueError):
            raise Failure("UNIMPLEMENTED", "it answers, but not as TensorFlow Serving does") from None

    def close(self):
        """Closes the connections: at once where no request holds them, else after it."""
        self._closed = True
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _ask(self, method, path, body, seconds):
        """The JSON of a successful answer."""
        try:
            status, text = self._exchange(method, f"{self._place.path}{path}", body, time.monotonic() + seconds)
        except TimeoutError:
            raise Failure("DEADLINE_EXCEEDED", "") from None
        except ConnectionError as error:  # some of http.client's are both this and the next but one
            raise Failure("UNAVAILABLE", error.strerror or str(error)) from error
        except ssl.SSLError as error:
            raise Failure("UNAUTHENTICATED", f"no encrypted connection: {error}") from error
        except http.client.HTTPException as error:
            why = f"it does not speak HTTP as REST servers do, {type(error).__name__}; a grpc:// address?"
            raise Failure("UNKNOWN", why) from error
        except OSError as error:
            raise Failure("UNAVAILABLE", error.strerror or str(error)) from error
        if status != 200:
            raise Failure(_CODES.get(status, "UNKNOWN"), _error(text, status))
        try:
            return json.loads(text)
        except ValueError:
            raise Failure("UNIMPLEMENTED", "it answers, but not as TensorFlow Serving does") from None

    def _exchange(self, method, path, body, deadline):
        """(status, body) of an answer."""
        while True:
            connection, kept = self._connection(deadline)
            try:
                if not kept:
                    connection.connect()
                socket = connection.sock  # the answer takes it away where the server will close
                socket.settimeout(_left(deadline))
                connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
                socket.settimeout(_left(deadline))
                response = connection.getresponse()
            except (ConnectionError, http.client.CannotSendRequest):
                connection.close()
                if not kept:
                    raise
                continue  # the server had closed it meanwhile, which says nothing about now
            except BaseException:
                connection.close()
                raise
            try:
                text = _body(response, socket, deadline)
            except BaseException:
                connection.close()
                raise
            if response.will_close:
                connection.close()
            else:
                self._idle.append(connection)
                if self._closed:
                    self.close()
            return response.status, text

    def _connection(self, deadline):
        """(connection, whether it has served before)"""
        with contextlib.suppress(IndexError):
            return self._idle.pop(), True
        host, port, seconds = self._place.host, self._place.port, _left(deadline)
        if self._tls is not None:
            return http.client.HTTPSConnection(host, port, timeout=seconds, context=self._tls), False
        return http.client.HTTPConnection(host, port, timeout=seconds), False


def _left(deadline):
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _body(response, socket, deadline):
    """The whole body, in portions: each would be given the whole time else."""
    parts = []
    try:
        while part := response.read1(_PORTION):
            parts.append(part)
            if response.length == 0:
                break
            socket.settimeout(_left(deadline))
    except ConnectionError as error:
        raise Failure("ABORTED", f"its answer broke off, {error.strerror or error}") from error
    except http.client.IncompleteRead as error:
        raise Failure("ABORTED", "its answer broke off") from error
    if response.length:
        raise Failure("ABORTED", "its answer broke off")
    response.close()
    return b"".join(parts)


def _path(address):
    path = f"/v1/models/{urllib.parse.quote(address.model, safe='')}"
    if address.version is not None:
        return f"{path}/versions/{address.version}"
    return path if address.label is None else f"{path}/labels/{urllib.parse.quote(address.label, safe='')}"


def _listed(value):
    if isinstance(value, list):
        return [{"b64": base64.b64encode(one).decode()} for one in value]
    if value.ndim == 4:  # pictures: digits beyond the eighth would double the message and say nothing
        value = value.astype(np.float64).round(8)
    return value.tolist()


def _error(text, status):
    """The words of an error. The server escapes them as C does, which is not always JSON."""
    text = text.decode("utf-8", "replace")
    try:
        return str(json.loads(text)["error"])
    except (KeyError, TypeError, ValueError):
        pass
    found = re.fullmatch(r'\s*\{\s*"error"\s*:\s*"(.*)"\s*\}\s*', text, re.DOTALL)
    if not found:  # some proxy's page
        return f"HTTP status {status}"
    escapes = {"n": "\n", "r": "\n", "t": " "}

    def unescaped(match):
        return chr(int(match[1], 8)) if match[1].isdigit() else escapes.get(match[1], match[1])

    words = re.sub(r"\\([0-7]{3}|.)", unescaped, found[1], flags=re.DOTALL)
    return words.encode("latin-1", "replace").decode("utf-8", "replace")
