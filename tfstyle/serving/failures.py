"""What goes wrong between a client and its server, as sentences for people."""

import re

from tfstyle.checks import InputError

__all__ = ["Failure", "ServingError", "plain", "translated"]

# What the server itself says of requests that do not suit a model, which no other picture would cure.
_MISFIT = re.compile(r"signature|servable|JSON|tensor alias|serving key", re.IGNORECASE)
_ROOTS = re.compile(
    r"root error\(s\) found\.\s*\(0\)\s*(?:[A-Z_ ]+:)?(.*?)(?:\s\(1\)\s|\d+ successful operations|$)", re.DOTALL
)
_TRACE = re.compile(r"\[\[|\[Op:|\bDetected at node|\bStack trace for op|\bErrors may have originated")
_LONGEST = 400


class ServingError(RuntimeError):
    """A server that cannot be reached, lacks the model, takes too long or fails.

    `str(error)` is one sentence saying what happened and what to do about it.
    """


class Failure(Exception):
    """What a transport raises, whatever it was.

    Attributes:
        code: name of a gRPC status, such as "UNAVAILABLE"; of HTTP's, the one that TensorFlow Serving turns into it.
        message: the server's own words, or the system's.
    """

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


def plain(message):
    """A server's words without names of graph nodes, brackets of assertions and traces; one line, no full stop."""
    message = re.sub(r"\{\{(?:function_node|node) [^}]*\}\}", " ", message)
    if root := _ROOTS.search(message):  # several nodes have failed: the first speaks for all
        message = root[1]
    message = " ".join(_TRACE.split(message)[0].split())
    told, found, rest = message.partition("assertion failed: ")
    if found and rest.startswith("[") and not told.strip(" :"):  # [sentence] [value] ...
        message = " ".join(re.split(r"\]\s*\[", rest.strip()[1:].removesuffix("]")))
    message = message.strip().rstrip(".")
    return message if len(message) <= _LONGEST else f"{message[:_LONGEST]}..."


def translated(failure, url, address, seconds, attempts):
    """A failure as the error that the caller is told.

    Args:
        failure: the last one, if there were several.
        url, address: of the server, and the `Address` of the model that was asked.
        seconds: that the call was given.
        attempts: how often the server was asked.

    Returns:
        `InputError` for what the model refuses; `ServingError` for all else.
    """
    code, said = failure.code, plain(failure.message)
    reason = f" ({said})" if said else ""
    misfit = bool(_MISFIT.search(said))
    if code in ("INVALID_ARGUMENT", "OUT_OF_RANGE") and said and not misfit and "different shapes" not in said:
        return InputError(f"The server refuses this: {said}.")
    if code == "UNAVAILABLE":
        tried = "once" if attempts == 1 else f"{attempts} times"
        sentence = f"cannot be reached{reason}, tried {tried}; check that it runs and that this is its address"
    elif code == "DEADLINE_EXCEEDED":
        sentence = "has not answered in time" + (
            f"{reason}: it gave up before we did; use a smaller size or raise its --rest_api_timeout_in_ms"
            if said and url.startswith("http") else f" ({seconds:g} s); use a smaller size or a longer timeout"
        )
    elif code == "NOT_FOUND":
        sentence = f"has no {address}{reason}; check the name, and what it serves (its models.config)"
    elif code == "RESOURCE_EXHAUSTED":
        sentence = f"has no room for this{reason}; use a smaller size or fewer requests at a time"
    elif code in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        sentence = f"does not let us in{reason}; ask those who run it"
    elif "different shapes" in said:
        sentence = "joins pictures of unlike sizes, which it cannot; send files, or turn its batching off"
    elif misfit or code in ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "UNIMPLEMENTED"):
        sentence = f"has another kind of {address}{reason}; serve the one that tfstyle export writes"
    else:
        sentence = f"failed{reason or f' ({code})'}; see its log"
    return ServingError(f"The server at {url} {sentence}.")
