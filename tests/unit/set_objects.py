"""What the tests of a set's objects share."""

import base64
from typing import Any

from chains import SEED, deployed, find

from nodestead.chain_keys import node_id

SELECTOR = {
    "app.kubernetes.io/instance": "hub",
    "app.kubernetes.io/part-of": "nodestead",
    "nodestead.io/set": "blockchain-node-set",
}
KEPT = {"pulumi.com/patchForce": "true", "pulumi.com/skipAwait": "true"}
IDS = [node_id(SEED, ordinal, 1) for ordinal in range(4)]
NODE_PORT: dict[str, Any] = {"kind": "nodePort"}
BALANCER: dict[str, Any] = {"kind": "loadBalancer"}


class Later:
    """A value of another resource."""

    def apply(self, _: Any, /) -> Any:
        raise AssertionError("no plan may wait for a value of another resource")


def data_of(planned: Any, name: str) -> dict[str, str]:
    return {entry: base64.b64decode(deployed(value)).decode() for entry, value in find(planned, "Secret", name)["data"].items()}
