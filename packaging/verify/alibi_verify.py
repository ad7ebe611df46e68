#!/usr/bin/env python3
"""The second verifier of Alibi's certificates, for auditors to read beside the documentation page Format.

usage: alibi_verify.py CERTIFICATE EVIDENCE --key VKEY [--witness VKEY]... [--quorum N] [--now NANOSECONDS]
Exit status: 0 ACCEPT, 1 REJECT, 2 ACCEPT WITH GAPS, 64 usage, 74 a file cannot be read.
"""
import argparse, base64, calendar, contextlib, hashlib, hmac, json, re, sys, time
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

RECORDS = {  # the lines of the log's records; the forms of values that decide nothing are not looked at
    "genesis": "origin log_key cert_key", "gap": "from to source reason",
    "key": "role old new old_signature new_signature",
    "config": "rules classes file_systems retention program binary kernel lockdown",
    "epoch": "number version from to first_seal last_seal entries events lost covered degraded gaps gap_root configs "
    "file_systems hazards sessions begun sessions_root names_state names names_root salt_commit index_root anchor"}
SHAPES = {  # the objects of the evidence: n number, s text, h hash, b base64, [x] array, [x]? array of at most one
    "file": "format:s checkpoint:s authority:[leaf] configs:[s] epochs:[epoch] anchors:[anchor]",
    "leaf": "record:s index:n proof:[h]", "place": "index:n proof:[h]",
    "epoch": "record:s index:n proof:[h] salt:b session:[place]? gaps:[s] names:[names]? absent:[absence]",
    "names": "first:n bindings:[binding] before:[neighbour] after:[neighbour]",
    "binding": "nonce:h identity:b from:n to:n proof:[h]", "neighbour": "tags:[h] binding:h proof:[h]",
    "absence": "scope:s class:s data:b bitmap:b siblings:[h]", "anchor": "kind:s checkpoint:s proof:[h] by:s"}
N, W, T = "(0|[1-9][0-9]{0,18})", "([!-~]+)", r"([0-9]+\.[0-9]{9})"
CERTIFICATE = re.compile(
    rf"alibi\.v1/certificate\nlog {W}\nclaim (no-access|no-write|no-exec)\nscope (agent|session:[!-.0-~]{{1,200}})\n"
    rf"target (tree|file|name|ext|glob|inode) {W}\nfrom {N}\nto {N}\nepochs {N} {N}\nsessions {N}\n"
    rf"names (?:{N}|under-this-name)\n(?:accepted ([a-z0-9-]+(?: [a-z0-9-]+)*)\n)?"
    rf"covered {T}  gaps {N}  lost {N}  degraded {T}  anchor-lag-max (?:{T}|none)\nevidence {W}\n")
FIELDS = "log claim scope kind data from to first last sessions names accepted covered gaps lost degraded lag evidence"
PATH = rb"/|(/(?!\.\.?(/|\Z))[^/\0]+)+"
TARGETS = {  # what a target must match, and the classes of the keys that must be absent for it
    "tree": (PATH, "FD"), "file": (PATH, "F"), "name": (rb"(?!\.\.?\Z)[^/\0]+", "B"), "ext": (rb"[^/\0.]+", "X"),
    "glob": (rb"(?s:.+)", "G"), "inode": (rb"(?s:.{28})", "IJ")}

class Reject(Exception): pass  # the step that does not hold, and why

