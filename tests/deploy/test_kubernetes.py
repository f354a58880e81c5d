"""The Kubernetes manifests against the schemas, each other and what the server reads. No cluster is needed."""

import copy
import os
import pathlib
import re
import shutil
import subprocess

import pytest

yaml = pytest.importorskip("yaml")
MODELS = ("arbitrary", "gatys")
KUBERNETES = ("1.25", "1.37")  # the schemas that the manifests are held against
KINDS = ("Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget")


@pytest.fixture(scope="module")
def manifests(deploy):
    """Reads {(kind, name): manifest} from the folder, its texts edited."""

    def parsed(edit=str):
        found = {}
        for path in sorted((deploy / "kubernetes").glob("*.yaml")):
            for made in yaml.safe_load_all(edit(path.read_text(encoding="utf-8"))):
                key = made["kind"], made["metadata"]["name"]
                assert key not in found
                found[key] = made
        return found

    return parsed


@pytest.fixture(scope="module")
def parts(manifests):
    """{model: {kind: manifest}}"""
    made = manifests()
    assert sorted(made) == sorted((kind, f"tfstyle-{model}") for kind in KINDS for model in MODELS)
    return {model: {kind: made[kind, f"tfstyle-{model}"] for kind in KINDS} for model in MODELS}


def container(deployment):
    (only,) = deployment["spec"]["template"]["spec"]["containers"]
    return only


@pytest.mark.parametrize("version", KUBERNETES)
def test_schemas(manifests, batching_on, version):
    kubernetes = pytest.importorskip("kubernetes_validate")
    for edit in (str, batching_on):
        for made in manifests(edit).values():
            kubernetes.validate(made, version, strict=True)
    broken = copy.deepcopy(manifests()["Deployment", "tfstyle-gatys"])
    container(broken)["livenessProbe"]["failureTreshold"] = 3
    with pytest.raises(kubernetes.ValidationError):
        kubernetes.validate(broken, version, strict=True)


def test_apis(parts):
    for made in parts.values():
        assert [made[kind]["apiVersion"] for kind in KINDS] == ["apps/v1", "v1", "autoscaling/v2", "policy/v1"]


