#!/usr/bin/env python3
"""The second verifier of Alibi's certificates, for auditors to read beside the documentation page Format.
usage: alibi_verify.py CERTIFICATE EVIDENCE QUORUM VKEY... (the log's and witnesses' keys, never from the bundle)
Exit status: 0 ACCEPT, 2 ACCEPT WITH GAPS, 1 else: REJECT with the step and the `assert` that does not hold."""
import base64, datetime, hashlib, hmac, json, re, sys, time, traceback
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
if not __debug__: sys.exit("without its assertions (-O) this program checks nothing")
OBJECTS = {  # of the evidence: n number, s text, h hash, b base64, [x] an array, [x]? an array of at most one
    "file": "format:s checkpoint:s authority:[leaf] configs:[s] epochs:[epoch] anchors:[anchor]",
    "epoch": "record:s index:n proof:[h] salt:b session:[place]? gaps:[s] names:[names]? absent:[absence]",
    "leaf": "record:s index:n proof:[h]", "place": "index:n proof:[h]", "anchor": "kind:s checkpoint:s proof:[h] by:s",
    "names": "first:n bindings:[binding] before:[beside] after:[beside]", "absence": "bitmap:b siblings:[h]",
    "binding": "nonce:h identity:b from:n to:n proof:[h]", "beside": "tags:[h] binding:h proof:[h]"}
NUMBERS = "number from to first last first_seal last_seal lost covered degraded gaps sessions begun names lag".split()
N, W, T = "(?:0|[1-9][0-9]{0,17}|[1-8][0-9]{18})", "[!-~]+", r"(?:0|[1-9][0-9]{0,8}|[1-8][0-9]{9})\.[0-9]{9}"
FIELDS = "log claim scope kind data from to first last sessions names accepted covered gaps lost degraded lag hash"
CERTIFICATE = (rf"alibi\.v1/certificate\nlog ({W})\nclaim (no-access|no-write|no-exec)\nscope (agent|session:"
    rf"[!-.0-~]{{1,200}})\ntarget (tree|file|name|ext|glob|inode) ({W})\nfrom ({N})\nto ({N})\nepochs ({N}) ({N})\n"
    rf"sessions ({N})\nnames (?:({N})|under-this-name)\n(?:accepted ([a-z0-9-]+(?: [a-z0-9-]+)*)\n)?covered ({T})  "
    rf"gaps ({N})  lost ({N})  degraded ({T})  anchor-lag-max (?:({T})|none)\nevidence ({W})\n")
PATH = rb"/|(/(?!\.\.?(/|\Z))[^/\0]+)+"
TARGETS = {  # what a target must match; the classes of the keys that must be absent for it, and for its identities
    "tree": (PATH, "FD", "IJ"), "file": (PATH, "F", "I"), "name": (rb"(?!\.\.?\Z)[^/\0]+", "B", ""),
    "ext": (rb"[^/\0.]+", "X", ""), "glob": (rb".+", "G", ""), "inode": (rb".{16}(?!\0{4}).{12}", "IJ", "IJ")}
def H(*parts): return hashlib.sha256(b"".join(parts)).digest()
def mac(key, *parts): return hmac.digest(key, b"".join(parts), "sha256")
def leaf(text): return H(b"\0", text.encode())
def big(size, value): return value.to_bytes(size, "big")
def base(data): return base64.b64encode(data).decode()
def half(size): return 1 << (size - 1).bit_length() - 1  # the largest power of two below it
def number(text): return int(re.fullmatch(N, text)[0])
def unbase(text, size=None):  # of one spelling
    assert base(data := base64.b64decode(text, validate=True)) == text and size in (None, len(data))
    return data
def read(value, form):  # JSON of a form of OBJECTS; objects come as tuples of pairs, so that no key hides another
    if form in OBJECTS:
        names, forms = zip(*(member.split(":") for member in OBJECTS[form].split()))
        assert type(value) is tuple and tuple(name for name, _ in value) == names
        return {name: read(each, form) for (name, each), form in zip(value, forms)}
    assert type(value) is {"n": int, "[": list}.get(form[0], str) and (form[-1] != "?" or len(value) < 2)
    if form[0] == "[": return [read(each, form.strip("[]?")) for each in value]
    return value if form in "ns" else unbase(value, 32 if form == "h" else None)
def record(text, kind):  # the values of a record of the log
    first, *lines, end = text.split("\n")
    values = {key: number(value) if key in NUMBERS else value for key, value in (line.split(" ", 1) for line in lines)}
    assert first == "alibi.v1/" + kind and end == "" and len(values) == len(lines)
    return values
