"""Stand-ins for TensorFlow Serving in this process: its two APIs over real sockets, its way of loading a SavedModel.

Not a part of tfstyle: they batch nothing, watch no folder and log nothing. Messages are those of the real server,
whose sources are tensorflow_serving/servables/tensorflow/predict_util.cc and model_servers/http_rest_api_handler.cc.
"""

import base64
import concurrent.futures
import contextlib
import http.server
import json
import re
import threading

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

LARGEST = 256 * 2**20
HTTP = {"INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "NOT_FOUND": 404, "UNAVAILABLE": 503,
        "DEADLINE_EXCEEDED": 504, "RESOURCE_EXHAUSTED": 429, "UNIMPLEMENTED": 501}


class Refused(Exception):
    """A status other than OK: the name of its gRPC code, and the message."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code, self.message = code, message


class Model:
    """A SavedModel in a session, as the real server loads and runs it."""

    def __init__(self, folder):
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            meta = tf.compat.v1.saved_model.load(self._session, ["serve"], str(folder))
        self.signatures = dict(meta.signature_def)

    def inputs(self, signature):
        """{name: dtype} of a signature's inputs."""
        return {name: tf.dtypes.as_dtype(info.dtype) for name, info in self._signature(signature).inputs.items()}

    def run(self, signature, inputs):
        """{name: array} of a signature's outputs; inputs as {name: array}."""
        wanted = self._signature(signature)
        if set(inputs) != set(wanted.inputs):
            sizes = f"{len(inputs)}!={len(wanted.inputs)}"
            raise Refused("INVALID_ARGUMENT", f"input size does not match signature: {sizes}")
        outputs = {name: info.name for name, info in wanted.outputs.items()}
        try:
            return self._session.run(outputs, {wanted.inputs[name].name: value for name, value in inputs.items()})
        except tf.errors.OpError as error:
            # The real server has no Python, whose account of where the node was made comes on top.
            first = error.__context__ if isinstance(error.__context__, tf.errors.OpError) else error
            raise Refused(grpc_name(first.error_code), first.message) from None
        except ValueError as error:  # a rank that the placeholder does not take
            raise Refused("INVALID_ARGUMENT", str(error)) from None

    def _signature(self, name):
        if name not in self.signatures:
            raise Refused("FAILED_PRECONDITION", f'Serving signature key "{name}" not found.')
        return self.signatures[name]


class Engine:
    """Served models, all of them version 1 with the label "stable".

    Attributes:
        script: what befalls the next requests, first to last, before the models are asked again: a `Refused`, or a
            function without arguments.
        asked: the signatures that were asked for.
    """

    def __init__(self, models):
        self.models, self.script, self.asked = models, [], []

    def model(self, name, version, label):
        """The `Model`, or `Refused`."""
        self._known(name, version, label)
        return self.models[name]

    def predict(self, name, version, label, signature, inputs):
        self.asked.append(signature)
        self._befall()
        return self.model(name, version, label).run(signature, inputs)

    def status(self, name, version, label):
        """[(version, state)]"""
        self._befall()
        self._known(name, version, label)
        return [(1, "AVAILABLE")]

    def _befall(self):
        with contextlib.suppress(IndexError):
            event = self.script.pop(0)
            if isinstance(event, Refused):
                raise event
            event()

    def _known(self, name, version, label):
        if name not in self.models or version not in (None, 1) or label not in (None, "stable"):
            which = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise Refused("NOT_FOUND", f"Servable not found for request: {which}")


def grpc_name(number):
    """5 -> "NOT_FOUND": the codes of TensorFlow's errors are those of gRPC."""
    return next(code.name for code in grpc.StatusCode if code.value[0] == number)


def _spec(spec):
    version = spec.version.value if spec.HasField("version") else None
    return spec.name, version, spec.version_label or None


class _Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, engine):
        self._engine = engine

    def Predict(self, request, context):
        signature = request.model_spec.signature_name or "serving_default"
        try:
            inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
            outputs = self._engine.predict(*_spec(request.model_spec), signature, inputs)
        except Refused as refused:
            context.abort(grpc.StatusCode[refused.code], refused.message)
        answer = predict_pb2.PredictResponse()
        for name, value in outputs.items():
            answer.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return answer


