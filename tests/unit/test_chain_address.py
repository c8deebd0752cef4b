"""The address that a chain node announces: where it is known from, and what nobody could dial."""

import json
from typing import Any

import pytest
from chain_agents import Pod, Resource, Web
from chain_homes import config


@pytest.mark.parametrize(
    ("address", "announced"),
    [
        ({"from": "none"}, ""),
        ({"from": "fixed", "host": "hub.example.org", "port": 26656}, "hub.example.org:26656"),
        ({"from": "fixed", "host": "2001:db8::1", "port": 26656}, "[2001:db8::1]:26656"),
        ({"from": "host", "port": 30100}, "203.0.113.7:30100"),
        ({"from": "lookup", "url": "{web}/ip", "port": 30100}, "203.0.113.8:30100"),
        ({"from": "node", "port": 30100}, "203.0.113.9:30100"),
    ],
)
def test_the_announced_address_comes_from_where_it_is_known(pod: Pod, web: Web, address: dict[str, Any], announced: str) -> None:
    account = pod.root / "account"
    account.mkdir()
    (account / "token").write_text("token-1\n")
    addresses = [
        {"type": "InternalIP", "address": "10.0.0.1"},
        {"type": "ExternalIP", "address": "2001:db8::9"},
        {"type": "ExternalIP", "address": "203.0.113.9"},
    ]
    web.files["/api/v1/nodes/node-1"] = Resource(json.dumps({"status": {"addresses": addresses}}).encode())
    web.files["/ip"] = Resource(b"203.0.113.8\n")
    pod.node["address"] = {**address, "url": address.get("url", "").replace("{web}", web.url)}
    env = {"HOST_IP": "203.0.113.7", "NODE_NAME": "node-1", "KUBERNETES_API": web.url, "SERVICE_ACCOUNT_DIR": str(account)}
    pod.prepare(env)
    assert config(pod)["p2p"]["external_address"] == announced
    if address["from"] == "node":
        assert web.headers["Authorization"] == "Bearer token-1"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ({"from": "host", "port": 1}, "HOST_IP gives '', which is no IP address"),
        ({"from": "lookup", "url": "{web}/html", "port": 1}, "/html gives '<html>', which is no IP address"),
        ({"from": "lookup", "url": "{web}/loop", "port": 1}, "gives 127.0.0.1, which no peer can dial"),
        ({"from": "lookup", "url": "{web}/none", "port": 1}, "/none does not answer (404 Not Found)"),
        ({"from": "node", "port": 1}, "node node-1 has no ExternalIP to announce; choose another externalAddress"),
    ],
)
def test_an_address_that_nobody_could_dial_is_refused(pod: Pod, web: Web, address: dict[str, Any], said: str) -> None:
    (pod.root / "token").write_text("token-1\n")
    web.files |= {"/html": Resource(b"<html>"), "/loop": Resource(b"127.0.0.1")}
    web.files["/api/v1/nodes/node-1"] = Resource(b'{"status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]}}')
    pod.node["address"] = {**address, "url": address.get("url", "").replace("{web}", web.url)}
    assert said in pod.refusal({"NODE_NAME": "node-1", "KUBERNETES_API": web.url, "SERVICE_ACCOUNT_DIR": str(pod.root)})


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_the_api_server_refuses_is_told_with_its_remedy(pod: Pod, web: Web, status: int) -> None:
    (pod.root / "token").write_text("token-1\n")
    web.files["/api/v1/nodes/node-1"] = Resource(b"", statuses=[status])
    pod.node["address"] = {"from": "node", "port": 1}
    refusal = pod.refusal({"NODE_NAME": "node-1", "KUBERNETES_API": web.url, "SERVICE_ACCOUNT_DIR": str(pod.root)})
    assert f"does not answer ({status} " in refusal
    assert "get on nodes" in refusal
    assert "token-1" not in refusal
