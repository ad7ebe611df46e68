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


def included(e):
    return v.included(x(e["leaf"]), e["index"], e["size"], list(map(x, e["proof"])), x(e["root"]))


def consistent(e):
    return v.consistent(e["old"], x(e["old_root"]), e["new"], x(e["new_root"]), list(map(x, e["proof"])))


def signed(e):
    try:
        return bool(v.Note(e["note"].encode()).signers([v.vkey(e["vkey"])]))
    except ValueError:
        return False


tree = load("tree")
data = [v.leaf(x(each)) for each in tree["data"]]
assert [v.root(data[:size]).hex() for size in range(9)] == tree["roots"]
assert all(map(included, tree["inclusion"])) and not any(map(included, tree["inclusion_rejects"]))
assert all(map(consistent, tree["consistency"])) and not any(map(consistent, tree["consistency_rejects"]))

note = load("note")
assert all(map(signed, note["accepts"])) and not any(map(signed, note["rejects"]))

log = load("checkpoint")
key, leaves = v.vkey(log["vkey"]), [v.leaf(each.encode()) for each in log["entries"]]
for size, text in enumerate(log["checkpoints"]):
    assert v.Note(text.encode()).signers([key])
    assert v.head(v.Note(text.encode()).text) == (key[0], size, v.root(leaves[:size]))
witness = v.vkey(log["cosignature"]["vkey"])
cosigned = v.Note((log["cosignature"]["text"] + "\n" + log["cosignature"]["line"]).encode())
assert cosigned.signers([witness]) == {witness: [log["cosignature"]["time"]]}

index = load("index")
salt = x(index["salt"])
assert v.H(b"alibi.v1/salt\0", salt).hex() == index["salt_commit"]


def absent(e):
    key = v.mac(salt, b"alibi.v1/key\0", e["class"].encode(), b"\0\5agent", v.u32(x(e["data"])))
    bitmap, siblings = x(e["bitmap"]), list(map(x, e["siblings"]))
    return v.is_proof(bitmap, siblings) and v.absent(key, bitmap, siblings, x(index["index_root"]))


assert all(map(absent, index["absent"]))
assert not any(map(absent, index["present"])) and not any(map(absent, index["rejects"]))
print("every known answer")
