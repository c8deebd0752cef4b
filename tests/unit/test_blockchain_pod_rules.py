"""What a user adds to the pods of a set takes nothing of the library's."""

from chains import COMET, find, plan, pod, refusals
from set_cases import MORE, NODE_PORT, Given, beside, broken, mounted, rows

SELECTED = "is set by the library, and selectors depend on it; leave it out"
SCRIPTS = "is set by the library for its scripts; give yours another name"
TAKEN = "of the pod already; give this one another name"
LOW = "is a port that only root may open, and the node is not root; use one from 1024 on"
OURS = "the library's own; choose another path"
SOFTWARE_LABEL = "app.kubernetes.io/name"
PODS: list[tuple[Given, list[str]]] = [
    ({"labels": {SOFTWARE_LABEL: "x"}}, [f'labels["{SOFTWARE_LABEL}"]: {SELECTED}']),
    ({"labels": {"nodestead.io/set": "x"}}, [f'labels["nodestead.io/set"]: {SELECTED}']),
    ({"pod": {"labels": {"nodestead.io/node": "x"}}}, [f'pod.labels["nodestead.io/node"]: {SELECTED}']),
    (
        {"pod": {"labels": {"app.kubernetes.io/instance": "x"}}, "monitoring": {"labels": {SOFTWARE_LABEL: "x"}}},
        [f'pod.labels["app.kubernetes.io/instance"]: {SELECTED}', f'monitoring.labels["{SOFTWARE_LABEL}"]: {SELECTED}'],
    ),
    (
        {"versionedPods": [{"name": "a", "labels": {SOFTWARE_LABEL: "x"}, "containers": [{"name": "b", "image": "c:1"}]}]},
        [f'versionedPods[0].labels["{SOFTWARE_LABEL}"]: {SELECTED}'],
    ),
    (
        {"container": {"env": {"HOME": "/x"}}},
        ["container.env.HOME: is /home/operator, where the processes may write; leave it out"],
    ),
    *(
        ({"container": {"env": {name: "x"}}}, [f"container.env.{name}: {SCRIPTS}"])
        for name in ("CHAIN_HOME", "CONFIG_DIR", "DATA_DIR", "GENESIS_FILE", "ADDRBOOK_FILE", "POD_NAME", "POD_IP")
    ),
    *(({"nodes": {"0": {"env": {name: "x"}}}}, [f"nodes.0.env.{name}: {SCRIPTS}"]) for name in ("GATE", "VERSION", "FILES")),
    (
        {"container": {"env": {"START_DELAY": "9"}}},
        ["container.env.START_DELAY: is set by the library for its scripts; set signer.startDelay"],
    ),
    (
        {"software": COMET, "image": None, "container": {"env": {"CMTHOME": "/x"}}},
        ["container.env.CMTHOME: would lead the node to another home than the set's; leave it out"],
    ),
    *(
        ({field: {"kind": "script", "script": "true", "env": {name: "x"}}}, [f"{field}.env.{name}: {SCRIPTS}"])
        for field, name in (("genesis", "CHAIN_HOME"), ("addressBook", "POD_NAME"), ("snapshot", "RESTORE_DIR"))
    ),
    *(
        ({"pod": {"volumes": [{"name": name, "emptyDir": {}}]}}, [f"pod.volumes[0].name: '{name}' is a volume {TAKEN}"])
        for name in ("data", "scratch", "tmp", "defaults", "run", "keys", "secret-keys", "agents", "node", "kube-api")
    ),
    (
        {"pod": {"volumes": [{"name": "a", "emptyDir": {}}, {"name": "a", "emptyDir": {}}]}},
        [f"pod.volumes[1].name: 'a' is a volume {TAKEN}"],
    ),
    (
        {"pod": {"volumes": [{"name": "A", "emptyDir": {}}]}},
        ["pod.volumes[0].name: 'A' is no name of a volume; use at most 63 lower-case letters, digits and hyphens"],
    ),
    *(
        (beside("extraContainers", name), [f"pod.extraContainers[0].name: '{name}' is a container {TAKEN}"])
        for name in ("node", "node-h0", "node-h5200791", "health")
    ),
    *(
        (beside("initContainers", name), [f"pod.initContainers[0].name: '{name}' is a container {TAKEN}"])
        for name in ("init", "init-h10", "prepare", "node")
    ),
    (
        {"pod": {**beside("initContainers", "a")["pod"], **beside("extraContainers", "a")["pod"]}},
        [f"pod.extraContainers[0].name: 'a' is a container {TAKEN}"],
    ),
    ({"pod": {"extraContainers": [{"name": "a"}]}}, ["pod.extraContainers[0].image: is required and not given; add it"]),
    (
        mounted("mine", "/mine"),
        [
            (
                "container.volumeMounts[0].name: there is no volume 'mine'; add it to pod.volumes, or use agents, data, defaults,"
                " node, run, scratch, tmp"
            )
        ],
    ),
    (
        beside("extraContainers", "thief", volumeMounts=[{"name": "keys", "mountPath": "/k"}]),
        [
            (
                "pod.extraContainers[0].volumeMounts[0].name: there is no volume 'keys'; add it to pod.volumes, or use agents,"
                " data, defaults, node, run, scratch, tmp"
            )
        ],
    ),
    (
        {"container": {"volumeMounts": [{"name": "data", "mountPath": "/a"}, {"name": "tmp", "mountPath": "/a/"}]}},
        ["container.volumeMounts[1].mountPath: something is mounted at '/a/' already; choose another path"],
    ),
    (
        beside("initContainers", "a", volumeMounts=[{"name": "data", "mountPath": "/a"}, {"name": "tmp", "mountPath": "/a"}]),
        ["pod.initContainers[0].volumeMounts[1].mountPath: something is mounted at '/a' already; choose another path"],
    ),
    *(
        (
            MORE | mounted("more", path),
            [f"container.volumeMounts[0].mountPath: something is mounted at '{path}' already; choose another path"],
        )
        for path in (
            *("/home/operator", "/home/operator/cosmos", "/tmp", "/run/nodestead", "/run/nodestead-keys"),
            *("/etc/nodestead/agents", "//tmp/", "/x/../tmp"),
        )
    ),
    *(
        (MORE | mounted("more", path), [f"container.volumeMounts[0].mountPath: '{path}' is in {folder}, {OURS}"])
        for path, folder in (
            ("/home/operator/cosmos/wasm", "/home/operator"),
            ("/home/operator/.wallet", "/home/operator"),
            ("/tmp/x", "/tmp"),
            ("/run/nodestead/gate", "/run/nodestead"),
            ("/run/nodestead-keys/node_key.json", "/run/nodestead-keys"),
            ("/etc/nodestead", "/etc/nodestead"),
            ("/etc/nodestead/mine", "/etc/nodestead"),
            ("/defaults", "/defaults"),
            ("/defaults/h0", "/defaults"),
        )
    ),
    *(
        (MORE | mounted("more", path), [f"container.volumeMounts[0].mountPath: '{path}' is over {folder}, {OURS}"])
        for path, folder in (("/home", "/home/operator"), ("/run/", "/run/nodestead"), ("/etc", "/etc/nodestead"))
    ),
    (MORE | mounted("more", "/"), [f"container.volumeMounts[0].mountPath: '/' is over /home/operator, {OURS}"]),
    ({"ports": {"rpc": 80}}, [f"ports.rpc: 80 {LOW}"]),
    ({"ports": {"grpcWeb": 1023, "health": 1}}, [f"ports.grpcWeb: 1023 {LOW}", f"ports.health: 1 {LOW}"]),
    (
        {"container": {"ports": [{"name": "web", "port": 443}]}},
        [f"container.ports[0].port: 443 {LOW}"],
    ),
    (
        {"container": {"securityContext": {"runAsUser": 0}}, "ports": {"p2p": 80, "health": 81}},
        [f"ports.health: 81 {LOW}"],
    ),
]


