"""Names of objects: one pure function for each kind, so that users and peers can compute what they address."""

__all__ = [
    "GUARD",
    "LONGEST_LABEL",
    "LONGEST_WORKLOAD",
    "claim_name",
    "guard_name",
    "key_secret_name",
    "node_name",
    "p2p_service_name",
    "peer_service_name",
    "pod_name",
    "privval_service_name",
    "rpc_service_name",
    "service_name",
]

GUARD = "nodestead-key-"
"""How the names of all ConfigMaps begin that hold a consensus key."""

LONGEST_LABEL = 63
# The label controller-revision-hash holds the name, a hyphen and up to ten digits (kubernetes/kubernetes#64023).
LONGEST_WORKLOAD = 52


def node_name(set_name: str, ordinal: int, *, prettified: bool = False) -> str:
    """Name of a node and its StatefulSet: `codex-1`, or `codex` where the only node was to be prettified."""
    return set_name if prettified else f"{set_name}-{ordinal}"


def pod_name(workload: str, pod_ordinal: int) -> str:
    """Name of a pod, which is also its host name: `codex-1-1`."""
    return f"{workload}-{pod_ordinal}"


def claim_name(pod: str) -> str:
    """Name of the claim with a pod's data, as a StatefulSet's claim template would call it: `data-codex-1-1`."""
    return f"data-{pod}"


def service_name(node: str, pod: str, *, prettify: bool = True) -> str:
    """Name of the ClusterIP Service for API and metrics: `codex-1-service`, or `codex-1-1-service`."""
    return f"{node if prettify else pod}-service"


def peer_service_name(node: str, pod: str, exposure: str, *, prettify: bool = True) -> str:
    """Name of the Service for peers: `codex-1-nodeport` or `codex-1-loadbalancer`."""
    return f"{node if prettify else pod}-{exposure.lower()}"


def key_secret_name(owner: str, generation: int) -> str:
    """Name of the Secret with a node's key; another generation is another Secret, so an old key is never overwritten."""
    return f"{owner}-key-g{generation}"


def p2p_service_name(node: str) -> str:
    """Name of the Service of a chain's node, by which its peers dial it: `hub-0-p2p`."""
    return f"{node}-p2p"


def privval_service_name(node: str) -> str:
    """Name of the Service that a remote signer dials: `hub-0-privval`."""
    return f"{node}-privval"


def rpc_service_name(set_name: str) -> str:
    """Name of the Service over all ready nodes of a chain: `hub-rpc`."""
    return f"{set_name}-rpc"


def guard_name(address: str) -> str:
    """Name of the ConfigMap that a set makes to hold a consensus key: the same for the same key, whoever holds it.

    Args:
        address: The consensus address, 40 hexadecimal digits.
    """
    return f"{GUARD}{address.lower()}"
