"""Servers of both APIs over models of next to nothing, and clients of both."""

import importlib.util
import pathlib

import pytest

from tfstyle.serving import Client


def beside(name):
    """A module of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(f"serving_{name}", pathlib.Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def servers():
    """tests/serving/servers.py; without the packages of tfstyle[grpc] there is nothing to test with."""
    pytest.importorskip("tensorflow_serving.apis", reason="needs tfstyle[grpc]")
    return beside("servers")


@pytest.fixture(scope="session")
def tiny():
    """tests/serving/tiny.py"""
    return beside("tiny")


@pytest.fixture(scope="session")
def models(servers, tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    tiny.write(folder)
    return {name: servers.Model(folder / name / "1") for name in ("arbitrary", "gatys")}


@pytest.fixture(scope="session")
def served(servers, models):
    """(engine, {"http": address, "grpc": address})"""
    engine = servers.Engine(models)
    with servers.rest_server(engine) as rest, servers.grpc_server(engine) as grpc:
        yield engine, {"http": rest, "grpc": grpc}


@pytest.fixture
def engine(served):
    """What both servers ask, with nothing in store and nothing asked yet."""
    served[0].script.clear()
    served[0].asked.clear()
    yield served[0]
    served[0].script.clear()


@pytest.fixture
def urls(served):
    """{"http": address, "grpc": address}"""
    return served[1]


@pytest.fixture(params=["http", "grpc"])
def url(request, urls):
    """The address of each server in turn."""
    return urls[request.param]


@pytest.fixture
def client(url, engine):
    with Client(url, backoff=0.001) as client:
        yield client


@pytest.fixture
def trouble():
    """Calls a function that must find its server wanting, and returns the one sentence."""
    from tfstyle.serving import ServingError

    def call(function, *args, **options):
        with pytest.raises(ServingError) as error:
            function(*args, **options)
        assert "\n" not in str(error.value) and str(error.value)[-1] == "."
        return str(error.value)

    return call
