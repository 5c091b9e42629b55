"""The manifests: valid by the API's own schemas, and as closed as they claim to be."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
VERSION = "1.33"  # and the newest that the validator knows


def documents() -> list[Any]:
    found = [
        document
        for path in sorted(FOLDER.glob("*.yaml"))
        if path.name != "kustomization.yaml"
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]
    assert len(found) > 8
    return found


DOCUMENTS = documents()
PODS = [item for item in DOCUMENTS if item["kind"] in {"Deployment", "Job"}]


def named(document: Any) -> str:
    return f"{document['kind']}/{document['metadata']['name']}"


@pytest.mark.parametrize("version", [VERSION, kubernetes_validate.latest_version()])
@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_a_manifest_is_valid(document: Any, version: str) -> None:
    kubernetes_validate.validate(document, version, strict=True)


def test_the_validator_can_say_no() -> None:
    (deployment,) = [item for item in DOCUMENTS if item["kind"] == "Deployment"]
    wrong = yaml.safe_load(yaml.safe_dump(deployment))
    wrong["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readonlyRootFilesystem"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSION, strict=True)


def test_the_kustomization_names_every_manifest_that_stays() -> None:
    named_there = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    there = {path.name for path in FOLDER.glob("*.yaml")}
    # Applied by hand: before the rest, and once a version.
    assert set(named_there) == there - {"kustomization.yaml", "secret.example.yaml", "migration.yaml"}


@pytest.mark.parametrize("document", PODS, ids=named)
def test_pods_meet_the_restricted_standard_and_more(document: Any) -> None:
    spec = document["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 10001
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    # A Service of our name would set GATEPOST_PORT to something else.
    assert spec["enableServiceLinks"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]
    assert not [
        item for item in container.get("env", []) if "SECRET_KEY" in item["name"] or "URL" in item["name"]
    ]


def test_v13_3_2_the_service_does_not_have_the_owners_password() -> None:
    given = {}
    for document in PODS:
        volumes = document["spec"]["template"]["spec"]["volumes"]
        given[document["kind"]] = {item["secret"]["secretName"] for item in volumes if "secret" in item}
        assert {item["secret"]["defaultMode"] for item in volumes if "secret" in item} == {0o440}
    assert given == {"Deployment": {"gatepost"}, "Job": {"gatepost-owner"}}


def test_v13_2_5_traffic_is_named_in_both_directions() -> None:
    (policy,) = [item["spec"] for item in DOCUMENTS if item["kind"] == "NetworkPolicy"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    for rule in [*policy["ingress"], *policy["egress"]]:
        assert rule["ports"]
        assert all(
            peer.get("namespaceSelector", {}).get("matchLabels") for peer in rule.get("from", rule.get("to"))
        )
    assert sorted({port["port"] for rule in policy["egress"] for port in rule["ports"]}) == [53, 5432, 6379]
    (labels,) = [
        item["spec"]["template"]["metadata"]["labels"] for item in PODS if item["kind"] == "Deployment"
    ]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()


def test_selectors_find_the_pods_of_the_service_and_no_others() -> None:
    labels = {item["kind"]: item["spec"]["template"]["metadata"]["labels"] for item in PODS}
    selectors = [
        item["spec"]["selector"].get("matchLabels", item["spec"]["selector"])
        for item in DOCUMENTS
        if item["kind"] in {"Deployment", "Service", "PodDisruptionBudget"}
    ]
    assert len(selectors) == 3
    for selector in selectors:
        assert selector.items() <= labels["Deployment"].items()
        assert not selector.items() <= labels["Job"].items()
