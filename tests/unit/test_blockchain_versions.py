"""The versions of a set: each block has one, and each has a pinned image."""

from chains import COMET, COSMOS, HUB, IMAGE, OSMOSIS, refusals
from set_cases import BARE, DIGEST, ON_ROCKS, Given, broken, rows

ROCKSDB = (
    "software.databaseBackend: versions and halts go by the height, which only the node itself can read from rocksdb; use"
    " goleveldb or pebbledb, or one version"
)
VERSIONS: list[tuple[Given, list[str]]] = [
    ({"versions": {"preset": True}}, ["versions.preset: the chain has no preset with versions; list them"]),
    (
        {"software": HUB, "versions": {"preset": True}, "image": BARE},
        [
            (
                "versions.preset: the preset knows no height after v22.0.0, and v27.6.0 is what runs now: a node would run an"
                " old binary; list the versions"
            )
        ],
    ),
    ({**rows((0,), (10,)), "software": ON_ROCKS}, [ROCKSDB]),
    ({**rows((0, 9)), "software": ON_ROCKS}, [ROCKSDB]),
    ({"software": {**ON_ROCKS, "app": {"haltHeight": 9}}}, [ROCKSDB]),
    ({"versions": []}, ["versions: is empty; leave it out, or list at least one"]),
    (
        {**rows((0,), (10,)), "software": {**COSMOS, "app": {"haltHeight": 5}}},
        ["software.app.haltHeight: cannot be set together with versions; set haltHeight of a version"],
    ),
    (
        {**rows((0,), (10,)), "software": {**COSMOS, "shell": False}},
        [
            (
                "versions: an image without a shell cannot wait for its height, and its binary cannot leave it; use an image"
                " with sh, or one version, changed by an update at its height"
            )
        ],
    ),
    (
        {**rows((0, 9)), "software": {**COSMOS, "shell": False}},
        [
            (
                "versions: an image without a shell cannot wait for its height, and its binary cannot leave it; use an image"
                " with sh, or one version, changed by an update at its height"
            )
        ],
    ),
    (
        {"software": {**COSMOS, "shell": False, "app": {"haltHeight": 5}}},
        [
            (
                "versions: an image without a shell cannot wait for its height, and its binary cannot leave it; use an image"
                " with sh, or one version, changed by an update at its height"
            )
        ],
    ),
    (rows((10,), (10,)), ["versions[1].height: 10 does not follow 10; list them in ascending order"]),
    (rows((10,), (5,)), ["versions[1].height: 5 does not follow 10; list them in ascending order"]),
    (rows((10, 5)), ["versions[0].haltHeight: 5 is before this version's first block 10; raise it to at least that"]),
    (
        rows((0, 10), (10,)),
        [
            (
                "versions[0].haltHeight: 10 and the next version's height 10 do not meet; blocks after the halt belong to the"
                " next version: set haltHeight 9, or its height 11"
            )
        ],
    ),
    (
        rows((0, 5), (10,)),
        [
            (
                "versions[0].haltHeight: 5 and the next version's height 10 do not meet; blocks after the halt belong to the"
                " next version: set haltHeight 9, or its height 6"
            )
        ],
    ),
    ({**rows((0, 9), (10,)), "software": COMET}, ["versions[0].haltHeight: cometbft cannot halt at a height; leave it out"]),
    (
        {**rows((0,)), "versions": [{"height": 0, "image": {}}]},
        ["versions[0].image.tag: is required, or digest: a version is an image of its own; add it"],
    ),
    (
        {**rows((0,)), "versions": [{"height": 0, "image": {"tag": "latest"}}]},
        [
            (
                "versions[0].image.tag: latest moves to another version without notice; pin a version or a digest, or set"
                " allowMovingTag: true"
            )
        ],
    ),
    (
        {**rows((0,)), "versions": [{"height": 0, "image": {"tag": "v1", "repository": "simd:v1"}}]},
        ["versions[0].image.repository: 'simd:v1' has a tag or digest in it; move it to tag or digest"],
    ),
    ({**rows((0,)), "image": IMAGE}, ["image.tag: cannot be set together with versions: each version has its own; leave it out"]),
    (
        {**rows((0,)), "image": {**BARE, "digest": DIGEST}},
        ["image.tag: cannot be set together with versions: each version has its own; leave it out"],
    ),
    (
        {**rows((0,)), "image": {}},
        ["image.repository: is required: no registry is known for this chain; name the image of its binary"],
    ),
    ({"image": BARE}, ["image.tag: is required; pin the version of the binary"]),
    (
        {"image": {"tag": "v1"}},
        ["image.repository: is required: no registry is known for this chain; name the image of its binary"],
    ),
    (
        {"image": None},
        [
            "image.repository: is required: no registry is known for this chain; name the image of its binary",
            "image.tag: is required; pin the version of the binary",
        ],
    ),
    (
        {"software": OSMOSIS, "image": None},
        ["image.repository: is required: no registry is known for this chain; name the image of its binary"],
    ),
]


@broken("versions", VERSIONS)
def test_each_block_has_one_pinned_version(given: Given, said: list[str]) -> None:
    assert refusals(**given) == said
