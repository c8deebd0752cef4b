"""What a chain node has to ask others before it starts: a block to trust for state sync, and the address that peers dial."""

import ipaddress
import os
import re
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from chain_fetch import fetch_json, fetch_text, shown
from chain_files import StepError, say

__all__ = ["external_address", "trusted_block", "wait_for_services"]

_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


def wait_for_services(peers: str, seconds: float = 30) -> None:
    """Waits until the Services of peers are there, for a while.

    CometBFT resolves the names of its persistent peers once, when it starts, and never again dials one that did not resolve
    then. The program makes Services first; whoever applies rendered manifests may not.

    Args:
        peers: `persistent_peers` of config.toml; of its hosts those count that are named like Services of nodes (`hub-0-p2p`).
        seconds: How long to wait; after that the node starts without them, and the log says so.
    """
    hosts = {entry.rpartition("@")[2].rpartition(":")[0] for entry in peers.split(",")}
    missing = sorted(host for host in hosts if host.partition(".")[0].endswith("-p2p"))
    deadline, said = time.monotonic() + seconds, False
    while missing := [host for host in missing if not _resolves(host)]:
        if time.monotonic() > deadline:
            say(
                f"no such Service: {', '.join(missing)}; starting without these peers, which are not dialled until the next start"
            )
            return
        if not said:
            say(f"waiting for the Services of peers: {', '.join(missing)}")
        said = True
        time.sleep(1)


def _resolves(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, None))
    except OSError:
        return False


def trusted_block(sync: dict[str, Any], chain_id: str | None, seconds: int = 60) -> tuple[int, str]:
    """Height and header hash that a state sync starts its trust from.

    Args:
        sync: `state_sync` of node.json. What is null there is asked of its `rpc_servers`; where there are two or more, at least
            two have to answer, and all that do have to agree.
        chain_id: The chain that they must be on, where it is known.
        seconds: How long to go on asking each.

    Raises:
        StepError: too few answer, or they disagree.
    """
    height, given = sync["trust_height"], sync["trust_hash"]
    if height is not None and given is not None:
        return int(height), str(given).upper()
    servers = list(dict.fromkeys(str(server) for server in sync["rpc_servers"]))
    if height is None:
        answers = _ask(servers, "/commit", seconds)
        latest = min(_header_height(server, answer) for server, answer in answers.items())
        height = max(1, latest - int(sync["trust_offset"]))
    headers = _ask(servers, f"/commit?height={int(height)}", seconds)
    hashes: dict[str, str] = {}
    for server, answer in headers.items():
        header, commit = answer["header"], answer["commit"]
        if chain_id is not None and header.get("chain_id") != chain_id:
            raise StepError(f"{shown(_url(server))} is on chain {header.get('chain_id')!r}, not {chain_id!r}; correct rpcServers")
        hashes[server] = str(commit["block_id"]["hash"]).upper()
        if _header_height(server, answer) != int(height) or not re.fullmatch(r"[0-9A-F]{64}", hashes[server]):
            raise StepError(f"{shown(_url(server))} gives no usable header of block {height}; use another RPC server")
    if len(set(hashes.values())) > 1:
        told = ", ".join(f"{shown(_url(server))} says {value}" for server, value in hashes.items())
        raise StepError(
            f"the RPC servers disagree on block {height}: {told}; find out which lies, and set trustHeight and trustHash"
        )
    found = next(iter(hashes.values()))
    if given is not None and found != str(given).upper():
        raise StepError(f"block {height} has hash {found}, and the config says {given}; correct trustHash")
    say(f"state sync trusts block {height} with hash {found}, as {len(hashes)} RPC server(s) say")
    return int(height), found