def test_selectors_and_targets_meet_their_pods(parts):
    seen = []
    for model, made in parts.items():
        template = made["Deployment"]["spec"]["template"]
        labels = template["metadata"]["labels"]
        assert labels == {"app.kubernetes.io/name": "tfstyle", "app.kubernetes.io/component": model}
        assert made["Deployment"]["spec"]["selector"] == {"matchLabels": labels}
        assert made["PodDisruptionBudget"]["spec"]["selector"] == {"matchLabels": labels}
        assert made["Service"]["spec"]["selector"] == labels
        target = made["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
        assert target == {key: made["Deployment"][key] for key in ("apiVersion", "kind")} | {
            "name": made["Deployment"]["metadata"]["name"]
        }
        assert "replicas" not in made["Deployment"]["spec"]  # it would undo the autoscaler at each apply
        scaled = made["HorizontalPodAutoscaler"]["spec"]
        assert 1 <= scaled["minReplicas"] < scaled["maxReplicas"]
        assert container(made["Deployment"])["resources"]["requests"].keys() >= {"cpu"}  # what it measures by
        seen.append(labels)
    assert seen[0] != seen[1]


def test_ports_and_probes(parts, read, flags_of, configured):
    for model, made in parts.items():
        only = container(made["Deployment"])
        flags = flags_of(only["args"])
        ports = {port["name"]: port["containerPort"] for port in only["ports"]}
        assert ports == {"grpc": int(flags["port"]), "rest": int(flags["rest_api_port"])}
        assert {port["targetPort"]: port["port"] for port in made["Service"]["spec"]["ports"]} == ports
        (served,) = configured(read(pathlib.PurePath(flags["model_config_file"]).name))
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert only[probe]["httpGet"] == {"path": f"/v1/models/{served}", "port": "rest"}
        assert served == model
        notes = made["Deployment"]["spec"]["template"]["metadata"]["annotations"]
        assert int(notes["prometheus.io/port"]) == ports["rest"]
        assert notes["prometheus.io/path"] in read("monitoring.config")


def test_no_call_is_cut_off(parts, flags_of):
    """A pod lives on, and is not taken for dead, for longer than the longest call that its server allows."""
    for made in parts.values():
        only, pod = container(made["Deployment"]), made["Deployment"]["spec"]["template"]["spec"]
        longest = int(flags_of(only["args"])["rest_api_timeout_in_ms"]) / 1000
        alive = only["livenessProbe"]
        assert alive["failureThreshold"] * alive["periodSeconds"] > longest
        command, seconds = only["lifecycle"]["preStop"]["exec"]["command"]
        assert command == "sleep" and longest < int(seconds) < pod["terminationGracePeriodSeconds"]


def test_pods_may_do_little(parts):
    for made in parts.values():
        pod, only = made["Deployment"]["spec"]["template"]["spec"], container(made["Deployment"])
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert only["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }
        assert only["resources"]["requests"].keys() == only["resources"]["limits"].keys() == {"cpu", "memory"}
        assert made["Service"]["spec"]["type"] == "ClusterIP"  # nobody is asked for a name


def test_what_is_mounted_is_generated(deploy, read, manifests, batching_on, flags_of):
    made = yaml.safe_load(read("kustomization.yaml"))
    files = (deploy / "kubernetes").glob("*.yaml")
    assert sorted(made["resources"]) == sorted(f"kubernetes/{path.name}" for path in files)
    (generated,) = made["configMapGenerator"]
    assert all((deploy / name).is_file() for name in generated["files"])
    (image,) = made["images"]
    for edited in (manifests(), manifests(batching_on)):
        for model in MODELS:
            deployment = edited["Deployment", f"tfstyle-{model}"]
            only, pod = container(deployment), deployment["spec"]["template"]["spec"]
            volumes = {volume["name"]: volume for volume in pod["volumes"]}
            mounts = {mount["mountPath"]: mount for mount in only["volumeMounts"]}
            assert volumes.keys() == {mount["name"] for mount in mounts.values()}
            assert volumes[mounts["/config"]["name"]]["configMap"] == {"name": generated["name"]}
            assert only["image"] == image["name"] and re.fullmatch(r"\S+", image["newTag"])
            files = [v for k, v in flags_of(only["args"]).items() if k.endswith("_file")]
            assert {pathlib.PurePath(file).name for file in files} <= set(generated["files"])
            assert {str(pathlib.PurePath(file).parent) for file in files} == {"/config"}
            assert ("enable_batching" in flags_of(only["args"])) <= (model == "arbitrary")
    assert "enable_batching" in flags_of(container(edited["Deployment", "tfstyle-arbitrary"])["args"])


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl, though no cluster")
def test_kustomize_puts_it_together(deploy, read):
    done = subprocess.run(
        ["kubectl", "kustomize", deploy], capture_output=True, text=True, env=os.environ | {"KUBECONFIG": os.devnull}
    )
    assert done.returncode == 0, done.stderr
    made = list(yaml.safe_load_all(done.stdout))
    assert len(made) == 1 + len(KINDS) * len(MODELS)
    (generated,) = (one for one in made if one["kind"] == "ConfigMap")
    assert re.fullmatch(r"tfstyle-config-\w+", generated["metadata"]["name"])
    assert generated["data"]["gatys.config"] == read("gatys.config")
    for one in made:
        if one["kind"] == "Deployment":
            volumes = one["spec"]["template"]["spec"]["volumes"]
            assert {"name": "config", "configMap": {"name": generated["metadata"]["name"]}} in volumes
            assert container(one)["image"] == "tfstyle-serving:1"
