"""The RayJob against the command line, Ray's own flags, the volume and its Dockerfile. No cluster is needed."""

import pathlib
import re
import shlex
import subprocess

import pytest

from tfstyle.batch.settings import RaySettings
from tfstyle.cli import batch, flags, main

yaml = pytest.importorskip("yaml")
FOLDER = "kubernetes/ray"


@pytest.fixture(scope="module")
def job(read):
    (made,) = yaml.safe_load_all(read(f"{FOLDER}/rayjob.yaml"))
    return made


@pytest.fixture(scope="module")
def pods(job):
    """{"head" or "worker": (group, pod, its only container)}"""
    cluster = job["spec"]["rayClusterSpec"]
    (workers,) = cluster["workerGroupSpecs"]
    found = {}
    for name, group in (("head", cluster["headGroupSpec"]), ("worker", workers)):
        pod = group["template"]["spec"]
        (only,) = pod["containers"]
        found[name] = group, pod, only
    return found


@pytest.fixture(scope="module")
def entrypoint(job):
    """The entrypoint as it comes to the head: KubeRay has the submitter's shell read it, and Ray quotes the words."""
    script = f"if ! false ; then printf '%s\\0' {job['spec']['entrypoint']} ; fi ;"
    done = subprocess.run(["bash", "-ce", script], capture_output=True, text=True, check=True)
    return shlex.join(done.stdout.split("\0")[:-1])


@pytest.fixture(scope="module")
def command(entrypoint):
    """The parsed command line."""
    shell, flag, script = shlex.split(entrypoint)
    assert (shell, flag) == ("sh", "-c")
    program, *words = shlex.split(script.split(" | ")[0])
    assert program == "tfstyle"
    taken = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch, "run", lambda args: taken.append(args) or 0)
        assert main(words) == 0
    return taken[0]


@pytest.mark.parametrize("version", ["1.25", "1.37"])
def test_schemas_of_what_kubernetes_knows(read, pods, version):
    kubernetes = pytest.importorskip("kubernetes_validate")
    kubernetes.validate(yaml.safe_load(read(f"{FOLDER}/volume.yaml")), version, strict=True)
    for name, (group, _, _) in pods.items():
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name} | group["template"]["metadata"],
               "spec": group["template"]["spec"]}
        kubernetes.validate(pod, version, strict=True)
        pod["spec"] = pod["spec"] | {"volume": []}
        with pytest.raises(kubernetes.ValidationError):
            kubernetes.validate(pod, version, strict=True)


def test_fields_of_kuberay(job, pods):
    """Those of ray.io/v1 that are used here, by its reference; a misspelled one would be ignored or refused."""
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert job["spec"].keys() == {
        "entrypoint", "backoffLimit", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished", "rayClusterSpec"
    }
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster.keys() == {"rayVersion", "authOptions", "headGroupSpec", "workerGroupSpecs"}
    assert cluster["authOptions"] == {"mode": "token"} and re.fullmatch(r"2\.\d+\.\d+", cluster["rayVersion"])
    assert pods["head"][0].keys() == {"rayStartParams", "template"}
    assert pods["worker"][0].keys() == {
        "groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"
    }
    assert pods["head"][0]["rayStartParams"] == {"num-cpus": "0"} and pods["worker"][0]["rayStartParams"] == {}


def test_the_command(command, pods):
    settings = RaySettings(**flags.given(command, RaySettings))
    group, pod, worker = pods["worker"]
    assert command.ray_address == "auto" and command.json and command.pattern.endswith("*.jpg")
    cores = int(worker["resources"]["limits"]["cpu"])
    assert settings.actors[-1] * settings.cpus == group["maxReplicas"] * cores
    assert int(worker["resources"]["limits"]["memory"].removesuffix("Gi")) >= 2 * cores / settings.cpus
    for path in (command.pattern, *command.style, command.output):
        assert path.startswith("/data/")


LEFT = '{\n "failed": [\n  {\n   "photo": "\\"left\\": 0,"\n  }\n ],\n "left": %s,\n "interrupted": false\n}'


@pytest.mark.parametrize(("told", "code", "good"), [
    (LEFT % 0, 0, True),
    (LEFT % 0, 1, True),  # some have failed
    (LEFT % 3, 1, False),  # the disk is full
    (LEFT % 10, 130, False),
    ("", 1, False),  # a crash
    ('{"error": "There is no STYLE picture; name one.", "exit_code": 2}', 2, False),
])
def test_when_the_job_has_succeeded(entrypoint, tmp_path, monkeypatch, told, code, good):
    program = tmp_path / "tfstyle"
    program.write_text(f"#!/bin/sh\nprintf '%s' {shlex.quote(told)}\nexit {code}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    done = subprocess.run(entrypoint, shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is good and done.stderr == ""


def test_all_pods_see_the_same_disk(read, pods):
    claim = yaml.safe_load(read(f"{FOLDER}/volume.yaml"))
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    for _, pod, only in pods.values():
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        mounts = {mount["mountPath"]: mount["name"] for mount in only["volumeMounts"]}
        assert mounts.keys() == {"/data", "/dev/shm"} and set(mounts.values()) == volumes.keys()
        assert volumes[mounts["/data"]]["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"]}
        assert volumes[mounts["/dev/shm"]]["emptyDir"]["medium"] == "Memory"


def test_pods_may_do_little(pods):
    images = {only["image"] for _, _, only in pods.values()}
    assert len(images) == 1  # one Python, Ray and tfstyle
    for _, pod, only in pods.values():
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 1000
        assert only["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        assert only["resources"]["requests"] == only["resources"]["limits"]


def test_dockerfile(deploy, read):
    text, root = read(f"{FOLDER}/Dockerfile"), deploy.parent
    copied = [word for line in re.findall(r"^COPY (.+)$", text, re.M) for word in line.split()[:-1]]
    assert all((root / name).exists() for name in copied)
    ignored = read(f"{FOLDER}/Dockerfile.dockerignore").split()
    assert ignored[0] == "*" and sorted(word.removeprefix("!") for word in ignored[1:]) == sorted(copied)
    assert "USER 1000" in text and '"/src[ray]"' in text
    for name in ("README.md", "LICENSE", "NOTICE"):  # that setup.cfg names
        assert name in copied and name in (root / "setup.cfg").read_text(encoding="utf-8")


def test_one_version_of_ray(deploy, read, job):
    pinned = job["spec"]["rayClusterSpec"]["rayVersion"]
    text = read(f"{FOLDER}/Dockerfile")
    assert re.findall(r"^ARG RAY_VERSION=(.+)$", text, re.M) == [pinned] and '"ray[default,data]==$RAY_VERSION"' in text
    (floor,) = re.findall(r"ray\[data\]>=([\d.]+)", (deploy.parent / "setup.cfg").read_text(encoding="utf-8"))
    version, least = (tuple(map(int, one.split("."))) for one in (pinned, floor))
    assert version >= least >= (2, 52)  # the first that knows tokens


def test_the_guide_names_files_that_are_there(deploy):
    guide = deploy.parent / "docs" / "scaling.md"
    text = guide.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", text):
        assert (guide.parent / link).exists(), link
    for word in re.findall(r"(?<!tests/)deploy/[\w./-]+[\w]", text):
        assert (deploy.parent / pathlib.PurePath(word)).exists(), word