@broken("pods", PODS)
def test_what_is_added_to_a_pod_takes_nothing_of_its_own(given: Given, said: list[str]) -> None:
    assert refusals(**given) == said


ALL_IN_A_POD: Given = {
    **rows((0,), (10,)),
    "type": "sentry",
    "exposure": {**NODE_PORT, "externalAddress": {"kind": "nodeExternalIP"}},
}


def test_all_that_the_library_puts_into_a_pod_is_reserved() -> None:
    spec = pod(plan(**ALL_IN_A_POD))
    (node,) = [one for one in spec["containers"] if one["name"] == "node-h10"]
    for one in spec["volumes"]:
        assert refusals(**ALL_IN_A_POD, pod={"volumes": [{"name": one["name"], "emptyDir": {}}]})
    for one in [*spec["initContainers"], *spec["containers"]]:
        assert refusals(**ALL_IN_A_POD, **beside("extraContainers", one["name"]))
    for one in node["env"]:
        assert refusals(**ALL_IN_A_POD, container={"env": {one["name"]: "x"}}), one
    (prepare,) = [one for one in spec["initContainers"] if one["name"] == "prepare"]
    for one in prepare["env"]:
        assert refusals(**ALL_IN_A_POD, snapshot={"kind": "script", "script": "true", "env": {one["name"]: "x"}}), one
    for one in node["volumeMounts"]:
        assert refusals(**ALL_IN_A_POD, **mounted("data", one["mountPath"]))
        assert refusals(**ALL_IN_A_POD, **mounted("data", f"{one['mountPath']}/x"))
    for one in node["ports"]:
        assert refusals(**ALL_IN_A_POD, container={"ports": [{"name": one["name"], "port": 5000}]})
    for key in find(plan(**ALL_IN_A_POD), "StatefulSet", "hub-0")["spec"]["template"]["metadata"]["labels"]:
        assert refusals(**ALL_IN_A_POD, labels={key: "x"})
