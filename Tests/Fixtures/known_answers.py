"""The second verifier against the known answers: known_answers.py VERIFIER-FOLDER KNOWN-ANSWERS-FOLDER."""
import json
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import alibi_verify as v

x = bytes.fromhex


def load(name):
    with open(f"{sys.argv[2]}/{name}.json") as file:
        return json.load(file)


def holds(check):
    """What does not hold raises."""
    def asked(e):
        try:
            return check(e)
        except Exception:
            return False
    return asked


@holds
def included(e):
    return v.climb(x(e["leaf"]), e["index"], e["size"], list(map(x, e["proof"]))) == x(e["root"])


@holds
def consistent(e):
    old, new = x(e["old_root"]), x(e["new_root"])
    return v.grow(e["old"], e["new"], list(map(x, e["proof"])), old) == (old, new)


@holds
def signed(e):
    return bool(v.note(e["note"].encode(), [v.vkey(e["vkey"])])[1])


tree = load("tree")
data = [v.H(b"\0", x(each)) for each in tree["data"]]
assert [v.root(data[:size]).hex() for size in range(9)] == tree["roots"]
assert all(map(included, tree["inclusion"])) and not any(map(included, tree["inclusion_rejects"]))
assert all(map(consistent, tree["consistency"])) and not any(map(consistent, tree["consistency_rejects"]))

note = load("note")
assert all(map(signed, note["accepts"])) and not any(map(signed, note["rejects"]))

log = load("checkpoint")
key, leaves = v.vkey(log["vkey"]), [v.leaf(each) for each in log["entries"]]
for size, signed_head in enumerate(log["checkpoints"]):
    text, signers = v.note(signed_head.encode(), [key])
    assert signers and v.head(text) == (key[0], size, v.root(leaves[:size]))
witness = v.vkey(log["cosignature"]["vkey"])
cosigned = (log["cosignature"]["text"] + "\n" + log["cosignature"]["line"]).encode()
assert v.note(cosigned, [witness])[1] == [(witness, log["cosignature"]["time"])]
tall = [v.leaf(f"record {each}") for each in range(300)]
assert v.base(v.root(tall)) == log["tree_300"]["root"] and v.root(tall[:256]).hex() == log["tree_300"]["tile_1_000_p1"]
for tile, part in [("tile_0_000", tall[:256]), ("tile_0_001_p44", tall[256:])]:
    assert v.H(*part).hex() == log["tree_300"][tile + "_sha256"]

index = load("index")
salt = x(index["salt"])
assert v.H(b"alibi.v1/salt\0", salt).hex() == index["salt_commit"]


@holds
def absent(e):
    data = x(e["data"])
    key = v.mac(salt, b"alibi.v1/key\0", e["class"].encode(), b"\0\5agent", v.big(4, len(data)), data)
    return v.empty_root(key, x(e["bitmap"]), list(map(x, e["siblings"]))) == x(index["index_root"])


assert all(map(absent, index["absent"]))
assert not any(map(absent, index["present"])) and not any(map(absent, index["rejects"]))
print("every known answer")