def vkey(text):  # name, id, type and public key of a verifier key
    name, ident, data = *text.split("+", 2)[:2], unbase(text.split("+", 2)[2], 33)
    assert data[0] in (1, 4) and re.fullmatch(r"\S+", name) and H(name.encode(), b"\n", data)[:4].hex() == ident
    return name, bytes.fromhex(ident), data[0], data[1:]
def head(text):  # origin, size and root of a checkpoint
    origin, size, top = re.fullmatch(r"([^\s+]+)\n(.+)\n(.+)\n", text).groups()
    return origin, number(size), unbase(top, 32)
def check(key, signature, text):  # that the key signed the text; when, if it is a witness's, else 0
    start = 8 if key[2] == 4 and head(text) else 0
    when = int.from_bytes(signature[:start], "big")
    text = f"cosignature/v1\ntime {when}\n{text}" if start else text
    Ed25519PublicKey.from_public_bytes(key[3]).verify(signature[start:], text.encode())
    return when
def note(data, keys=()):  # the text of a signed note, and those of the keys that signed it, each with the time
    assert len(data) <= 2**20 and not re.search(rb"[\0-\x09\x0b-\x1f]", data)
    text, lines = re.fullmatch("(.*\n)\n((?:\u2014 [^\\s+]+ \\S+\n){1,100})", data.decode(), re.DOTALL).groups()
    signatures = [(name, unbase(payload)) for _, name, payload in map(str.split, lines.splitlines())]
    assert all(len(data) > 4 for _, data in signatures)
    return text, [(key, check(key, x[4:], text)) for name, x in signatures for key in keys if key[:2] == (name, x[:4])]
def stamped(token, digest):  # when an RFC 3161 token says that it stamped the digest, rounded up
    stamp = (serial := token.split(digest, 1)[1])[2 + serial[1]:]
    when, fraction = re.fullmatch(rb"([0-9]{14})(\.[0-9]+)?Z", stamp[2:2 + stamp[1]]).groups()
    assert (token[:4], serial[0], stamp[0]) == (b"\x30\x82" + big(2, len(token) - 4), 2, 24)
    return datetime.datetime.strptime(when.decode() + "Z", "%Y%m%d%H%M%S%z").timestamp() + bool(fraction)
def root(x): return H(b"\1", root(x[:half(len(x))]), root(x[half(len(x)):])) if len(x) > 1 else (x or [H()])[0]
def climb(h, index, size, proof):  # the root that an inclusion proof leads to (RFC 9162 2.1.3)
    assert 0 <= index < size and (size == 1) == (proof == [])
    if size == 1: return h
    if index < half(size): return H(b"\1", climb(h, index, half(size), proof[:-1]), proof[-1])
    return H(b"\1", proof[-1], climb(h, index - half(size), size - half(size), proof[:-1]))
def grow(old, new, proof, known):  # both roots of a consistency proof (2.1.4); `known` is the old one, if a node
    assert 0 < old <= new and (old < new or len(proof) == (known is None))
    if old == new: return (known or proof[0],) * 2
    k, last, rest = half(new), proof[-1], proof[:-1]
    before, after = grow(old, k, rest, known) if old <= k else grow(old - k, new - k, rest, None)
    return (before, H(b"\1", after, last)) if old <= k else (H(b"\1", last, before), H(b"\1", last, after))
def empty_root(key, bitmap, siblings):  # the root of the index of absence when nothing is at the key
    h, rest = bytes(32), list(siblings)
    for byte, bit in [(at >> 3, 128 >> at % 8) for at in range(255, -1, -1)]:
        sibling = rest.pop() if bitmap[byte] & bit else bytes(32)
        if any(h + sibling): h = H(b"\3", sibling, h) if key[byte] & bit else H(b"\3", h, sibling)
    assert len(bitmap) == 32 and rest == [] and bytes(32) not in siblings
    return h
def identities(first, bindings, before, after, salt, r, path):  # that bore the path; before and after leave no room
    tags = [mac(salt, b"alibi.v1/name\0", big(4, x.end()), path[:x.end()]) for x in re.finditer(b"[^/]+", path)]
    assert r["names_state"] == "complete" and (r["names"] or r["names_root"] == base(H()))
    assert [x["tags"] < tags for x in before] == [True] * (first > 0)
    assert [x["tags"] > tags for x in after] == [True] * (first + len(bindings) < r["names"])
    for b in bindings: assert len(b["identity"]) == 28 and b["identity"][:8].hex() in r["file_systems"].split()
    def binding(b): return mac(b["nonce"], b"alibi.v1/binding\0", b["identity"], big(8, b["from"]), big(8, b["to"]))
    own = [b | {"tags": tags, "binding": binding(b)} for b in bindings]
    for at, x in enumerate(before + own + after, first - len(before)):
        h = H(b"\0alibi.v1/names\0", big(2, len(x["tags"])), *x["tags"], x["binding"])
        assert base(climb(h, at, r["names"], x["proof"])) == r["names_root"]
    return [b["identity"] for b in bindings]