class _Models(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, engine):
        self._engine = engine

    def GetModelStatus(self, request, context):
        answer = get_model_status_pb2.GetModelStatusResponse()
        try:
            states = self._engine.status(*_spec(request.model_spec))
        except Refused as refused:
            context.abort(grpc.StatusCode[refused.code], refused.message)
        for version, state in states:
            answer.model_version_status.add(version=version, state=state)
        return answer


@contextlib.contextmanager
def grpc_server(engine, threads=32):
    """The gRPC API on a free port; yields its address."""
    sizes = [("grpc.max_send_message_length", LARGEST), ("grpc.max_receive_message_length", LARGEST)]
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(threads), options=sizes)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_Predictions(engine), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_Models(engine), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"grpc://127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections stay
    disable_nagle_algorithm = True
    _PATH = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?(:predict)?")

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._answer(self._status)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(lambda spec: self._predict(spec, body))

    def _answer(self, function):
        found = self._PATH.fullmatch(self.path)
        try:
            if not found or (self.command == "POST") != bool(found[4]):
                raise Refused("INVALID_ARGUMENT", f"Malformed request: {self.command} {self.path}")
            version = None if found[2] is None else int(found[2])
            status, body = 200, json.dumps(function((found[1], version, found[3]))).encode()
        except Refused as refused:
            status, body = HTTP.get(refused.code, 500), b'{ "error": "%s" }' % c_escaped(refused.message)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _status(self, spec):
        return {"model_version_status": [
            {"version": str(version), "state": state, "status": {"error_code": "OK", "error_message": ""}}
            for version, state in self.server.engine.status(*spec)
        ]}

    def _predict(self, spec, body):
        engine = self.server.engine
        try:
            request = json.loads(body)
        except ValueError:
            raise Refused("INVALID_ARGUMENT", "JSON Parse error: Invalid value. at offset: 0") from None
        signature = request.get("signature_name", "serving_default")
        dtypes = engine.model(*spec).inputs(signature)
        rows = request.get("instances")
        if rows is None:
            columns = request["inputs"]
        else:
            columns = {name: [row[name] for row in rows] for name in dtypes}
        columns = columns if isinstance(columns, dict) else {next(iter(dtypes)): columns}
        try:
            inputs = {name: _array(columns[name], dtypes[name]) for name in dtypes}
        except (KeyError, TypeError, ValueError) as error:
            message = f"Failed to process element of 'inputs'. Error: JSON object: {error}"
            raise Refused("INVALID_ARGUMENT", message) from None
        outputs = {name: _json(value) for name, value in engine.predict(*spec, signature, inputs).items()}
        alone = next(iter(outputs.values())) if len(outputs) == 1 else None
        if rows is None:
            return {"outputs": outputs if alone is None else alone}
        if alone is not None:
            return {"predictions": alone}
        return {"predictions": [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]}


def _array(values, dtype):
    """Nested lists, with {"b64": ...} for bytes, as an array."""
    if dtype is tf.string:
        return np.array([base64.b64decode(value["b64"]) for value in values], object)
    return np.array(values, dtype.as_numpy_dtype)


def _json(values):
    if values.dtype == object:
        return [{"b64": base64.b64encode(value).decode()} for value in values]
    return values.tolist()


def c_escaped(text):
    """As the real server escapes the messages of errors, which is not always JSON."""
    special = {10: rb"\n", 13: rb"\r", 9: rb"\t", 34: rb"\"", 39: rb"\'", 92: rb"\\"}
    plain = (special.get(b) or (bytes([b]) if 32 <= b < 127 else b"\\%03o" % b) for b in text.encode())
    return b"".join(plain)


class _HTTPServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):  # of a client that has gone
        pass


@contextlib.contextmanager
def http_server(handler=_Handler, **attributes):
    """An HTTP server on a free port; yields its address."""
    server = _HTTPServer(("127.0.0.1", 0), handler)
    server.__dict__.update(attributes)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def rest_server(engine):
    """The REST API on a free port; yields its address."""
    return http_server(engine=engine)
