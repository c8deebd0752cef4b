"""Who may connect to the nodes of a set from inside the cluster's network."""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field

from nodestead.config.base import Deferred, Model, Problem, many
from nodestead.config.fragments import Fragment

__all__ = ["NetworkPolicyConfig"]

_Peers = tuple[Annotated[dict[str, Any], Fragment("NetworkPolicyPeer")], ...]


class NetworkPolicyConfig(Model):
    """A NetworkPolicy that opens the ports for peers to all, the API and the metrics to those named, and closes the rest.

    Peers of a policy are addresses or labels of pods and namespaces; it knows no host names. The API is open to the
    set's own pods and to pods of the namespace with the label `nodestead.io/api-client: "true"`.
    """

    enabled: bool = Field(
        default=True, description="False leaves every port open to the whole cluster; the API asks nobody who they are."
    )
    api_from: _Peers = many(
        description="Others that may call the API, as a NetworkPolicy names them: ipBlock, podSelector, namespaceSelector."
    )
    metrics_from: _Peers = many(description="Others that may read the metrics, besides the namespaces of monitoring.from.")

    def problems(self) -> Iterator[Problem]:
        """What the API server would refuse of a peer."""
        for key, peers in (("apiFrom", self.api_from), ("metricsFrom", self.metrics_from)):
            for index, peer in enumerate(peers):
                yield from (Problem([key, index, *problem.path], problem.message) for problem in _peer_problems(peer))


def _peer_problems(peer: Mapping[str, Any]) -> Iterator[Problem]:
    if not peer:
        yield Problem([], "names nobody; give ipBlock, podSelector or namespaceSelector ({} selects all)")
    if "ipBlock" not in peer:
        return
    if len(peer) > 1:
        yield Problem(["ipBlock"], "stands alone; write addresses and selectors as two entries of the list")
    cidr, holes = peer["ipBlock"]["cidr"], peer["ipBlock"].get("except", ())
    network = _network(cidr)
    if network is None and not isinstance(cidr, Deferred):
        yield Problem(["ipBlock", "cidr"], f"{cidr!r} is not a CIDR; write it as 192.0.2.0/24, a single address with /32")
    for index, text in enumerate(holes):
        hole = _network(text)
        if hole is None and not isinstance(text, Deferred):
            yield Problem(["ipBlock", "except", index], f"{text!r} is not a CIDR; write it as 192.0.2.0/28")
        elif hole is not None and network is not None and not _is_inside(hole, network):
            yield Problem(["ipBlock", "except", index], f"{text} is no part of {cidr}; name a smaller block inside it")


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(text: str | Deferred) -> _Network | None:
    """A block of addresses; None where the text is none, or known only at deploy time."""
    try:
        return ipaddress.ip_network(text, strict=False) if isinstance(text, str) and re.search(r"/\d+$", text) else None
    except ValueError:
        return None


def _is_inside(hole: _Network, network: _Network) -> bool:
    return hole.prefixlen > network.prefixlen and hole.network_address in network
