"""TensorFlow Serving's gRPC API, with the stubs of tensorflow-serving-api, which need TensorFlow."""

from tfstyle.checks import InputError
from tfstyle.serving.failures import Failure

__all__ = ["GrpcTransport"]

# Bytes of one message. gRPC's own 4 MiB end at a picture of 0.36 megapixels in float32.
_LONGEST = 256 * 2**20


class GrpcTransport:
    """Asks over gRPC. Threads may share it.

    Args:
        place: `tfstyle.serving.connection.Place` of the server.

    Raises:
        InputError: the packages of tfstyle[grpc] are missing.
    """

    def __init__(self, place):
        # Here and not above: the extra is not for all, and TensorFlow comes with it.
        try:
            import grpc
            import tensorflow as tf
            from tensorflow_serving.apis import (
                get_model_status_pb2,
                model_service_pb2_grpc,
                predict_pb2,
                prediction_service_pb2_grpc,
            )
        except ImportError as error:
            raise InputError(
                f"{place.scheme}:// addresses need gRPC ({error}): pip install 'tfstyle[grpc]', or use the server's "
                "http:// address."
            ) from None
        self._grpc, self._tf = grpc, tf
        self._predict_request = predict_pb2.PredictRequest
        self._status_request = get_model_status_pb2.GetModelStatusRequest
        self._states = get_model_status_pb2.ModelVersionStatus.State
        options = [
            ("grpc.max_send_message_length", _LONGEST), ("grpc.max_receive_message_length", _LONGEST),
            # Our own retries come sooner than its reconnecting would.
            ("grpc.initial_reconnect_backoff_ms", 100), ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 5000),
            ("grpc.enable_http_proxy", 0),  # as REST: straight to the server
        ]
        host = f"[{place.host}]" if ":" in place.host else place.host
        target = f"{host}:{place.port}"
        if place.scheme == "grpcs":
            self._channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(), options)
        else:
            self._channel = grpc.insecure_channel(target, options)
        self._predict = prediction_service_pb2_grpc.PredictionServiceStub(self._channel).Predict
        self._status = model_service_pb2_grpc.ModelServiceStub(self._channel).GetModelStatus

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
        request = self._predict_request()
        _spell(request.model_spec, address)
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            dtype = self._tf.string if isinstance(value, list) else None
            request.inputs[name].CopyFrom(self._tf.make_tensor_proto(value, dtype))
        outputs = list(self._ask(self._predict, request, seconds).outputs.values())
        if len(outputs) != 1:
            raise Failure("UNIMPLEMENTED", "its answer is not what this signature gives")
        values = self._tf.make_ndarray(outputs[0])
        return values.tolist() if values.dtype == object else values.astype("float32", copy=False)

    def status(self, address, seconds):
        """The states of a model's versions, {version: state}."""
        request = self._status_request()
        _spell(request.model_spec, address)
        answer = self._ask(self._status, request, seconds)
        return {one.version: self._states.Name(one.state) for one in answer.model_version_status}

    def close(self):
        """Closes the channel; requests on their way end as cancelled."""
        self._channel.close()

    def _ask(self, method, request, seconds):
        try:
            return method(request, timeout=seconds)
        except self._grpc.RpcError as error:
            own = error.code() is self._grpc.StatusCode.DEADLINE_EXCEEDED  # "Deadline Exceeded" says it twice
            raise Failure(error.code().name, "" if own else error.details() or "") from error


def _spell(spec, address):
    """Writes an address into a request."""
    spec.name = address.model
    if address.version is not None:
        spec.version.value = address.version
    elif address.label is not None:
        spec.version_label = address.label