def _ask(servers: list[str], path: str, seconds: int) -> dict[str, dict[str, Any]]:
    answers: dict[str, dict[str, Any]] = {}
    faults: list[str] = []
    for server in servers:
        try:
            answer = fetch_json(_url(server) + path, seconds=seconds)
            answers[server] = answer.get("result", answer)["signed_header"]
        except StepError as error:
            faults.append(str(error))
        except (AttributeError, KeyError, TypeError):
            faults.append(f"{shown(_url(server))} does not have the block (pruned, or no RPC of a node)")
    if len(answers) < min(2, len(servers)):
        raise StepError(f"a state sync needs the word of two RPC servers: {'; '.join(faults)}; correct rpcServers")
    return answers


def _header_height(server: str, answer: dict[str, Any]) -> int:
    try:
        return int(answer["header"]["height"])
    except (KeyError, TypeError, ValueError) as error:
        raise StepError(f"{shown(_url(server))} answers something other than a signed header; correct rpcServers") from error


def _url(server: str) -> str:
    """As CometBFT reads it: host:port alone and tcp:// mean http."""
    return re.sub(r"^(tcp://)?(?!https?://)", "http://", server).rstrip("/")


def external_address(address: dict[str, Any], env: dict[str, str] | None = None) -> str | None:
    """The host:port that peers are told to dial; None where none is announced.

    Args:
        address: `address` of node.json.
        env: HOST_IP for host; NODE_NAME, KUBERNETES_API and SERVICE_ACCOUNT_DIR for node; ADDRESS_WAIT, in seconds.

    Raises:
        StepError: there is no such address.
    """
    env = dict(os.environ) if env is None else env
    match address["from"]:
        case "none":
            return None
        case "fixed":
            host = str(address["host"])
        case "host":
            host = _address(env.get("HOST_IP", ""), "HOST_IP")
        case "node":
            host = _node_address(env)
        case "lookup":
            seconds = int(env.get("ADDRESS_WAIT", "120"))
            host = _address(fetch_text(address["url"], seconds=seconds).strip()[:100], shown(address["url"]))
        case other:
            raise StepError(f"address.from is {other!r}; it must be none, fixed, host, node or lookup")
    # a host is bracketed where it holds colons
    announced = f"[{host}]:{address['port']}" if ":" in host else f"{host}:{address['port']}"
    say(f"announcing {announced} (from: {address['from']})")
    return announced


def _address(text: str, source: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise StepError(f"{source} gives {text!r}, which is no IP address; choose another externalAddress") from error
    if address.is_unspecified or address.is_loopback:
        raise StepError(f"{source} gives {text}, which no peer can dial; choose another externalAddress")
    return text


def _node_address(env: dict[str, str]) -> str:
    name = env.get("NODE_NAME", "")
    account = Path(env.get("SERVICE_ACCOUNT_DIR", _ACCOUNT))
    try:
        token = (account / "token").read_text().strip()
    except OSError as error:
        raise StepError(
            f"no service account token in {account}, and the address of node {name} has to be asked of the API server;"
            " set automountServiceAccountToken, or choose another externalAddress"
        ) from error
    api = env.get("KUBERNETES_API", "https://kubernetes.default.svc")
    try:
        node = fetch_json(
            f"{api}/api/v1/nodes/{quote(name, safe='')}",
            headers={"Authorization": f"Bearer {token}"},
            ca_file=account / "ca.crt",
            seconds=int(env.get("ADDRESS_WAIT", "120")),
        )
    except StepError as error:
        raise StepError(
            f"{error}: the pod needs NODE_NAME from spec.nodeName, a service account whose ClusterRole has get on nodes,"
            " and NetworkPolicies that let it reach the API server"
        ) from error
    found = [entry["address"] for entry in node["status"].get("addresses", []) if entry["type"] == "ExternalIP"]
    # IPv4 first: most peers have nothing else
    for candidate in sorted(found, key=lambda text: ":" in text):
        return _address(candidate, f"node {name}")
    raise StepError(f"node {name} has no ExternalIP to announce; choose another externalAddress: hostIP, lookup or fixed")