@contextlib.contextmanager
def step(number):
    """Whatever does not hold or is malformed within is a rejection at this step."""
    try: yield
    except (InvalidSignature, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise Reject(number, str(error) or type(error).__name__) from None

def need(holds, reason):
    if not holds: raise ValueError(reason)

def H(*parts): return hashlib.sha256(b"".join(parts)).digest()
def mac(key, *parts): return hmac.new(key, b"".join(parts), "sha256").digest()
def leaf(text): return H(b"\0", text.encode())
def big(size, value): return value.to_bytes(size, "big")
def base(data): return base64.b64encode(data).decode()
def half(size): return 1 << (size - 1).bit_length() - 1  # the largest power of two below it
def is_name(text): return text and not re.search(r"[\s+]", text)
def ascending(words): return sorted(set(words)) == words
def number(text): return need(re.fullmatch(N, text) and int(text) < 2**63, "not a number") or int(text)

def unbase(text, size=None):
    data = base64.b64decode(text, validate=True)
    return need(base(data) == text and size in (None, len(data)), "not base64 of the length it must have") or data

def record(text, kind):
    """The values of a record of the log; hashes stay base64."""
    pairs = [line.split(" ", 1) for line in text.split("\n")[1:-1]]
    need(text.startswith(f"alibi.v1/{kind}\n") and text[-1] == "\n" and re.fullmatch("[ -~\n]{,65535}", text)
         and " ".join(key for key, _ in pairs) == RECORDS[kind], "not a record of type " + kind)
    return {key: number(value) if re.fullmatch(N, value) else value for key, value in pairs}

def read(value, form):
    """A JSON value of the form it must have, see SHAPES."""
    if form in SHAPES:
        forms = dict(pair.split(":") for pair in SHAPES[form].split())
        need(type(value) is dict and value.keys() == forms.keys(), "not exactly the keys of " + form)
        return {key: read(value[key], forms[key]) for key in forms}
    need(type(value) is {"n": int, "[": list}.get(form[0], str) and (form[-1] != "?" or len(value) < 2), "not " + form)
    if form[0] == "[": return [read(each, form.strip("[]?")) for each in value]
    return value if form in "ns" else unbase(value, 32 if form == "h" else None)

def evidence(data):
    def unique(pairs): return need(len(dict(pairs)) == len(pairs), "a key twice") or dict(pairs)
    text, numbers = data.decode(), dict.fromkeys(("parse_int", "parse_float", "parse_constant"), number)
    need(len(data) <= 2**28 and "\\" not in re.sub(r'\\[n"\\]', "", text), "too long, or an unknown escape")
    file = read(json.loads(text, object_pairs_hook=unique, **numbers), "file")
    need(file["format"] == "alibi.v1/evidence" and {a["kind"] for a in file["anchors"]} <= {"witness", "rfc3161"}
         and all(re.fullmatch("[FDBXIJGfdbxijg]", a["class"]) and is_proof(a["bitmap"], a["siblings"])
                 for e in file["epochs"] for a in e["absent"]), "not evidence of this format")
    return file

def certificate(text):
    c = dict(zip(FIELDS.split(), CERTIFICATE.fullmatch(text).groups()))
    for key in "from to first last sessions names gaps lost".split(): c[key] = c[key] and number(c[key])
    for key in [key for key in ("covered", "degraded", "lag") if c[key]]:
        need(number(c[key][:-10]) < 9 * 10**9, "too long a time")
        c[key] = int(c[key].replace(".", ""))
    c["accepted"] = c["accepted"].split() if c["accepted"] else []
    c["data"], c["evidence"] = unbase(c["data"]), unbase(c["evidence"], 32)
    need(len(c["data"]) <= 8192 and re.fullmatch(TARGETS[c["kind"]][0], c["data"]), "not a target")
    need(c["from"] < c["to"] and c["first"] <= c["last"] and ascending(c["accepted"]), "out of order")
    return c

def root(leaves):
    if len(leaves) < 2: return leaves[0] if leaves else H()
    return H(b"\1", root(leaves[:half(len(leaves))]), root(leaves[half(len(leaves)):]))

def climb(h, index, size, proof):
    """The root that an inclusion proof leads to (RFC 9162 2.1.3)."""
    need(0 <= index < size and (size == 1) == (not proof), "an inclusion proof of a wrong length")
    if size == 1: return h
    if index < half(size): return H(b"\1", climb(h, index, half(size), proof[:-1]), proof[-1])
    return H(b"\1", proof[-1], climb(h, index - half(size), size - half(size), proof[:-1]))

def grow(old, new, proof, known):
    """The two roots that a consistency proof leads to (RFC 9162 2.1.4); `known` is the old one where it is a node."""
    need(0 < old <= new and (old < new or len(proof) == (known is None)), "a consistency proof of a wrong length")
    if old == new: return (known or proof[0],) * 2
    k, last, rest = half(new), proof[-1], proof[:-1]
    before, after = grow(old, k, rest, known) if old <= k else grow(old - k, new - k, rest, None)
    return (before, H(b"\1", after, last)) if old <= k else (H(b"\1", last, before), H(b"\1", last, after))

def is_proof(bitmap, siblings):
    ones = int.from_bytes(bitmap, "big").bit_count()
    return len(bitmap) == 32 and ones == len(siblings) and bytes(32) not in siblings

def empty_root(key, bitmap, siblings):
    """The root of the index of absence when nothing is at the key."""
    h, rest, bit = bytes(32), list(siblings), lambda data, at: data[at >> 3] >> (7 - at % 8) & 1
    for depth in range(255, -1, -1):
        sibling = rest.pop() if bit(bitmap, depth) else bytes(32)
        if h != bytes(32) or sibling != bytes(32): h = H(b"\3", *((sibling, h) if bit(key, depth) else (h, sibling)))
    return h

def vkey(text):
    """Name, id, type and public key."""
    name, ident, data = text.split("+", 2)
    data = unbase(data, 33)
    need(data[0] in (1, 4) and is_name(name) and H(name.encode(), b"\n", data)[:4].hex() == ident, "not a verifier key")
    return name, bytes.fromhex(ident), data[0], data[1:]

def check(key, signature, message): Ed25519PublicKey.from_public_bytes(key[3]).verify(signature, message)

def head(text):
    origin, size, top, end = text.split("\n")
    return need(is_name(origin) and not end, "not a checkpoint") or (origin, number(size), unbase(top, 32))

def note(data, keys=()):
    """The text of a signed note, and those of the keys that signed it, each with its newest time of cosignature."""
    need(len(data) <= 2**20 and data[-1:] == b"\n" and not re.search(rb"[\0-\x09\x0b-\x1f]", data), "not a note")
    text, lines = data.decode()[:-1].rsplit("\n\n", 1)
    text, lines, found = text + "\n", [line.split(" ", 2) for line in lines.split("\n")], {}
    for dash, name, payload in lines:
        ident, signature = unbase(payload)[:4], unbase(payload)[4:]
        need(dash == "\u2014" and is_name(name) and signature and len(lines) <= 100, "not a note")
        for key in [key for key in keys if key[:2] == (name, ident)]:
            seconds, message = 0, text.encode()
            if key[2] == 4:
                seconds, signature = int.from_bytes(signature[:8], "big"), signature[8:]
                message = b"cosignature/v1\ntime %d\n" % seconds + message
                need(seconds < 2**63 and head(text), "not a cosignature")
            check(key, signature, message)
            found[key] = max(seconds, found.get(key, 0))
    return text, found

def stamped(token, digest):
    """When an RFC 3161 token says that it stamped the digest; its signature is for openssl ts -verify."""
    long = token[1] & 127 if token[1] > 127 else 0
    size = 2 + long + (int.from_bytes(token[2:2 + long], "big") if long else token[1])
    found = re.search(re.escape(digest) + rb"\x02(?s:..{1,20}?)\x18.([0-9]{14})(\.[0-9]+)?Z", token)
    need(token[0] == 48 and long < 5 and len(token) == size and found, "not a time stamp over this digest")
    return calendar.timegm(time.strptime(found[1].decode(), "%Y%m%d%H%M%S")) + bool(found[2])

def identities(epoch, r, c):
    """What bore the target's path: all its bindings, as the neighbours on both sides show."""
    [names], path, size = epoch["names"], c["data"], r["names"]
    ends = [at for at in range(1, len(path)) if path[at:at + 1] == b"/"] + [len(path)] * (path != b"/")
    mine = [mac(epoch["salt"], b"alibi.v1/name\0", big(4, end), path[:end]) for end in ends]
    before, bindings, after = names["before"], names["bindings"], names["after"]
    first, end = names["first"], names["first"] + len(bindings)
    need(r["names_state"] == "complete" and end <= size and len(before) == (first > 0) and len(after) == (end < size)
         and all(x["tags"] < mine for x in before) and all(mine < x["tags"] for x in after)
         and (size or r["names_root"] == base(H())), "not all names")
    for b in bindings:
        b["tags"], span = mine, big(8, b["from"]) + big(8, b["to"])
        b["binding"] = mac(b["nonce"], b"alibi.v1/binding\0", b["identity"], span)
        need(len(b["identity"]) == 28 and b["identity"][:8].hex() in r["file_systems"].split(), "not a watched place")
    for at, x in enumerate(before + bindings + after, first - len(before)):
        data = H(b"\0alibi.v1/names\0", big(2, len(x["tags"])), *x["tags"], x["binding"])
        need(base(climb(data, at, size, x["proof"])) == r["names_root"], "a name is not sealed")
    return list(dict.fromkeys(b["identity"] for b in bindings))

def verify(cert, data, keys, witnesses=(), quorum=0, now=None):
    """What the certificate says, and the gaps that touch its time; raises Reject."""
    now = time.time_ns() if now is None else now
    with step(1):
        keys, witnesses = [vkey(key) for key in keys], [vkey(key) for key in witnesses]
        need({key[2] for key in keys} == {1} and {key[2] for key in witnesses} <= {4}, "no key is pinned, or no such")
    with step(2): c = certificate(note(cert)[0])
    with step(1):
        keys = [key for key in keys if key[0] == c["log"]]
        need(keys, "no key of this log is pinned")
    with step(3):
        need(H(data) == c["evidence"], "the evidence has another hash")
        file = evidence(data)
    with step(4):
        text, signers = note(file["checkpoint"].encode(), keys + witnesses)
        (origin, size, top), seen = head(text), [when for key, when in signers.items() if key[2] == 4]
        need(origin == c["log"] and quorum <= len(seen) < len(signers) and max(seen, default=0) <= now // 10**9,
             "the head is not signed by the log, or by too few witnesses, or in the future")
    def sealed(x): return climb(leaf(x["record"]), x["index"], size, x["proof"]) == top
    with step(2):
        need(all(map(sealed, file["authority"])), "a record of the keys is not in the log")
        genesis, *rotations = file["authority"]
        first, place = record(genesis["record"], "genesis"), genesis["index"]
        key, _ = vkey(first["cert_key"]), vkey(first["log_key"])
        need(place == 0 and first["origin"] == origin and key[::2] == (origin + "/cert", 1), "not this log's beginning")
        for x in rotations:
            k, text = record(x["record"], "key"), x["record"].split("\nold_signature ")[0].encode() + b"\n"
            old, new = vkey(k["old"]), vkey(k["new"])
            need(k["role"] == "cert" and old == key and new[::2] == key[::2] and x["index"] > place, "not a rotation")
            check(old, unbase(k["old_signature"]), text), check(new, unbase(k["new_signature"]), text)
            key, place = new, x["index"]
        need(note(cert, [key])[1], "the certificate is not signed by the key that the log names")
    epochs = []
    with step(5):
        for e in file["epochs"]:
            need(sealed(e), "an epoch is not in the log")
            r = record(e["record"], "epoch")
            need(r["version"] == 1 and r["names_state"] in ("complete", "partial") and r["from"] < r["to"] <= now
                 and r["first_seal"] <= r["last_seal"], "not an epoch of this version, or one of the future")
            if epochs:
                (x, last), begins = epochs[-1], (r["number"], r["from"], r["first_seal"])
                need(begins == (last["number"] + 1, last["to"], last["last_seal"] + 1) and e["index"] > x["index"],
                     "an epoch is missing, doubled or out of order")
            with step(6):
                need(len(e["salt"]) == 32, "a salt of another length")
                need(base(H(b"alibi.v1/salt\0", e["salt"])) == r["salt_commit"], "not the epoch's salt")
            r["hazards"] = r["hazards"].split() if r["hazards"] != "-" else []
            epochs.append((e, r))
        first, last = epochs[0][1], epochs[-1][1]
        need((first["number"], last["number"]) == (c["first"], c["last"]) and first["from"] <= c["from"] < first["to"]
             and last["from"] < c["to"] <= last["to"], "the epochs do not hold the time, or are not those stated")
        need(all(ascending(r["hazards"]) and ascending(r["file_systems"].split()) for _, r in epochs)
             and all(re.fullmatch("[a-z0-9-]+", h) for _, r in epochs for h in r["hazards"]), "scopes out of order")
    known, bindings = c["scope"] == "agent", 0
    for e, r in epochs:
        with step(6):
            for place in e["session"]:
                h = climb(leaf(c["scope"][8:]), place["index"], r["sessions"], place["proof"])
                need(c["scope"] != "agent" and base(h) == r["sessions_root"], "the session is not among an epoch's")
                known = True
        with step(7):
            follows = c["names"] is not None and c["kind"] in ("tree", "file")
            need(follows or not e["names"], "names were opened that the claim does not need")
            own = identities(e, r, c) if follows else []
            bindings += len(e["names"][0]["bindings"]) if follows else 0
        with step(6):
            others = {"unattributed": "unattributed"} | {hazard: "hazard:" + hazard for hazard in r["hazards"]}
            scopes = [c["scope"] + {"no-access": "", "no-write": "/write", "no-exec": "/exec"}[c["claim"]]]
            scopes += [scope for kind, scope in others.items() if kind not in c["accepted"]]
            facts = [(letter, c["data"]) for letter in TARGETS[c["kind"]][1]]
            facts += [(letter, each) for each in own for letter in ("IJ" if c["kind"] == "tree" else "I")]
            need([(a["scope"], a["class"], a["data"]) for a in e["absent"]] == [(s, *f) for s in scopes for f in facts],
                 "the absences are not exactly those that the claim needs")
            for a in e["absent"]:
                scope = big(2, len(a["scope"])) + a["scope"].encode()
                key = mac(e["salt"], b"alibi.v1/key\0", a["class"].encode(), scope, big(4, len(a["data"])), a["data"])
                need(base(empty_root(key, a["bitmap"], a["siblings"])) == r["index_root"], "an absence is not proven")
    with step(6): need(known, "no epoch knows the session")
    with step(7):
        touching, total = [], lambda key: sum(r[key] for _, r in epochs)
        for e, r in epochs:
            gaps, covered, at = [record(text, "gap") for text in e["gaps"]], r["to"] - r["from"], r["from"]
            need(r["degraded"] <= covered and r["begun"] <= r["sessions"], "an epoch that cannot be")
            for gap in sorted(gaps, key=lambda gap: gap["from"]):
                need(gap["from"] <= gap["to"], "a gap ends before it begins")
                covered -= max(0, min(gap["to"], r["to"]) - max(gap["from"], at))
                at = max(at, min(gap["to"], r["to"]))
            need(r["gaps"] == len(gaps) and base(root([leaf(text) for text in e["gaps"]])) == r["gap_root"]
                 and r["covered"] == covered, "the gaps are not those sealed, or not all that is not covered")
            touching += [g for g in gaps if g["from"] < c["to"] and g["to"] > c["from"] and g not in touching]
        need(all(c[key] == total(key) for key in ("covered", "gaps", "lost", "degraded"))
             and c["sessions"] == first["sessions"] + total("begun") - first["begun"]
             and c["names"] in (None, bindings) and (follows or c["names"] is None), "the numbers are others")
        configs = dict.fromkeys(name for _, r in epochs for name in r["configs"].split())
        need([record(text, "config") and base(leaf(text)) for text in file["configs"]] == list(configs),
             "the configurations are not those sealed")
    with step(8):
        seen = []
        for a in file["anchors"]:
            text, signers = note(a["checkpoint"].encode(), keys)
            name, old, old_root = head(text)
            need(name == origin and signers and grow(old, size, a["proof"], old_root) == (old_root, top), "another log")
            if a["kind"] == "witness":
                [(witness, when)] = note(a["checkpoint"].encode(), [vkey(a["by"])])[1].items()
                need(witness[2] == 4, "not a witness")
                seen.append((old, when))
            else: when = stamped(unbase(a["by"]), H(text.encode()))
            need(when <= now // 10**9, "an anchor is from the future")
        lags = [[max(0, when * 10**9 - r["to"]) for old, when in seen if old > e["index"]] for e, r in epochs]
        need(c["lag"] == (max(map(min, lags)) if all(lags) else None), "the anchor lag is not the stated one")
    return c, touching

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.error = lambda message: parser.exit(64, message + "\n")
    for name in ("certificate", "evidence"): parser.add_argument(name)
    for name in ("--key", "--witness"): parser.add_argument(name, action="append", default=[])
    for name in ("--quorum", "--now"): parser.add_argument(name, type=int)
    o = parser.parse_args()
    try:
        files = [open(name, "rb").read() for name in (o.certificate, o.evidence)]
        found, gaps = verify(*files, o.key, o.witness, o.quorum or 0, o.now)
    except OSError as error: sys.exit(print(error, file=sys.stderr) or 74)
    except Reject as error: sys.exit(print("REJECT: step %d: %s" % error.args) or 1)
    for gap in gaps: print("gap from {from} to {to} {source}: {reason}".format(**gap))
    clean = not gaps and not found["lost"] and not found["degraded"]
    sys.exit(print("ACCEPT" if clean else "ACCEPT WITH GAPS") or (0 if clean else 2))