def verify(cert, data, keys, quorum, now):  # yields the number of each step that begins; then the result, and gaps
    yield 2  # the certificate has its form
    c = dict(zip(FIELDS.split(), re.fullmatch(CERTIFICATE, note(cert)[0]).groups()))
    c |= {key: int(text.replace(".", "")) for key, text in c.items() if text and key in NUMBERS}
    c["accepted"], c["data"], c["hash"] = (c["accepted"] or "").split(), unbase(c["data"]), unbase(c["hash"], 32)
    pattern, letters, more = TARGETS[c["kind"]]
    assert len(c["data"]) <= 8192 and re.fullmatch(pattern, c["data"], re.DOTALL) and c["from"] < c["to"]
    assert c["first"] <= c["last"] and c["accepted"] == sorted(set(c["accepted"]))
    yield 1  # a key of its log is pinned
    assert (logs := [key for key in map(vkey, keys) if key[2] == 1 and key[0] == c["log"]])
    yield 3  # the evidence is the one named, and has its form
    assert H(data) == c["hash"] and len(data) <= 2**28 and b"\\" not in re.sub(rb'\\[n"\\]', b"", data)
    file = read(json.loads(data.decode(), object_pairs_hook=tuple, parse_int=number), "file")
    assert file["format"] == "alibi.v1/evidence" and {a["kind"] for a in file["anchors"]} <= {"witness", "rfc3161"}
    yield 4  # there is a final head of this log
    origin, size, top = head(note(file["checkpoint"].encode())[0])
    assert origin == c["log"]
    def sealed(x): return climb(leaf(x["record"]), x["index"], size, x["proof"]) == top
    yield 2  # its first record and pairs of rotations, each signed by both keys, lead to the key of the certificate
    assert all(map(sealed, file["authority"])) and file["authority"][0]["index"] == 0
    genesis = record(file["authority"][0]["record"], "genesis")
    chain = {role: [(0, vkey(genesis[role + "_key"]))] for role in ("log", "cert")}
    assert genesis["origin"] == origin and [x[1][::2] for [x] in chain.values()] == [(origin, 1), (origin + "/cert", 1)]
    for role, x in zip(["log", "cert"] * len(file["authority"]), file["authority"][1:]):
        k, text, (place, key) = record(x["record"], "key"), x["record"].split("old_signature ")[0], chain[role][-1]
        assert k["role"] == role and vkey(k["old"]) == key and vkey(k["new"])[::2] == key[::2] and x["index"] > place
        for which in ("old", "new"): check(vkey(k[which]), unbase(k[which + "_signature"]), text)
        chain[role].append((x["index"], vkey(k["new"])))
    assert [place + 1 for place, _ in chain["log"][1:]] == [place for place, _ in chain["cert"][1:]]
    assert note(cert, [chain["cert"][-1][1]])[1]
    yield 4  # the last key, to which a pinned one leads, signed the final head, and so did enough witnesses
    def signers(data, size, more=()): return note(data, [[k for at, k in chain["log"] if at < size][-1], *more])[1]
    signed = signers(file["checkpoint"].encode(), size, [key for key in map(vkey, keys) if key[2] == 4])
    assert any(key in logs for _, key in chain["log"]) and any(key[2] == 1 for key, _ in signed)
    assert len({key for key, _ in signed if key[2] == 4}) >= quorum and max(when for _, when in signed) <= now // 10**9
    yield 5  # the epochs are in the log, follow each other without a hole, and hold the time
    epochs = [(e, record(e["record"], "epoch")) for e in file["epochs"] if sealed(e)]
    for e, r in epochs: assert r["version"] == "1" and r["from"] < r["to"] <= now and r["first_seal"] <= r["last_seal"]
    for (d, q), (e, r) in zip(epochs, epochs[1:]):
        follower = q["number"] + 1, q["to"], q["last_seal"] + 1
        assert (r["number"], r["from"], r["first_seal"]) == follower and d["index"] < e["index"]
    first, last, follows = epochs[0][1], epochs[-1][1], c["names"] is not None and c["kind"] in ("tree", "file")
    assert (first["number"], last["number"], len(epochs)) == (c["first"], c["last"], len(file["epochs"]))
    assert first["from"] <= c["from"] < first["to"] and last["from"] < c["to"] <= last["to"]
    for e, r in epochs:
        yield 6  # the salt is the sealed one; the session is one of the epoch's
        assert len(e["salt"]) == 32 and base(H(b"alibi.v1/salt\0", e["salt"])) == r["salt_commit"]
        places = [climb(leaf(c["scope"][8:]), x["index"], r["sessions"], x["proof"]) for x in e["session"]]
        assert all(c["scope"] != "agent" and base(h) == r["sessions_root"] for h in places)
        yield 7  # the names are all that were sealed
        assert len(e["names"]) == follows and (c["kind"] != "inode" or c["data"][:8].hex() in r["file_systems"].split())
        own = [b for names in e["names"] for b in identities(*names.values(), e["salt"], r, c["data"])]
        yield 6  # there are exactly the proofs that the claim needs, and each shows its key absent
        scopes = [c["scope"] + {"no-access": "", "no-write": "/write", "no-exec": "/exec"}[c["claim"]]]
        scopes += ["unattributed"] * ("unattributed" not in c["accepted"])
        scopes += ["hazard:" + kind for kind in r["hazards"].split() if kind not in c["accepted"] + ["-"]]
        if c["kind"] == "inode": own = [c["data"][:16] + bytes(4) + c["data"][20:]]  # by who knew no generation
        facts = [(x, c["data"]) for x in letters] + [(x, each) for each in dict.fromkeys(own) for x in more]
        for (scope, x, data), a in zip([(s, *fact) for s in scopes for fact in facts], e["absent"], strict=True):
            fact = x.encode(), big(2, len(scope)), scope.encode(), big(4, len(data)), data
            h = empty_root(mac(e["salt"], b"alibi.v1/key\0", *fact), a["bitmap"], a["siblings"])
            assert base(h) == r["index_root"]
    assert c["scope"] == "agent" or any(e["session"] for e, _ in epochs)
    yield 7  # the certificate's numbers are the sealed ones
    touching, seen = [], []
    for e, r in epochs:
        gaps, covered, at = [record(text, "gap") for text in e["gaps"]], r["to"] - r["from"], r["from"]
        assert len(gaps) == r["gaps"] and base(root([leaf(text) for text in e["gaps"]])) == r["gap_root"]
        assert r["degraded"] <= covered and r["begun"] <= r["sessions"] and r["configs"] != "-"
        for gap in sorted(gaps, key=lambda gap: gap["from"]):
            covered -= max(0, min(gap["to"], r["to"]) - max(gap["from"], at))
            at = max(at, min(gap["to"], r["to"]))
        assert r["covered"] == covered
        touching += [g for g in gaps if g["from"] < c["to"] and g["to"] > c["from"] and g not in touching]
    for key in ("covered", "gaps", "lost", "degraded"): assert c[key] == sum(r[key] for _, r in epochs)
    assert c["sessions"] == first["sessions"] + sum(r["begun"] for _, r in epochs[1:])
    assert c["names"] == (sum(len(x["bindings"]) for e, _ in epochs for x in e["names"]) if follows else None)
    configs = dict.fromkeys(name for _, r in epochs for name in r["configs"].split())
    assert [base(leaf(text)) for text in file["configs"]] == list(configs)
    for x in file["configs"]: assert base(H(c["data"])) in record(x, "config")["patterns"].split() or letters != "G"
    yield 8  # the anchors are of this log, and the lag is what they say
    for a in file["anchors"]:
        text, (name, old, old_root) = note(data := a["checkpoint"].encode())[0], head(note(data)[0])
        assert name == origin and signers(data, old) and grow(old, size, a["proof"], old_root) == (old_root, top)
        if a["kind"] == "rfc3161": assert 0 <= stamped(unbase(a["by"]), H(text.encode())) <= now // 10**9
        else: seen += [(old, max(when for _, when in note(data, [vkey(a["by"])])[1]))]
        assert a["kind"] == "rfc3161" or vkey(a["by"])[2] == 4 and seen[-1][1] <= now // 10**9
    lags = [[max(0, when * 10**9 - r["to"]) for old, when in seen if old > e["index"]] for e, r in epochs]
    assert c["lag"] == (max(map(min, lags)) if all(lags) else None)
    yield "ACCEPT WITH GAPS" if touching or c["lost"] or c["degraded"] else "ACCEPT", touching
if __name__ == "__main__":
    cert, data = [open(name, "rb").read() for name in sys.argv[1:3]]
    try:
        for step in verify(cert, data, sys.argv[4:], int(sys.argv[3]), time.time_ns()): pass
    except Exception: sys.exit(f"{traceback.format_exc()}REJECT: step {step}")
    for gap in step[1]: print("gap from {from} to {to} {source}: {reason}".format(**gap))
    sys.exit(print(step[0]) or (0 if step[0] == "ACCEPT" else 2))
